/**
 * `SqlStorage`: what `ctx.storage.sql` is, and its cursors.
 *
 * A statement has run when `exec` returns, with the first rows in its answer; those of a larger result are fetched as they are read.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { exposeInterface } from "../web";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../web/interface";
import { iteratorClass } from "../web/iterators";
import { written } from "./kv";

const OWNER = "SqlStorage";
const MAKER = Symbol("sql");
/** The host takes no more; no statement has so many parameters. */
const MAX_BINDINGS = 101;

type Value = string | number | ArrayBuffer | null;
type Row = Record<string, Value>;
/** Bytes go as a list of one. */
type Binding = string | number | null | [ArrayBuffer | ArrayBufferView];

/** Queries of the host whose rows nobody can reach any more; the host may have ended them before. */
const collected = new FinalizationRegistry<number>((query) => {
  native.op(OP.sql_close, [query]);
});

/** Counts deletions of the whole database: a cursor does not outlive one. */
let deletions = 0;

/** `deleteAll` was called. */
export function deleted(): void {
  model.deletions = ++deletions;
}

const CANCELED = "SQLite query was canceled because the database was deleted.";
const TOO_LARGE =
  "SQL query result set is too large to fit in memory. Use a streaming iterator (e.g. `for (const row of cursor)` or " +
  "`cursor.raw()`) or add a LIMIT clause instead of calling toArray() on a very large result set.";

/** A row to read, or that there is none any more. */
type Step<T> = IteratorResult<T, undefined>;

/** What a statement has done. */
class Done {
  /** What the object's code has of `columns`: what a text has, that is run again, all its cursors share. */
  declare private given: string[] | undefined;

  /** Without a text, `changes` counts the entries written. */
  constructor(
    protected changes: number,
    private readonly text?: string,
    private readonly bindings = 0,
    readonly columns: string[] = [],
  ) {}

  get names(): string[] {
    return (this.given ??= this.columns.slice());
  }

  get written(): number {
    if (this.changes === 0 || this.text === undefined) return this.changes;
    return this.changes * (native.op(OP.sql_entries, [this.text, this.bindings]) as number);
  }

  /** Rows visited, or where SQLite does not tell, rows of the result; one ahead until the end. */
  get read(): number {
    return 0;
  }

  /** Whether a row is left, as far as can be told from here. */
  get more(): boolean {
    return false;
  }

  nextObject(): Step<Row> {
    return { done: true, value: undefined };
  }

  nextArray(): Step<Value[]> {
    return { done: true, value: undefined };
  }

  /** The only row there is, if that can be told at once. */
  only(): Row | undefined {
    return undefined;
  }

  /** All that are left. */
  collect(): Row[] {
    return [];
  }

  /** Read no more. */
  end(): void {}
}

/** The rows of a statement that has columns; a cursor over any other has none of this to make. */
class Rows extends Done {
  // The fields of each, in the order that `native.sqlExec` makes them in, after those of Done.
  private bytes: ArrayBuffer | undefined;
  /** How many rows are here. */
  private length = 0;
  /** The next one. */
  private at = 0;
  deletions = deletions;

  // What most have no other than this:
  /** The host's query, 0 when there are no rows but those here. */
  declare query: number;
  /** How many rows the host saw the statement visit; 0 until it has ended. */
  declare private visited: number;
  /** What failed in reading the row after the last one here. */
  declare private error: string | null;
  /** The rows that are here, in the forms that were asked for. */
  declare private objects: Row[] | undefined;
  declare private arrays: Value[][] | undefined;
  /** Rows that were here before these. */
  declare private before: number;

  static {
    Object.assign(Rows.prototype, { query: 0, visited: 0, error: null, before: 0 });
  }

  override get read(): number {
    if (this.query !== 0 && this.deletions !== deletions) throw new Error(CANCELED);
    const read = this.before + this.at;
    return this.more ? read + 1 : Math.max(read, this.visited);
  }

  override get more(): boolean {
    return this.query !== 0 || this.at < this.length;
  }

