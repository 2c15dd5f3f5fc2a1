/** The platform's words for what is called wrongly. It stands alone, so that a layer that needs it needs nothing else. */

const ILLEGAL_INVOCATION =
  "Illegal invocation: function called with incorrect `this` reference. " +
  "See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.";

/** A method or getter was called on something else than an instance of its class. */
export function illegalInvocation(): TypeError {
  return new TypeError(ILLEGAL_INVOCATION);
}

/** `new` on a class of which only the runtime makes instances. */
export function illegalConstructor(): TypeError {
  return new TypeError("Illegal constructor");
}

/** What a method throws when a parameter (counted from 1) has the wrong type or is missing. */
export function wrongParameter(method: string, owner: string, position: number, type: string): TypeError {
  return new TypeError(`Failed to execute '${method}' on '${owner}': parameter ${position} is not of type '${type}'.`);
}

/** The same for a constructor. */
export function wrongConstructorParameter(owner: string, position: number, type: string): TypeError {
  return new TypeError(
    `Failed to construct '${owner}': constructor parameter ${position} is not of type '${type}'.`,
  );
}

/** The same for a member of an options object. */
export function wrongField(field: string, dictionary: string, type: string): TypeError {
  return new TypeError(
    `Incorrect type for the '${field}' field on '${dictionary}': the provided value is not of type '${type}'.`,
  );
}

/** Whether a value can carry properties. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
