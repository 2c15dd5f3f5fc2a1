/**
 * Stubs: objects as their callers see them.
 *
 * A stub is an ordinary JavaScript object until its first use, which declares it to the host; the host keeps the
 * order of its calls and hears when the stub has been collected. Any property that is not really there reads as a
 * method that is called in the object. That is done by a proxy at the end of the prototype chain, so `fetch`, `id`
 * and `name` never meet it.
 */

import { native } from "../native";
import { OP } from "../protocol";
import {
  checkIoAllowed,
  currentSection,
  exposeInterface,
  makeResponse,
  Request,
  type Response,
  readRequest,
  startAsync,
} from "../web";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { URL } from "../web/url";
import { type DurableObjectId, hexOf, nameOf } from "./ids";

const MAKER = Symbol("stub");
const STUB_FETCH = OP.stub_fetch;

/** What of a URL goes over the wire: neither credentials nor fragment. */
function sentUrl(url: string): string {
  if (!url.includes("#") && !url.includes("@")) return url;
  const sent = new URL(url);
  sent.username = sent.password = sent.hash = "";
  return sent.href;
}

let last = 0;
const collected = new FinalizationRegistry<number>((stub) => {
  native.op(OP.stub_close, [stub]);
});

/** Calls a method of the object behind a stub. */
let callMethod: (stub: DurableObject, method: string, args: unknown[]) => Promise<unknown>;

/** What a property reads as that neither the stub nor its classes have. */
const remote: ProxyHandler<object> = {
  get(target, property, receiver) {
    if (property in target) return Reflect.get(target, property, receiver);
    // A stub must not look like a promise, or it could not be returned from an async function.
    if (typeof property === "symbol" || property === "then") return undefined;
    return (...args: unknown[]) => callMethod(receiver as DurableObject, property, args);
  },
  has: () => true,
};

export abstract class Fetcher {
  abstract fetch(input: unknown, init?: unknown): Promise<Response>;
}
Object.setPrototypeOf(Fetcher.prototype, new Proxy({}, remote));

export class DurableObject extends Fetcher {
  declare readonly name: string | undefined;
  declare readonly id: DurableObjectId;
  readonly #namespace: number;
  readonly #id: DurableObjectId;
  #stub = 0;

  static {
    callMethod = (stub, method, args) => stub.#call(method, args);
  }

  constructor(maker: symbol, namespace: number, id: DurableObjectId) {
    if (maker !== MAKER) throw illegalConstructor();
    super();
    this.#namespace = namespace;
    this.#id = id;
    Object.defineProperty(this, "name", { value: nameOf(id), enumerable: true, configurable: true });
    Object.defineProperty(this, "id", { value: id, enumerable: true, configurable: true });
  }

  fetch(input: unknown, init?: unknown): Promise<Response> {
    try {
      if (arguments.length === 0) throw wrongParameter("fetch", "Fetcher", 1, "Request or string");
      const request = input instanceof Request && init === undefined ? input : new Request(input, init);
      return this.#fetch(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #fetch(request: Request): Promise<Response> {
    if (!request.url.startsWith("http:") && !request.url.startsWith("https:"))
      return Promise.reject(new TypeError(`Fetch API cannot load: ${request.url}`));
    const { method, url: whole, headers, kind, handle, raw, signal } = readRequest(request);
    const url = sentUrl(whole);
    if (kind === 1) addContentLength(headers, raw);
    const stub = this.#open();
    const namespace = this.#namespace;
    return startAsync(
      (operation) => {
        native.op(STUB_FETCH, [operation, currentSection(), namespace, stub, method, url, headers, kind, handle], raw);
      },
      makeResponse,
      signal,
    );
  }

  #call(method: string, args: unknown[]): Promise<unknown> {
    try {
      const stub = this.#open();
      return startAsync((operation) => {
        native.opValue(OP.stub_call, [operation, currentSection(), this.#namespace, stub, method.toWellFormed()], args);
      }, readResult);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The stub's number, declared to the host on first use. */
  #open(): number {
    if (this.#stub === 0) {
      const stub = ++last;
      native.op(OP.stub_open, [stub, this.#namespace, hexOf(this.#id), nameOf(this.#id)?.toWellFormed() ?? null]);
      this.#stub = stub;
      collected.register(this, stub);
    }
    return this.#stub;
  }
}

exposeInterface("Fetcher", Fetcher);
exposeInterface("DurableObject", DurableObject);

/** A request whose body is at hand tells its length, as it would on a connection. */
function addContentLength(headers: string[], raw: string | ArrayBuffer | ArrayBufferView | undefined): void {
  for (let i = 0; i < headers.length; i += 2)
    if ((headers[i] as string).toLowerCase() === "content-length") return;
  const bytes = typeof raw === "string" ? native.utf8Encode(raw) : raw;
  headers.push("content-length", `${bytes?.byteLength ?? 0}`);
}

function readResult(_value: unknown, body: ArrayBuffer | undefined): unknown {
  return body === undefined ? undefined : native.deserialize(body);
}

/** A stub for an object of the namespace with that number. */
export function makeStub(namespace: number, id: DurableObjectId): DurableObject {
  checkIoAllowed();
  return new DurableObject(MAKER, namespace, id);
}
