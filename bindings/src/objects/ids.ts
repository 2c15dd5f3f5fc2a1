/** `DurableObjectId`: 64 hexadecimal digits that the host made or checked, and the name they came from. */

import { exposeInterface } from "../web";
import { illegalConstructor, wrongParameter } from "../web/interface";

/** Only this module makes ids. */
const MAKER = Symbol("id");

/** The digits of an id; throws `TypeError` when the value is no id. */
export let hexOf: (id: DurableObjectId) => string;

/** Whether a value is an id, of whatever namespace. */
export let isId: (value: unknown) => value is DurableObjectId;

/** The name that an id was derived from, as the runtime remembers it. */
export let nameOf: (id: DurableObjectId) => string | undefined;

export class DurableObjectId {
  readonly #hex: string;
  readonly #name: string | undefined;
  declare readonly jurisdiction: undefined;
  declare readonly name: string | undefined;

  static {
    hexOf = (id) => id.#hex;
    nameOf = (id) => id.#name;
    isId = (value): value is DurableObjectId => typeof value === "object" && value !== null && #hex in value;
  }

  constructor(maker: symbol, hex: string, name: string | undefined) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#hex = hex;
    this.#name = name;
    Object.defineProperty(this, "jurisdiction", { value: undefined, enumerable: true, configurable: true });
    Object.defineProperty(this, "name", { value: name, enumerable: true, configurable: true });
  }

  toString(): string {
    return this.#hex;
  }

  equals(other: DurableObjectId): boolean {
    if (!isId(other)) throw wrongParameter("equals", "DurableObjectId", 1, "DurableObjectId");
    return this.#hex === other.#hex;
  }
}

exposeInterface("DurableObjectId", DurableObjectId);

/** An id from what the host answered. */
export function makeId(hex: string, name: string | undefined): DurableObjectId {
  return new DurableObjectId(MAKER, hex, name);
}
