/** What values in messages may be besides data: stubs of every kind, and streams that are written from afar. */

import { setStubAccess } from "../rpc/lending";
import { disposeOf, handleOf, stubOfHandle } from "../rpc/stubs";
import { WritableStream } from "../web/streams";
import { LENT } from "../rpc/lending";
import { DOMException } from "../web";
import { DurableObjectClass, describeClass, makeClass } from "./namespace";
import { lentStub, makeLentStub, refuseFacet } from "./stub";

interface Sink {
  write(chunk: unknown): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): Promise<void>;
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
        await stub.write(chunk);
      },
      close: async () => {
        await stub.close();
        disposeOf(stub);
      },
      abort: async (reason) => {
        await stub.abort(reason);
        disposeOf(stub);
      },
    });
  },
});
