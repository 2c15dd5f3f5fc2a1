/** `FormData`. */

import { Blob, File } from "./blob";
import { illegalInvocation, wrongParameter } from "./interface";
import { exposeIterators, type PairIterator } from "./iterators";

export type FormValue = string | File;
type FormEntry = [name: string, value: FormValue];

/** The entries behind a form; changes show in both. */
export let entriesOf: (form: FormData) => FormEntry[];

function toValue(name: string, value: unknown, filename: unknown): FormValue {
  if (!(value instanceof Blob)) return wellFormed(value);
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename === undefined ? name : `${filename}`, { type: value.type });
}

/** Text that can be sent: its lone surrogates are replaced. */
function wellFormed(value: unknown): string {
  return `${value}`.toWellFormed();
}

export class FormData {
  #entries: FormEntry[] = [];

  static {
    entriesOf = (form) => {
      if (!(#entries in form)) throw illegalInvocation();
      return form.#entries;
    };
  }

  append(name: unknown, value: unknown, filename?: unknown): void {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("append", "FormData", 1, "string");
    if (arguments.length < 2) throw wrongParameter("append", "FormData", 2, "File or Blob or string");
    const key = wellFormed(name);
    this.#entries.push([key, toValue(key, value, filename)]);
  }

  delete(name: unknown): void {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("delete", "FormData", 1, "string");
    this.#entries = this.#entries.filter((entry) => entry[0] !== `${name}`);
  }

  get(name: unknown): FormValue | null {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("get", "FormData", 1, "string");
    return this.#entries.find((entry) => entry[0] === `${name}`)?.[1] ?? null;
  }

  getAll(name: unknown): FormValue[] {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("getAll", "FormData", 1, "string");
    return this.#entries.filter((entry) => entry[0] === `${name}`).map((entry) => entry[1]);
  }

  has(name: unknown): boolean {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("has", "FormData", 1, "string");
    return this.#entries.some((entry) => entry[0] === `${name}`);
  }

  set(name: unknown, value: unknown, filename?: unknown): void {
    if (!(#entries in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("set", "FormData", 1, "string");
    if (arguments.length < 2) throw wrongParameter("set", "FormData", 2, "File or Blob or string");
    const key = wellFormed(name);
    const entry: FormEntry = [key, toValue(key, value, filename)];
    const first = this.#entries.findIndex((other) => other[0] === key);
    if (first < 0) this.#entries.push(entry);
    else
      this.#entries = this.#entries
        .map((other, index) => (index === first ? entry : other))
        .filter((other) => other === entry || other[0] !== key);
  }

  forEach(callback: unknown, self?: unknown): void {
    if (!(#entries in this)) throw illegalInvocation();
    if (typeof callback !== "function") throw wrongParameter("forEach", "FormData", 1, "function");
    for (let at = 0; at < this.#entries.length; at++) {
      const [name, value] = this.#entries[at] as FormEntry;
      callback.call(self, value, name, this);
    }
  }

  declare entries: () => PairIterator<FormEntry>;
  declare keys: () => PairIterator<string>;
  declare values: () => PairIterator<FormValue>;
  declare [Symbol.iterator]: () => PairIterator<FormEntry>;
}

exposeIterators<FormValue>(FormData, (form) => {
  entriesOf(form as FormData);
  return () => entriesOf(form as FormData);
});