  override nextObject(): Step<Row> {
    // What most calls come to, and the rest says in general.
    const rows = this.objects;
    if (rows !== undefined && this.at < this.length - 1 && this.deletions === deletions)
      return { done: false, value: rows[this.at++] as Row };
    return this.hasRow() ? this.next(this.named()) : { done: true, value: undefined };
  }

  override nextArray(): Step<Value[]> {
    const rows = this.arrays;
    if (rows !== undefined && this.at < this.length - 1 && this.deletions === deletions)
      return { done: false, value: rows[this.at++] as Value[] };
    return this.hasRow() ? this.next((this.arrays ??= native.rows(this.bytes as ArrayBuffer, null))) : { done: true, value: undefined };
  }

  override only(): Row | undefined {
    if (this.length !== 1 || !this.whole) return undefined;
    const row = this.named()[0];
    this.at = 1;
    return row;
  }

  /** Whether these are all rows, none was read and nothing can go wrong with any. */
  private get whole(): boolean {
    return this.at === 0 && this.query === 0 && this.error === null && this.deletions === deletions;
  }

  override collect(): Row[] {
    if (this.length > 0 && this.whole) {
      const rows = this.named();
      this.at = this.length;
      return rows;
    }
    const all: Row[] = [];
    while (this.hasRow()) {
      const rows = this.named();
      // What is left after the last row but one may fail.
      while (this.at < this.length - 1) all.push(rows[this.at++] as Row);
      all.push(this.next(rows).value as Row);
    }
    return all;
  }

  override end(): void {
    this.at = this.length;
    this.error = null;
    if (this.query === 0) return;
    native.op(OP.sql_close, [this.query]);
    this.query = 0;
  }

  private named(): Row[] {
    return (this.objects ??= native.rows(this.bytes as ArrayBuffer, this.columns));
  }

  /** Take the next of these rows. */
  private next<T>(rows: readonly T[]): Step<T> {
    const value = rows[this.at++] as T;
    if (this.error !== null && this.at === this.length) {
      // The platform reads one row ahead.
      const error = new Error(this.error);
      this.end();
      throw error;
    }
    return { done: false, value };
  }

  /** Whether a row is left; it is here then. */
  private hasRow(): boolean {
    while (this.at >= this.length) {
      if (this.query === 0) return false;
      this.fetch();
    }
    if (this.deletions !== deletions) throw new Error(CANCELED);
    return true;
  }

  private fetch(): void {
    if (this.deletions !== deletions) throw new Error(CANCELED);
    const query = this.query;
    this.query = 0;
    this.before += this.length;
    this.at = this.length = 0;
    this.objects = this.arrays = undefined;
    const answer = native.op(OP.sql_rows, [query]);
    this.changes = answer[1];
    this.take(answer, 2);
    if (this.error !== null && this.length === 0) throw new Error(this.error);
  }

  /** Have these rows: an answer's items from the one that says how many were visited. */
  // biome-ignore lint/suspicious/noExplicitAny: as of the ops' rows in the table
  take(answer: any[], from: number): void {
    this.query = answer[0];
    this.visited = answer[from];
    this.error = answer[from + 1];
    this.length = answer[from + 2];
    this.bytes = answer[from + 3];
  }
}

/** As each has its fields when it is made. */
const model = new Rows(0);

const rowIterator = iteratorClass<"nextObject", Row>("RowIterator", "nextObject");
const rawIterator = iteratorClass<"nextArray", Value[]>("RawIterator", "nextArray");

class Cursor {
  /** Of a statement without rows the entries written, as long as nothing else is asked for. The only field: see `native.sqlExec`. */
  #of: number | Done;

