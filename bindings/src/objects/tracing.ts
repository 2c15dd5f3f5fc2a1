/**
 * `tracing` of `cloudflare:workers`. Nobody records spans here: they run what they surround and know which of them is active, as on
 * workerd when nobody listens.
 */

import { native } from "../native";
import { exposeInterface } from "../web";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../web/interface";
import { currentSpan, runInContext, withSpan } from "../web/scope";

const [SPAN, TRACING] = ["Span", "Tracing"];
const MAKER = Symbol("tracing");
/** What the W3C's trace context calls invalid: that of no trace. */
const NO_TRACE = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };
const STATUS = ["unset", "ok", "error"];

/** @throws TypeError when a method is called on something else. */
function checkThis(value: unknown, own: abstract new (maker: symbol) => object): void {
  if (!(value instanceof own)) throw illegalInvocation();
}

/** @throws TypeError when the first argument is missing or cannot be made a text. */
function checkText(given: readonly unknown[], method: string, owner: string): void {
  if (given.length === 0) throw wrongParameter(method, owner, 1, "string");
  void `${given[0] as string}`;
}

/** @throws TypeError for what cannot be the value of an attribute. */
function checkAttribute(value: unknown): void {
  if (typeof value === "bigint") throw new TypeError("Cannot convert a BigInt value to a number");
  void `${value as string}`;
}

class Span {
  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  get isTraced(): boolean {
    checkThis(this, Span);
    return false;
  }

  spanContext(): object {
    checkThis(this, Span);
    return { ...NO_TRACE };
  }

  setAttribute(...given: unknown[]): this {
    checkThis(this, Span);
    checkText(given, "setAttribute", SPAN);
    checkAttribute(given[1]);
    return this;
  }

  setAttributes(...given: unknown[]): this {
    checkThis(this, Span);
    const [attributes] = given;
    if (!isObject(attributes) || Array.isArray(attributes)) throw wrongParameter("setAttributes", SPAN, 1, "object");
    for (const value of Object.values(attributes)) checkAttribute(value);
    return this;
  }

  recordException(...given: unknown[]): void {
    checkThis(this, Span);
    if (given.length === 0) throw wrongParameter("recordException", SPAN, 1, "Value");
  }

  updateName(...given: unknown[]): this {
    checkThis(this, Span);
    checkText(given, "updateName", SPAN);
    return this;
  }

  setStatus(...given: unknown[]): this {
    checkThis(this, Span);
    const [status] = given;
    if (!isObject(status)) throw wrongParameter("setStatus", SPAN, 1, "TracingSpanStatus");
    const { code } = status as { code?: unknown };
    if (!STATUS.includes(`${code as string}`)) throw new TypeError("Span status code must be 'unset', 'ok', or 'error'.");
    return this;
  }

  end(): void {
    checkThis(this, Span);
  }
}

class Tracing {
  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  /** Calls back with a span that is active meanwhile, and ends with what it gives. */
  enterSpan(...given: unknown[]): unknown {
    checkThis(this, Tracing);
    return runInSpan("enterSpan", given);
  }

  startActiveSpan(...given: unknown[]): unknown {
    checkThis(this, Tracing);
    return runInSpan("startActiveSpan", given);
  }

  startSpan(...given: unknown[]): Span {
    checkThis(this, Tracing);
    checkText(given, "startSpan", TRACING);
    return new Span(MAKER);
  }

  /** Outside of every span that was made here, one that stands for the event itself. */
  getActiveSpan(): object {
    checkThis(this, Tracing);
    return currentSpan() ?? outermost;
  }

  withActiveSpan(...given: unknown[]): unknown {
    checkThis(this, Tracing);
    const [span, callback, ...args] = given;
    if (!(span instanceof Span)) throw wrongParameter("withActiveSpan", TRACING, 1, SPAN);
    return activate("withActiveSpan", span, callback, args);
  }
}

/** Call back while a span is active. */
function activate(method: string, span: Span, callback: unknown, args: readonly unknown[]): unknown {
  if (typeof callback !== "function") throw wrongParameter(method, TRACING, 2, "Function");
  return runInContext(withSpan(native.getContext(), span), () => Reflect.apply(callback, globalThis, args));
}

function runInSpan(method: string, given: readonly unknown[]): unknown {
  checkText(given, method, TRACING);
  const [, callback, ...args] = given;
  const span = new Span(MAKER);
  return activate(method, span, callback, [span, ...args]);
}

exposeInterface(SPAN, Span);
exposeInterface(TRACING, Tracing);
Object.defineProperty(Tracing.prototype, "Span", { value: Span, writable: true, enumerable: true, configurable: true });

const outermost = new Span(MAKER);

export const tracing = new Tracing(MAKER);
