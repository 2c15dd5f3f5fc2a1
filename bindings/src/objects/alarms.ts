/** The alarm methods that `ctx.storage` and a transaction share, and the object's alarm handler. */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import { describeError, exposeInterface } from "../web";
import { wrongParameter } from "../web/interface";
import { readOptions } from "./arguments";

/** Nanoseconds of times further from 1970 do not fit into 64 bits. */
const FURTHEST = 9223372036854;

const NO_HANDLER = "Your Durable Object class must have an alarm() handler in order to call setAlarm()";

const GET_OPTIONS = { allowConcurrency: Boolean };
const SET_OPTIONS = { allowConcurrency: Boolean, allowUnconfirmed: Boolean };

const { getTime } = Date.prototype;

/**
 * A Date or a number as a whole number of milliseconds.
 *
 * @param refusal Makes the error for what is neither.
 */
export function toMilliseconds(value: unknown, refusal: () => TypeError): number {
  let given: number;
  try {
    given = typeof value === "number" ? value : getTime.call(value as Date);
  } catch {
    throw refusal();
  }
  const time = Math.trunc(given);
  if (!Number.isFinite(time)) throw new TypeError("The value cannot be converted because it is not a valid Date.");
  if (time > FURTHEST) throw new TypeError("This API doesn't support dates after 2189.");
  if (time < -FURTHEST) throw new TypeError("This API doesn't support dates before 1687.");
  return time;
}

function isUnconfirmed(options: unknown, method: string, className: string, position: number): boolean {
  return readOptions(options, SET_OPTIONS, method, className, position, "SetAlarmOptions").allowUnconfirmed ?? false;
}

/** `getAlarm(options)`. */
export function get(className: string, options: unknown): number | null {
  readOptions(options, GET_OPTIONS, "getAlarm", className, 1, "GetAlarmOptions");
  return (native.op(OP.alarm_get, []) as number | undefined) ?? null;
}

/** `setAlarm(time, options)`. */
export function set(className: string, time: unknown, options: unknown): void {
  const due = toMilliseconds(time, () => wrongParameter("setAlarm", className, 1, "date"));
  const unconfirmed = isUnconfirmed(options, "setAlarm", className, 2);
  if (due <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
  const { instance } = isolate;
  // While the constructor runs nobody can tell yet.
  if (instance !== undefined && typeof instance.alarm !== "function") throw new TypeError(NO_HANDLER);
  native.op(OP.alarm_set, [due, unconfirmed]);
}

/** `deleteAlarm(options)`. */
export function remove(className: string, options: unknown): void {
  native.op(OP.alarm_delete, [isUnconfirmed(options, "deleteAlarm", className, 1)]);
}

/** What the handler is given. */
class AlarmInvocationInfo {
  readonly scheduledTime: number;
  readonly retryCount: number;
  readonly isRetry: boolean;

  constructor(scheduledTime: number, retryCount: number) {
    this.scheduledTime = scheduledTime;
    this.retryCount = retryCount;
    this.isRetry = retryCount > 0;
  }
}

exposeInterface("AlarmInvocationInfo", AlarmInvocationInfo);

/** Event `alarm`. */
export async function alarm(run: number): Promise<void> {
  const begun = native.op(OP.alarm_begin, [run]) as [number, number] | undefined;
  if (begun === undefined) return;
  try {
    const { instance } = isolate;
    const handler = instance?.alarm;
    if (typeof handler !== "function") {
      native.op(OP.alarm_missing, [run]);
      return;
    }
    await handler.call(instance, new AlarmInvocationInfo(...begun));
  } catch (error) {
    native.op(OP.alarm_failed, [run, describeError(error)]);
    return;
  }
  native.op(OP.alarm_done, [run]);
}
