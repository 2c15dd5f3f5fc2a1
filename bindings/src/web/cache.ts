/** `caches`: answers that the host keeps for all objects and Workers of a project. */

import { native } from "../native";
import { OP } from "../protocol";
import { headerListOf } from "./body";
import { getHeader } from "./headers";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "./interface";
import { startAsync } from "./operations";
import { Request } from "./request";
import { makeResponse, Response, readResponse } from "./response";
import { checkIoAllowed, currentSection } from "./scope";

const MAKER = Symbol("cache");

/** The request that a key stands for. */
function requestOf(key: unknown): Request {
  return key instanceof Request ? key : new Request(key);
}

/** A cache is keyed by URL, without the fragment. */
function keyOf(request: Request): string {
  const hash = request.url.indexOf("#");
  return hash < 0 ? request.url : request.url.slice(0, hash);
}

function ignoresMethod(options: unknown): boolean {
  return isObject(options) && Boolean((options as { ignoreMethod?: unknown }).ignoreMethod);
}

function checkCacheable(request: Request, response: Response): void {
  if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
  if (response.status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
  if ((getHeader(headerListOf(response), "vary") ?? "").split(",").some((field) => field.trim() === "*"))
    throw new TypeError("Cannot cache response with 'Vary: *' header.");
}

/** What the standard has and the platform has not. */
function notImplemented(method: string, owner: string): Error {
  return new Error(`Failed to execute '${method}' on '${owner}': the method is not implemented.`);
}

export class Cache {
  /** Null for the default cache. */
  readonly #name: string | null;

  constructor(maker?: unknown, name?: string | null) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#name = name as string | null;
  }

  async match(key?: unknown, options?: unknown): Promise<Response | undefined> {
    if (!(#name in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("match", "Cache", 1, "Request or string");
    checkIoAllowed();
    const request = requestOf(key);
    if (request.method !== "GET" && !ignoresMethod(options)) return undefined;
    const found = native.op(OP.cache_match, [this.#name, keyOf(request), headerListOf(request)]) as
      | [number, string, string[], number, number, ArrayBuffer]
      | undefined;
    if (found === undefined) return undefined;
    const [status, reason, headers, kind, handle, body] = found;
    return makeResponse([status, reason, headers, kind, handle, ""], body);
  }

  async put(key?: unknown, response?: unknown): Promise<void> {
    if (!(#name in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("put", "Cache", 1, "Request or string");
    if (!(response instanceof Response)) throw wrongParameter("put", "Cache", 2, "Response");
    checkIoAllowed();
    const request = requestOf(key);
    checkCacheable(request, response);
    const url = keyOf(request);
    const { status, statusText, headers, kind, handle, raw } = readResponse(response);
    await startAsync((operation) => {
      native.op(
        OP.cache_put,
        [operation, currentSection(), this.#name, url, status, statusText, headers, kind, handle],
        raw,
      );
    }, () => undefined);
  }

  async delete(key?: unknown, options?: unknown): Promise<boolean> {
    if (!(#name in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("delete", "Cache", 1, "Request or string");
    checkIoAllowed();
    const request = requestOf(key);
    if (request.method !== "GET" && !ignoresMethod(options)) return false;
    return native.op(OP.cache_delete, [this.#name, keyOf(request)]) as boolean;
  }

  async add(): Promise<never> {
    throw notImplemented("add", "Cache");
  }

  async addAll(): Promise<never> {
    throw notImplemented("addAll", "Cache");
  }

  async keys(): Promise<never> {
    throw notImplemented("keys", "Cache");
  }

  async matchAll(): Promise<never> {
    throw notImplemented("matchAll", "Cache");
  }
}

export class CacheStorage {
  readonly #default = new Cache(MAKER, null);

  get default(): Cache {
    if (!(#default in this)) throw illegalInvocation();
    return this.#default;
  }

  async open(name?: unknown): Promise<Cache> {
    if (!(#default in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("open", "CacheStorage", 1, "string");
    return new Cache(MAKER, `${name}`);
  }

  async delete(): Promise<never> {
    throw notImplemented("delete", "CacheStorage");
  }

  async has(): Promise<never> {
    throw notImplemented("has", "CacheStorage");
  }

  async keys(): Promise<never> {
    throw notImplemented("keys", "CacheStorage");
  }

  async match(): Promise<never> {
    throw notImplemented("match", "CacheStorage");
  }
}
