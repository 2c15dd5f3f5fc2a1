/** `MIMEType` and `MIMEParams` of `node:util`, over a package that parses and writes as the MIME Sniffing Standard says. */

import MediaType from "whatwg-mimetype/lib/mime-type.js";
import { nodeError } from "../node_errors";

type Parameters = MediaType["parameters"];

/** What the package refuses, in Node's words. */
function checked<T>(what: string, given: unknown, run: () => T): T {
  try {
    return run();
  } catch {
    throw nodeError(TypeError, "ERR_INVALID_MIME_SYNTAX", `The MIME syntax for a ${what} in ${JSON.stringify(`${given as string}`)} is invalid`);
  }
}

class MIMEParams {
  readonly #parameters: Parameters;

  /** The parameter is the bundle's own. */
  constructor(parameters = new MediaType("x/x").parameters) {
    this.#parameters = parameters;
  }

  get(name: unknown): string | null {
    return this.#parameters.get(name) ?? null;
  }

  has(name: unknown): boolean {
    return this.#parameters.has(name);
  }

  set(name: unknown, value: unknown): void {
    checked("parameter", `${name as string}=${value as string}`, () => this.#parameters.set(name, value));
  }

  delete(name: unknown): void {
    this.#parameters.delete(name);
  }

  entries(): Iterator<[string, string]> {
    return this.#parameters.entries();
  }

  keys(): Iterator<string> {
    return this.#parameters.keys();
  }

  values(): Iterator<string> {
    return this.#parameters.values();
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.entries();
  }

  toString(): string {
    const alone = new MediaType("x/x");
    this.#parameters.forEach((value, name) => alone.parameters.set(name, value));
    return alone.toString().slice("x/x;".length);
  }

  toJSON(): string {
    return this.toString();
  }
}

class MIMEType {
  readonly #type: MediaType;
  readonly #params: MIMEParams;

  constructor(text: unknown) {
    this.#type = checked("type", text, () => new MediaType(text));
    this.#params = new MIMEParams(this.#type.parameters);
  }

  get type(): string {
    return this.#type.type;
  }
  set type(value: unknown) {
    checked("type", value, () => void (this.#type.type = value));
  }

  get subtype(): string {
    return this.#type.subtype;
  }
  set subtype(value: unknown) {
    checked("subtype", value, () => void (this.#type.subtype = value));
  }

  get essence(): string {
    return this.#type.essence;
  }

  get params(): MIMEParams {
    return this.#params;
  }

  toString(): string {
    return this.#type.toString();
  }

  toJSON(): string {
    return this.toString();
  }
}

export const mimeClasses = { MIMEParams, MIMEType };
