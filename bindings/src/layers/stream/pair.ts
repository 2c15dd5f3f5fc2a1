/** `duplexPair`: two ends of one connection. */

// biome-ignore lint/suspicious/noExplicitAny: the package has no types
type Any = any;

export function duplexPair({ Duplex }: Any): (options?: object) => [unknown, unknown] {
  class End extends (Duplex as new (options?: object) => Any) {
    other!: End;
    /** Goes on with what is written here, once the other end has room. */
    #ready: (() => void) | undefined;

    _read(): void {
      const ready = this.#ready;
      this.#ready = undefined;
      ready?.();
    }

    _write(chunk: { length: number }, _encoding: string, done: () => void): void {
      if (chunk.length === 0) queueMicrotask(done);
      else {
        this.other.push(chunk);
        this.other.#ready = done;
      }
    }

    _final(done: () => void): void {
      this.other.on("end", done);
      this.other.push(null);
    }
  }
  return (options) => {
    const [one, two] = [new End(options), new End(options)];
    one.other = two;
    two.other = one;
    return [one, two];
  };
}
