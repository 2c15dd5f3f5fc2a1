/**
 * `DurableObjectId`: 64 hexadecimal digits that the host made or checked, and the name they came from.
 *
 * The digits of a name's id are asked for when somebody wants to see them: the host finds the object by its name, too.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { exposeInterface } from "../web";
import { illegalConstructor, wrongParameter } from "../web/interface";

/** Only this module makes ids. */
const MAKER = Symbol("id");

/** The digits of an id; throws `TypeError` when the value is no id. */
export let hexOf: (id: DurableObjectId) => string;

/** The digits of an id, if they are known here. */
export let knownHexOf: (id: DurableObjectId) => string | undefined;

/** Whether a value is an id, of whatever namespace. */
export let isId: (value: unknown) => value is DurableObjectId;

/** The name that an id was derived from, as the runtime remembers it. */
export let nameOf: (id: DurableObjectId) => string | undefined;

export class DurableObjectId {
  #hex: string | undefined;
  /** Number of the namespace of an id whose digits are not known here. */
  readonly #namespace: number;
  readonly #name: string | undefined;
  declare readonly jurisdiction: undefined;
  declare readonly name: string | undefined;

  static {
    hexOf = (id) => (id.#hex ??= native.op(OP.id_from_name, [id.#namespace, id.#name?.toWellFormed()]) as string);
    knownHexOf = (id) => id.#hex;
    nameOf = (id) => id.#name;
    isId = (value): value is DurableObjectId => typeof value === "object" && value !== null && #hex in value;
  }

  constructor(maker: symbol, hex: string | undefined, name: string | undefined, namespace: number) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#hex = hex;
    this.#namespace = namespace;
    this.#name = name;
    Object.defineProperty(this, "jurisdiction", { value: undefined, enumerable: true, configurable: true });
    Object.defineProperty(this, "name", { value: name, enumerable: true, configurable: true });
  }

  toString(): string {
    return hexOf(this);
  }

  equals(other: DurableObjectId): boolean {
    if (!isId(other)) throw wrongParameter("equals", "DurableObjectId", 1, "DurableObjectId");
    return hexOf(this) === hexOf(other);
  }
}

exposeInterface("DurableObjectId", DurableObjectId);

/** An id from what the host answered. */
export function makeId(hex: string, name: string | undefined): DurableObjectId {
  return new DurableObjectId(MAKER, hex, name, 0);
}

/** The id of a name in the namespace with that number. */
export function makeNamedId(namespace: number, name: string): DurableObjectId {
  return new DurableObjectId(MAKER, undefined, name, namespace);
}
