/**
 * `FinalizationRegistry` as it ought to be: an unregister token does not keep anything alive.
 *
 * The engine's registry holds its tokens strongly, so an object registered with itself as token would never be collected. It is given
 * stand-ins instead, which live as long as the tokens that they stand for.
 */

const { register, unregister } = FinalizationRegistry.prototype;

const standIns = new WeakMap<WeakKey, object>();

function standInFor(token: WeakKey): object {
  let standIn = standIns.get(token);
  if (standIn === undefined) {
    standIn = {};
    standIns.set(token, standIn);
  }
  return standIn;
}

/** Whether the engine takes the value as a token; what it does not, it refuses itself. */
function isToken(value: unknown): value is WeakKey {
  return (typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol";
}

const methods = {
  register(this: FinalizationRegistry<unknown>, target: WeakKey, held: unknown, token?: WeakKey): void {
    Reflect.apply(register, this, [target, held, isToken(token) ? standInFor(token) : token]);
  },
  unregister(this: FinalizationRegistry<unknown>, token: WeakKey): boolean {
    const known = isToken(token) ? (standIns.get(token) ?? {}) : token;
    return Reflect.apply(unregister, this, [known]);
  },
};

/** Called once, before any user code. */
export function repairFinalizationRegistry(): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(value, "length", { value: name === "register" ? 2 : 1, configurable: true });
    Object.defineProperty(FinalizationRegistry.prototype, name, { value, writable: true, configurable: true });
  }
}
