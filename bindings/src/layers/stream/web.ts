/** Between Node's streams and those of the web. */

// biome-ignore lint/suspicious/noExplicitAny: the package has no types
type Any = any;

export const fromWeb = {
  duplex: ({ Duplex, Readable, Writable }: Any) => ({
    fromWeb: ({ readable, writable }: { readable: ReadableStream; writable: WritableStream }, options: object = {}): unknown =>
      Duplex.from({ readable: Readable.fromWeb(readable, options), writable: Writable.fromWeb(writable, options) }),
  }),
  readable: ({ Readable }: Any) => ({
    fromWeb(source: ReadableStream, options: object = {}): unknown {
      const reader = source.getReader();
      return new Readable({
        objectMode: false,
        ...options,
        read(this: Any) {
          reader.read().then(
            ({ value, done }) => this.push(done ? null : value),
            (error: unknown) => this.destroy(error),
          );
        },
        destroy(error: unknown, done: (error: unknown) => void) {
          reader.cancel(error).then(
            () => done(error),
            () => done(error),
          );
        },
      });
    },
  }),
  writable: ({ Writable }: Any) => ({
    fromWeb(target: WritableStream, options: object = {}): unknown {
      const writer = target.getWriter();
      const settle = (promise: Promise<void>, done: (error?: unknown) => void): void =>
        void promise.then(() => done(), done);
      return new Writable({
        ...options,
        write: (chunk: unknown, _encoding: string, done: () => void) => settle(writer.write(chunk), done),
        final: (done: () => void) => settle(writer.close(), done),
        destroy(error: unknown, done: (error: unknown) => void) {
          if (error) writer.abort(error).then(() => done(error), done);
          else done(null);
        },
      });
    },
  }),
};

export const toWeb = {
  duplex: ({ Readable, Writable }: Any) => ({
    toWeb: (source: Any): { readable: ReadableStream; writable: WritableStream } => ({
      readable: Readable.toWeb(source),
      writable: Writable.toWeb(source),
    }),
  }),
  readable: () => ({
    toWeb(source: Any): ReadableStream {
      const chunks = source[Symbol.asyncIterator]() as AsyncIterator<unknown>;
      return new ReadableStream({
        async pull(controller) {
          const { value, done } = await chunks.next();
          if (done) controller.close();
          else if (source.readableObjectMode || typeof value === "string") controller.enqueue(value);
          else controller.enqueue(new Uint8Array(value as Uint8Array));
        },
        cancel: (reason) => void source.destroy(reason),
      });
    },
  }),
  writable: () => ({
    toWeb(target: Any): WritableStream {
      const wait = (start: (done: (error?: unknown) => void) => void): Promise<void> =>
        new Promise((resolve, reject) => start((error) => (error ? reject(error as Error) : resolve())));
      return new WritableStream({
        start: (controller) => void target.on("error", (error: unknown) => controller.error(error)),
        write: (chunk) => wait((done) => target.write(chunk, done)),
        close: () => wait((done) => target.end(done)),
        abort: (reason) => void target.destroy(reason),
      });
    },
  }),
};
