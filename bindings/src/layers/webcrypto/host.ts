/** The work that the host does: `crypto` and its neighbours in `protocol.py`. */

import { OP } from "../../protocol";
import { platform } from "./platform";

type Bytes = Uint8Array<ArrayBuffer>;

/** A row of op `crypto`; what is absent is empty. */
export interface Work {
  readonly operation: "encrypt" | "decrypt" | "sign" | "verify" | "derive" | "generate" | "digest";
  readonly algorithm: string;
  readonly hash?: string;
  readonly number?: number;
  readonly length?: number;
  readonly key?: Bytes;
  readonly iv?: Bytes;
  readonly extra?: Bytes;
  readonly data?: Bytes;
}

const NONE = new Uint8Array();
/** The host digests more data than this in a thread. */
const AT_ONCE = 256 * 1024;

export function perform(work: Work): Promise<ArrayBuffer> {
  const { operation, algorithm, hash = "", number = 0, length = 0, key = NONE, iv = NONE, extra = NONE, data = NONE } = work;
  return platform.startOrFinish((id) =>
    platform.native.op(
      OP.crypto,
      [id, platform.currentSection(), operation, algorithm, hash, number, length, key, iv, extra],
      data,
    ),
  );
}

export async function digest(hash: string, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer> {
  if (data.byteLength <= AT_ONCE)
    return platform.native.op(OP.hash, [hash.toLowerCase().replace("-", ""), null], data) as ArrayBuffer;
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  return perform({ operation: "digest", algorithm: "", hash, data: bytes });
}

/** A key of a pair as the host reads it. */
export interface ReadKey {
  readonly isPrivate: boolean;
  readonly material: Bytes;
  readonly bits: number;
  readonly exponent: Bytes;
}

/** @throws DOMException DataError. */
export function readKey(family: string, format: string, curve: string, parts: readonly Bytes[]): ReadKey {
  const [isPrivate, material, , bits, exponent] = platform.native.op(OP.key_import, [family, format, curve, parts]) as [
    boolean,
    ArrayBuffer,
    string,
    number,
    ArrayBuffer,
  ];
  return { isPrivate, material: new Uint8Array(material), bits, exponent: new Uint8Array(exponent) };
}

export function rawKey(material: Bytes): ArrayBuffer {
  return platform.native.op(OP.key_export, ["raw"], material) as ArrayBuffer;
}

/** The numbers of a JWK. */
export function jwkNumbers(material: Bytes, isPrivate: boolean): Bytes[] {
  const form = isPrivate ? "jwk-private" : "jwk-public";
  const numbers = platform.native.op(OP.key_export, [form], material) as ArrayBuffer[];
  return numbers.map((number) => new Uint8Array(number));
}
