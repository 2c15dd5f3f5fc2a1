/**
 * Event `eval`: code given as text, for `Sandbox`.
 *
 * Its arguments become global variables, which stay for later evaluations as the code's own top-level declarations
 * do. The result is awaited, then converted to plain data; see `plain.ts`.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "../web";
import { plain } from "./plain";

export async function evaluate(
  name: string,
  values: Record<string, unknown>,
  isModule: boolean,
  specifier: string,
  body: ArrayBuffer | undefined,
): Promise<void> {
  try {
    for (const variable of Object.keys(values))
      Object.defineProperty(globalThis, variable, {
        value: values[variable],
        writable: true,
        enumerable: true,
        configurable: true,
      });
    const source = body === undefined ? "" : native.utf8Decode(body, false, false);
    const result = isModule ? await runModule(source, specifier) : await runScript(source, name);
    native.op(OP.evaluated, [], native.msgpack(plain(result)));
  } catch (error) {
    native.op(OP.eval_failed, [describeError(error)]);
  }
}

/** A module's result is all that it exports. */
async function runModule(source: string, specifier: string): Promise<unknown> {
  return { ...(await native.evalModule(source, specifier)) };
}

/** A script's result is its completion value. */
async function runScript(source: string, name: string): Promise<unknown> {
  const completion = (await native.evalScript(source, name, true)) as { value: unknown };
  return completion.value;
}