  constructor(maker: symbol, of: number | Done) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#of = of;
  }

  static #done(cursor: Cursor): Done {
    return typeof cursor.#of === "number" ? (cursor.#of = new Done(cursor.#of)) : cursor.#of;
  }

  get columnNames(): string[] {
    return Cursor.#done(this).names;
  }

  get rowsRead(): number {
    return Cursor.#done(this).read;
  }

  get rowsWritten(): number {
    return typeof this.#of === "number" ? this.#of : this.#of.written;
  }

  next(): Step<Row> {
    return Cursor.#done(this).nextObject();
  }

  toArray(): Row[] {
    try {
      return Cursor.#done(this).collect();
    } catch (error) {
      throw isOutOfMemory(error) ? new Error(TOO_LARGE) : error;
    }
  }

  one(): Row {
    const done = Cursor.#done(this);
    const row = done.only();
    if (row !== undefined) return row;
    const step = done.nextObject();
    if (step.done) throw new Error("Expected exactly one result from SQL query, but got no results.");
    if (done.more) {
      done.end();
      throw new Error("Expected exactly one result from SQL query, but got multiple results.");
    }
    return step.value;
  }

  raw(): Iterator<Value[]> {
    return rawIterator(Cursor.#done(this));
  }

  [Symbol.iterator](): Iterator<Row> {
    return rowIterator(Cursor.#done(this));
  }
}

/** The engine throws `null` where there is no memory for an error either. */
function isOutOfMemory(error: unknown): boolean {
  return error === null || (error instanceof Error && error.message === "out of memory");
}

/** Only there for `instanceof`: prepared statements are not offered. */
class Statement {
  constructor() {
    throw illegalConstructor();
  }
}

export class SqlStorage {
  readonly #made = true;

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  static #is(value: unknown): boolean {
    return isObject(value) && #made in value;
  }

  exec(...given: unknown[]): Cursor {
    if (!SqlStorage.#is(this)) throw illegalInvocation();
    if (given.length === 0) throw wrongParameter("exec", OWNER, 1, "String");
    const text = typeof given[0] === "string" ? given[0] : `${given[0] as string}`;
    const end = Math.min(given.length, MAX_BINDINGS + 1);
    const bindings: Binding[] = [];
    for (let i = 1; i < end; i++) bindings.push(toBinding(given[i]));
    const answer = native.op(OP.sql_exec, [text, bindings]);
    written();
    if (typeof answer === "number") return new Cursor(MAKER, new Done(answer, text, bindings.length));
    if (answer.length > 3) {
      const rows = new Rows(answer[2], text, bindings.length, answer[1]);
      rows.take(answer, 3);
      if (answer[7] !== 0) native.sqlKeep(this, text, answer[7], rows.columns);
      // Iterators have the rows and not the cursor.
      if (rows.query !== 0) collected.register(rows, rows.query);
      return new Cursor(MAKER, rows);
    }
    const [changes, statement, entries] = answer;
    native.sqlKeep(this, text, statement, entries);
    return new Cursor(MAKER, changes * entries);
  }

  get databaseSize(): number {
    if (!SqlStorage.#is(this)) throw illegalInvocation();
    return native.op(OP.sql_size, []) as number;
  }
}

function toBinding(value: unknown): Binding {
  switch (typeof value) {
    case "string":
    case "number":
      return value;
    case "undefined":
      return null;
    case "symbol":
      throw new TypeError("Cannot convert a Symbol value to a string");
    case "bigint":
      throw new TypeError("Cannot convert a BigInt value to a number");
    case "object":
      if (value === null) return null;
      if (ArrayBuffer.isView(value) || isBuffer(value)) return [value];
      if (typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer) return [new Uint8Array(value)];
  }
  return `${value as string}`;
}

const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")?.get as () => number;

/** Whatever its prototype says. */
function isBuffer(value: object): value is ArrayBuffer {
  try {
    byteLength.call(value);
    return true;
  } catch {
    return false;
  }
}

exposeInterface("Cursor", Cursor);
exposeInterface("Statement", Statement);
exposeInterface(OWNER, SqlStorage);
for (const [name, value] of Object.entries({ Cursor, Statement }))
  Object.defineProperty(SqlStorage.prototype, name, { value, enumerable: true, configurable: true });

/** `native` has come. */
export function quicken(): void {
  const { prototype } = SqlStorage;
  const ops = [OP.sql_again, OP.sql_many, OP.sql_read];
  const exec = native.sqlExec(ops, new Cursor(MAKER, 0), model, prototype.exec);
  Object.defineProperty(prototype, "exec", { value: exec });
}

/** The SQL of the isolate's object. */
export function makeSql(): SqlStorage {
  return new SqlStorage(MAKER);
}
