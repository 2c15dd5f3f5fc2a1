/** Puts the web platform into the global scope. */

import { native } from "../native";
import { AbortController, AbortSignal } from "./abort";
import { Blob, File } from "./blob";
import { Body } from "./body";
import { Cache, CacheStorage } from "./cache";
import { console } from "./console";
import { Crypto, crypto } from "./crypto";
import { DOMException } from "./dom_exception";
import { TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream } from "./encoding";
import { EventSource } from "./event_source";
import { CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent, PromiseRejectionEvent } from "./events";
import { fetch } from "./fetch";
import { repairFinalizationRegistry } from "./finalization";
import { FormData } from "./form_data";
import { Headers } from "./headers";
import { exposeInterface, type Interface, illegalConstructor, isObject, wrongField, wrongParameter } from "./interface";
import { installLayered } from "./layered";
import { installLocale } from "./locale";
import { performance, performanceClasses } from "./performance";
import { Request } from "./request";
import { Response } from "./response";
import { streamClasses } from "./streams";
import { clearTimer, startTimer, timerGlobals } from "./timers";
import { dispatchUncaught } from "./uncaught";
import { URL, URLSearchParams } from "./url";
import { WebSocket, WebSocketPair } from "./websocket";

const OWNER = "ServiceWorkerGlobalScope";

const NAVIGATOR = Symbol("navigator");

class Navigator {
  constructor(maker: symbol) {
    if (maker !== NAVIGATOR) throw illegalConstructor();
  }

  get userAgent(): string {
    return "Cloudflare-Workers";
  }
  get language(): string {
    return "en";
  }
  get languages(): string[] {
    return ["en"];
  }
  get platform(): string {
    return "";
  }
  get hardwareConcurrency(): number {
    return 1;
  }

  sendBeacon(url: unknown, body?: unknown): boolean {
    if (arguments.length === 0) throw wrongParameter("sendBeacon", "Navigator", 1, "string");
    // Whether it arrives nobody hears.
    fetch(url, { method: "POST", body }).then(
      (response) => void response.body?.cancel(),
      () => {},
    );
    return true;
  }
}

/** What the global scope is an instance of. */
class WorkerGlobalScope {
  constructor() {
    throw illegalConstructor();
  }
}
class ServiceWorkerGlobalScope extends WorkerGlobalScope {}

class Scheduler {
  async wait(delay: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const timer = startTimer(resolve, Number(delay), false);
      signal?.addEventListener("abort", () => {
        clearTimer(timer);
        reject(signal.reason as Error);
      });
    });
  }
}

const classes: Readonly<Record<string, Interface>> = {
  AbortController,
  AbortSignal,
  Blob,
  Body,
  Cache,
  CacheStorage,
  CloseEvent,
  Crypto,
  CustomEvent,
  DOMException,
  ErrorEvent,
  Event,
  EventSource,
  EventTarget,
  File,
  FormData,
  Headers,
  MessageEvent,
  PromiseRejectionEvent,
  Navigator,
  ...performanceClasses,
  Request,
  Response,
  Scheduler,
  ServiceWorkerGlobalScope,
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  TextEncoderStream,
  URL,
  URLSearchParams,
  WebSocket,
  WebSocketPair,
  WorkerGlobalScope,
};

const functions = {
  ...timerGlobals,
  atob(text: unknown): string {
    const decoded = native.base64Decode(`${text as string}`);
    if (decoded === null)
      throw new DOMException(
        "atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to " +
          "two terminal '=' signs when the input data length is divisible by 4 are allowed.)",
        "InvalidCharacterError",
      );
    return decoded;
  },
  btoa(text?: unknown): string {
    if (arguments.length === 0) throw wrongParameter("btoa", OWNER, 1, "String");
    const encoded = native.base64Encode(`${text as string}`);
    if (encoded === null)
      throw new DOMException(
        "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.",
        "InvalidCharacterError",
      );
    return encoded;
  },
  fetch,
  queueMicrotask(callback: unknown): void {
    if (typeof callback !== "function") throw wrongParameter("queueMicrotask", OWNER, 1, "function");
    void resolved.then(() => {
      try {
        Reflect.apply(callback, undefined, []);
      } catch (error) {
        dispatchUncaught(error);
      }
    });
  },
  reportError(error?: unknown): void {
    if (arguments.length === 0) throw wrongParameter("reportError", OWNER, 1, "Value");
    dispatchUncaught(error);
  },
  structuredClone(value: unknown, options?: { transfer?: ArrayBuffer[] }): unknown {
    if (arguments.length === 0) throw wrongParameter("structuredClone", OWNER, 1, "Value");
    if (options?.transfer === undefined) return native.structuredClone(value);
    if (!isObject(options.transfer)) throw wrongField("transfer", "StructuredCloneOptions", "Array");
    const transfer = [...options.transfer];
    if (!transfer.every((item) => (item as unknown) instanceof ArrayBuffer))
      throw new TypeError("Only an ArrayBuffer can be transferred.");
    return native.structuredClone(value, transfer);
  },
};

const resolved = Promise.resolve();

function define(name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
}

/** Called once, before any user code. */
export function install(): void {
  repairFinalizationRegistry();
  for (const [name, constructor] of Object.entries({ ...classes, ...(streamClasses as unknown as Record<string, Interface>) })) {
    exposeInterface(name, constructor);
    define(name, constructor, false);
  }
  for (const [name, value] of Object.entries(functions)) define(name, value, true);
  installLayered();
  define("caches", new CacheStorage(), true);
  define("console", console, false);
  define("crypto", crypto, true);
  define("navigator", new Navigator(NAVIGATOR), true);
  define("performance", performance, true);
  define("scheduler", new Scheduler(), true);
  define("self", globalThis, true);
  define("origin", "null", true);
  Object.setPrototypeOf(globalThis, ServiceWorkerGlobalScope.prototype);
  Object.defineProperty(globalThis, Symbol.toStringTag, { value: OWNER, configurable: true });
  installLocale();
}
