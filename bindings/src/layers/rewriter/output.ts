/** What a document becomes, and what handlers have put into it. */

import type { Charset } from "./charset";

/** Content that a handler gives. */
export interface Piece {
  readonly content: string | ReadableStream;
  /** It is put in as it is; text is escaped. */
  readonly html: boolean;
}

/** What is to be done around a token, and instead of it. */
export class Mutations {
  readonly before: Piece[] = [];
  after: Piece[] = [];
  replacement: Piece | undefined;
  removed = false;

  replace(piece: Piece): void {
    this.removed = true;
    this.replacement = piece;
  }
}

/** Bytes after which they are sent although their chunk of input is not at its end. */
const ENOUGH = 64 * 1024;
const SPECIAL = /[&<>]/g;
const ESCAPED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function escaped(text: string): string {
  return text.replace(SPECIAL, (character) => ESCAPED[character] as string);
}

export class Output {
  readonly #charset: Charset;
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** @param send Takes what was written, piece by piece. */
  constructor(charset: Charset, send: (bytes: Uint8Array) => Promise<void>) {
    this.#charset = charset;
    this.#send = send;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  writeText(text: string): void {
    if (text !== "") this.write(this.#charset.encode(text));
  }

  /** Write a string that has a character for each byte. */
  writeBytes(text: string): void {
    this.write(this.#charset.bytes(text));
  }

  /**
   * Write a token and what is to be done with it.
   *
   * @param self Writes the token as it is.
   * @returns What it waits for when there are streams among the contents.
   */
  writeToken(mutations: Mutations | undefined, self: () => void): void | Promise<void> {
    if (mutations === undefined) return self();
    const { before, after, removed, replacement } = mutations;
    const contents: (Piece | (() => void))[] = [...before];
    if (!removed) contents.push(self);
    else if (replacement !== undefined) contents.push(replacement);
    contents.push(...after);
    return this.#writeAll(contents, 0);
  }

  /** @param from Where to begin; all that needs no waiting is written at once. */
  #writeAll(contents: readonly (Piece | (() => void))[], from: number): void | Promise<void> {
    for (let at = from; at < contents.length; at++) {
      const content = contents[at] as Piece | (() => void);
      if (typeof content === "function") content();
      else if (typeof content.content !== "string")
        return this.#writeStream(content.content, content.html).then(() => this.#writeAll(contents, at + 1));
      else this.writePiece(content.content, content.html);
    }
    return undefined;
  }

  writePiece(text: string, html: boolean): void {
    this.writeText(html ? text : escaped(text));
  }

  async #writeStream(stream: ReadableStream, html: boolean): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.writePiece(typeof chunk === "string" ? chunk : decoder.decode(chunk as Uint8Array, { stream: true }), html);
      await this.flush();
    }
    this.writePiece(decoder.decode(), html);
  }

  /** Whether it is time to send. */
  get isFull(): boolean {
    return this.#length >= ENOUGH;
  }

  /** Send what there is, as one. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#length = 0;
    await this.#send(all);
  }
}
