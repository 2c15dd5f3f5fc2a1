/** What values in messages may be besides data: stubs of every kind, and streams that are written from afar. */

import { setStubAccess } from "../rpc/lending";
import { disposeOf, handleOf, stubOfHandle } from "../rpc/stubs";
import { chunkBytes, WritableStream } from "../web/streams";
import { LENT } from "../rpc/lending";
import { DOMException } from "../web";
import { DurableObjectClass, describeClass, makeClass } from "./namespace";
import { lentStub, makeLentStub, refuseFacet } from "./stub";

interface Sink {
  write(chunk: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Make a failure of the stream one of this side, as the platform has it. */
async function here<T>(stub: Sink, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    disposeOf(stub);
    if (error instanceof Error) for (const property of ["remote", "durableObjectId"]) Reflect.deleteProperty(error, property);
    throw error;
  }
}

setStubAccess({
  lendStub(value) {
    const handle = handleOf(value);
    if (handle !== undefined) return [false, LENT.handle, handle];
    const stub = lentStub(value);
    return stub === undefined ? undefined : [true, ...stub];
  },
  refuse(value) {
    refuseFacet(value);
    if (value instanceof DurableObjectClass)
      throw new DOMException("DurableObjectClass cannot be serialized in this context.", "DataCloneError");
  },
  describeClass,
  makeClass,
  makeStub: (handle, isService) => (isService ? makeLentStub(handle) : stubOfHandle(handle)),
  makeWritable(handle) {
    const stub = stubOfHandle(handle) as Sink;
    return new WritableStream({
      write: async (chunk) => {
        const bytes = chunk === undefined ? undefined : chunkBytes(chunk);
        if (bytes?.byteLength) await here(stub, () => stub.write(bytes.buffer));
      },
      close: async () => {
        await here(stub, () => stub.close());
        disposeOf(stub);
      },
      abort: () => {
        disposeOf(stub);
      },
    });
  },
});
