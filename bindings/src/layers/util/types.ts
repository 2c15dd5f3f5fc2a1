/** `node:util/types`: what kind of object a value is, by what the language lets only that kind do. */

import type { Platform } from "../../layers";

type Check = (value: unknown) => boolean;

/** Whether a method or getter that only one kind of object has works on the value. */
function works(method: ((this: never, ...args: never[]) => unknown) | undefined, ...args: unknown[]): Check {
  return (value) => {
    if (method === undefined || (typeof value !== "object" && typeof value !== "function") || value === null) return false;
    try {
      Reflect.apply(method, value, args);
      return true;
    } catch {
      return false;
    }
  };
}

function getter(prototype: object, name: PropertyKey): (() => unknown) | undefined {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get;
}

function tag(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

const tagOf = getter(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag) as () => string | undefined;

function typedArray(name?: string): Check {
  return (value) => {
    if (!ArrayBuffer.isView(value)) return false;
    const found = Reflect.apply(tagOf, value, []) as string | undefined;
    return name === undefined ? found !== undefined : found === name;
  };
}

function functionOfKind(kind: string, prefix: RegExp): Check {
  return (value) => typeof value === "function" && (tag(value) === kind || prefix.test(Function.prototype.toString.call(value)));
}

/** Symbols that no one else has: looking for them changes nothing. */
const PROBE = {};

export function types({ native, proxyParts }: Platform): Record<string, Check> {
  const isArrayBuffer = works(getter(ArrayBuffer.prototype, "byteLength"));
  const isSharedArrayBuffer = works(
    typeof SharedArrayBuffer === "undefined" ? undefined : getter(SharedArrayBuffer.prototype, "byteLength"),
  );
  const boxes: Record<string, Check> = {
    isBigIntObject: works(BigInt.prototype.valueOf),
    isBooleanObject: works(Boolean.prototype.valueOf),
    isNumberObject: works(Number.prototype.valueOf),
    isStringObject: works(String.prototype.valueOf),
    isSymbolObject: works(Symbol.prototype.valueOf),
  };
  const checks: Record<string, Check> = {
    ...boxes,
    isAnyArrayBuffer: (value) => isArrayBuffer(value) || isSharedArrayBuffer(value),
    isArgumentsObject: (value) =>
      typeof value === "object" && value !== null && !Object.hasOwn(value, Symbol.toStringTag) && tag(value) === "Arguments",
    isArrayBuffer,
    isArrayBufferView: ArrayBuffer.isView,
    isAsyncFunction: functionOfKind("AsyncFunction", /^async\b/),
    isBigInt64Array: typedArray("BigInt64Array"),
    isBigUint64Array: typedArray("BigUint64Array"),
    isBoxedPrimitive: (value) => Object.values(boxes).some((check) => check(value)),
    isCryptoKey: (value) => typeof CryptoKey !== "undefined" && value instanceof CryptoKey,
    isDataView: works(getter(DataView.prototype, "byteLength")),
    isDate: works(Date.prototype.getTime),
    isExternal: () => false,
    isFloat16Array: typedArray("Float16Array"),
    isFloat32Array: typedArray("Float32Array"),
    isFloat64Array: typedArray("Float64Array"),
    isGeneratorFunction: functionOfKind("GeneratorFunction", /^(async\s+)?function\s*\*/),
    isGeneratorObject: (value) => ["Generator", "AsyncGenerator"].includes(tag(value)),
    isInt16Array: typedArray("Int16Array"),
    isInt32Array: typedArray("Int32Array"),
    isInt8Array: typedArray("Int8Array"),
    isKeyObject: () => false,
    isMap: works(Map.prototype.has, PROBE),
    isMapIterator: (value) => tag(value) === "Map Iterator",
    isModuleNamespaceObject: (value) => tag(value) === "Module" && Object.getPrototypeOf(value as object) === null,
    isNativeError: (value) => (Error as unknown as { isError: Check }).isError(value),
    isPromise(value) {
      try {
        native.promiseState(value as Promise<unknown>);
        return true;
      } catch {
        return false;
      }
    },
    isProxy: (value) => proxyParts(value) !== undefined,
    isRegExp: works(getter(RegExp.prototype, "source")),
    isSet: works(Set.prototype.has, PROBE),
    isSetIterator: (value) => tag(value) === "Set Iterator",
    isSharedArrayBuffer,
    isTypedArray: typedArray(),
    isUint16Array: typedArray("Uint16Array"),
    isUint32Array: typedArray("Uint32Array"),
    isUint8Array: typedArray("Uint8Array"),
    isUint8ClampedArray: typedArray("Uint8ClampedArray"),
    isWeakMap: works(WeakMap.prototype.has, PROBE),
    isWeakSet: works(WeakSet.prototype.has, PROBE),
  };
  const isRegExp = checks.isRegExp as Check;
  // The getter also answers for the prototype itself.
  checks.isRegExp = (value) => value !== RegExp.prototype && isRegExp(value);
  for (const name of Object.keys(checks)) Object.defineProperty(checks[name], "name", { value: name });
  return checks;
}
