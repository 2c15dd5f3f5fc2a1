/** What `Request` and `Response` share: headers and a body that can be read once. */

import { Blob, bytesOf, makeBlob } from "./blob";
import { Content, contentOfStream, isUsed, readBytes, readText, streamOf } from "./content";
import { FormData } from "./form_data";
import { getHeader, type HeaderList, type Headers, hasHeader, makeHeaders } from "./headers";
import { illegalConstructor, illegalInvocation } from "./interface";
import { decodeForm, encodeForm } from "./multipart";
import { ReadableStream, viewOf } from "./streams";
import { URLSearchParams } from "./url";

/** The content of a body; null when there is none. */
export let contentOf: (body: Body) => Content | null;

/** The headers as a flat list; changes show in both. */
export let headerListOf: (body: Body) => HeaderList;

/** Whether the headers may not be changed. */
export let isImmutable: (body: Body) => boolean;

/** The headers as an object; made when they are first asked for. */
export let headersOf: (body: Body) => Headers;

const CONTENT_TYPE = "content-type";

export class Body {
  readonly #content: Content | null;
  readonly #list: HeaderList;
  readonly #immutable: boolean;
  #headers: Headers | undefined;

  static {
    contentOf = (body) => body.#content;
    headerListOf = (body) => body.#list;
    isImmutable = (body) => body.#immutable;
    headersOf = (body) => (body.#headers ??= makeHeaders(body.#list, body.#immutable));
  }

  constructor(content: Content | null, list: HeaderList, immutable: boolean) {
    if (new.target === Body) throw illegalConstructor();
    this.#content = content;
    this.#list = list;
    this.#immutable = immutable;
  }

  get body(): ReadableStream | null {
    if (!(#content in this)) throw illegalInvocation();
    return this.#content === null ? null : streamOf(this.#content);
  }

  get bodyUsed(): boolean {
    if (!(#content in this)) throw illegalInvocation();
    return this.#content !== null && isUsed(this.#content);
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    return readBytes(this.#content).then((bytes) => bytes.buffer);
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    return readBytes(this.#content);
  }

  text(): Promise<string> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    return readText(this.#content);
  }

  json(): Promise<unknown> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    return readText(this.#content).then(parse);
  }

  formData(): Promise<FormData> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    const type = getHeader(this.#list, CONTENT_TYPE);
    return readBytes(this.#content).then((bytes) => decodeForm(bytes, type));
  }

  blob(): Promise<Blob> {
    if (!(#content in this)) return Promise.reject(illegalInvocation());
    const type = getHeader(this.#list, CONTENT_TYPE) ?? "";
    return readBytes(this.#content).then((bytes) => makeBlob(bytes, type));
  }
}

/** `JSON.parse`, without the further arguments that `then` would pass. */
function parse(text: string): unknown {
  return JSON.parse(text);
}

/**
 * The content that a body given by the user stands for. Its natural type is added to the headers that have none.
 *
 * @param body Neither null nor undefined.
 */
export function makeContent(body: unknown, list: HeaderList): Content {
  if (typeof body === "string") {
    addType(list, "text/plain;charset=UTF-8");
    return new Content(body);
  }
  if (body instanceof ReadableStream) return contentOfStream(body);
  // Copies: what the user does with the buffer later is not the body's business.
  if (body instanceof ArrayBuffer) return new Content(new Uint8Array(body.slice(0)));
  if (ArrayBuffer.isView(body)) return new Content(viewOf(body).slice());
  if (body instanceof Blob) {
    if (body.type !== "") addType(list, body.type);
    return new Content(bytesOf(body));
  }
  if (body instanceof FormData) {
    const { bytes, type } = encodeForm(body);
    addType(list, type);
    return new Content(bytes);
  }
  if (body instanceof URLSearchParams) {
    addType(list, "application/x-www-form-urlencoded;charset=UTF-8");
    return new Content(body.toString());
  }
  if (typeof body === "object" && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body))
    if (!(body instanceof String)) return contentOfStream(ReadableStream.from(body as AsyncIterable<unknown>));
  addType(list, "text/plain;charset=UTF-8");
  return new Content(`${body}`);
}

/** Add a Content-Type, unless there is one. */
export function addType(list: HeaderList, type: string): void {
  if (list.length === 0 || !hasHeader(list, CONTENT_TYPE)) list.push("Content-Type", type);
}
