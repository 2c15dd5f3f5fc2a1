/**
 * Hashes and HMACs, computed by the host. Short data is kept until the end and goes in one message; long data goes to the host
 * bit by bit.
 */

import type { Platform } from "../../layers";
import { checkString, invalidArgType, nodeError } from "../node_errors";
import { bytesOf, encoded } from "./bytes";

declare const require: (name: string) => { Transform: new (options?: object) => Transform };

interface Transform {
  push(chunk: unknown): boolean;
}

const { Transform } = require("node:stream");

/** Bytes that are kept here before the host begins. */
const KEPT = 262_144;
/** Bytes of one message: what the host does at once should be short. */
const PART = 1_048_576;

/** Bytes of what each gives. */
const BYTES_OF: Readonly<Record<string, number>> = { md5: 16, sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 };
const ALGORITHMS: readonly string[] = Object.keys(BYTES_OF);

/** The host's name of an algorithm. */
function algorithmOf(name: string): string {
  const plain = name.toLowerCase().replace(/^rsa-/, "").replace(/^sha-/, "sha");
  if (!ALGORITHMS.includes(plain)) throw new Error("Digest method not supported");
  return plain;
}

type Host = Pick<Platform, "native" | "ops" | "atGlobalScope">;
type Done = (error?: unknown) => void;

/** A hash that grows. */
class State {
  readonly #host: Host;
  readonly #algorithm: string;
  readonly #key: Uint8Array | null;
  readonly #forgotten: FinalizationRegistry<number>;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #handle = 0;

  constructor(host: Host, algorithm: string, key: Uint8Array | null, forgotten: FinalizationRegistry<number>) {
    this.#host = host;
    this.#algorithm = algorithm;
    this.#key = key;
    this.#forgotten = forgotten;
  }

  update(bytes: Uint8Array): void {
    if (this.#handle === 0 && (this.#keptBytes + bytes.length <= KEPT || this.#host.atGlobalScope())) {
      this.#kept.push(bytes.slice());
      this.#keptBytes += bytes.length;
      return;
    }
    if (this.#handle === 0) {
      this.#hold(this.#host.native.op(this.#host.ops.hash_open, [this.#algorithm, this.#key]) as number);
      for (const kept of this.#kept.splice(0)) this.#send(kept);
    }
    this.#send(bytes);
  }

  digest(): ArrayBuffer {
    if (this.#handle === 0) return this.#host.native.op(this.#host.ops.hash, [this.#algorithm, this.#key], this.#whole()) as ArrayBuffer;
    this.#forgotten.unregister(this);
    return this.#host.native.op(this.#host.ops.hash_digest, [this.#handle]) as ArrayBuffer;
  }

  copy(): State {
    const copy = new State(this.#host, this.#algorithm, this.#key, this.#forgotten);
    copy.#kept = [...this.#kept];
    copy.#keptBytes = this.#keptBytes;
    if (this.#handle !== 0) copy.#hold(this.#host.native.op(this.#host.ops.hash_copy, [this.#handle]) as number);
    return copy;
  }

  #hold(handle: number): void {
    this.#handle = handle;
    this.#forgotten.register(this, handle, this);
  }

  #send(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PART)
      this.#host.native.op(this.#host.ops.hash_update, [this.#handle], bytes.subarray(at, at + PART));
  }

  #whole(): Uint8Array {
    if (this.#kept.length === 1) return this.#kept[0] as Uint8Array;
    const whole = new Uint8Array(this.#keptBytes);
    let at = 0;
    for (const part of this.#kept) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function finalized(): Error {
  return nodeError(Error, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
}

/** What hashes and HMACs have in common; also streams, whose only chunk is the digest. */
abstract class Digester extends Transform {
  protected state: State | undefined;

  constructor(state: State, options?: object) {
    super(options);
    Object.defineProperty(this, "state", { value: state, writable: true });
  }

  update(data: unknown, encoding?: string): this {
    if (this.state === undefined) throw finalized();
    this.state.update(bytesOf(data, "data", encoding));
    return this;
  }

  protected finish(encoding: unknown): unknown {
    const { state } = this;
    if (state === undefined) throw finalized();
    this.state = undefined;
    return encoded(state.digest(), encoding);
  }

  _transform(chunk: unknown, encoding: string, done: Done): void {
    this.update(chunk, encoding);
    done();
  }

  _flush(done: Done): void {
    this.push(this.finish(undefined));
    done();
  }
}

export interface HashFunctions {
  readonly [name: string]: unknown;
  createHash(algorithm: unknown): { update(data: unknown): { digest(): unknown } };
  createHmac(algorithm: unknown, key: unknown): { update(data: unknown): { digest(): unknown } };
}

export function hashFunctions(host: Host): HashFunctions {
  const forgotten = new FinalizationRegistry<number>((handle) => host.native.op(host.ops.hash_drop, [handle]));

  class Hash extends Digester {
    constructor(algorithm: unknown, options?: object, state?: State) {
      if (state === undefined) checkString(algorithm, "algorithm");
      const plain = state === undefined ? algorithmOf(algorithm as string) : undefined;
      const { outputLength } = (options ?? {}) as { outputLength?: unknown };
      if (plain !== undefined && outputLength !== undefined && outputLength !== BYTES_OF[plain]) throw new Error("invalid digest size");
      super(state ?? new State(host, plain as string, null, forgotten), options);
    }

    digest(encoding?: unknown): unknown {
      return this.finish(encoding);
    }

    copy(options?: object): Hash {
      if (this.state === undefined) throw finalized();
      return new Hash(undefined, options, this.state.copy());
    }
  }

  class Hmac extends Digester {
    constructor(algorithm: unknown, key: unknown, options?: { encoding?: string }) {
      checkString(algorithm, "hmac");
      let plain: string;
      try {
        plain = algorithmOf(algorithm);
      } catch {
        throw nodeError(Error, "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${algorithm}`);
      }
      super(new State(host, plain, bytesOf(key, "key", options?.encoding).slice(), forgotten), options);
    }

    /** Unlike a hash, an HMAC that is over gives nothing once more. */
    digest(encoding?: unknown): unknown {
      return this.state === undefined ? encoded(new ArrayBuffer(0), encoding) : this.finish(encoding);
    }
  }

  return {
    Hash,
    Hmac,
    createHash: (algorithm: unknown, options?: object) => new Hash(algorithm, options),
    createHmac: (algorithm: unknown, key: unknown, options?: { encoding?: string }) => new Hmac(algorithm, key, options),
    getHashes: () => [...ALGORITHMS, ...ALGORITHMS.map((name) => `RSA-${name.toUpperCase()}`)],
    hash(algorithm: unknown, data: unknown, encoding: unknown = "hex"): unknown {
      checkString(algorithm, "algorithm");
      checkString(encoding, "outputEncoding");
      return new Hash(algorithm).update(data).digest(encoding);
    },
    timingSafeEqual(a: unknown, b: unknown): boolean {
      for (const [name, value] of [["buf1", a], ["buf2", b]] as const)
        if (!ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer))
          throw invalidArgType(name, "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", value);
      const left = bytesOf(a, "buf1");
      const right = bytesOf(b, "buf2");
      if (left.length !== right.length)
        throw nodeError(
          RangeError,
          "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH",
          "Input buffers must have the same byte length",
        );
      let different = 0;
      for (let at = 0; at < left.length; at++) different |= (left[at] as number) ^ (right[at] as number);
      return different === 0;
    },
  };
}
