/**
 * Stubs of objects and of a Worker's entrypoints, as their callers see them.
 *
 * A stub is an ordinary JavaScript object until its first use, which declares it to the host; the host keeps the
 * order of its calls and hears when the stub has been collected. Any property that is not really there reads as one of the
 * object behind it. That is done by a proxy at the end of the prototype chain, so `fetch`, `id` and `name` never meet it.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { LENT, type Message } from "../rpc/lending";
import { isIndex } from "../rpc/paths";
import { type Address, type Addressee, type Callee, callHost, knownAddress, makeProperty } from "../rpc/stubs";
import { checkIoAllowed, currentSection, DOMException, exposeInterface, isRequest, makeResponse, notePassedOn, Request, type Response, readRequest, startAsync } from "../web";
import { KIND } from "../web/content";
import { redirected } from "../web/fetch";
import { getHeader } from "../web/headers";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { currentInvocation, foreign, type Owned } from "../web/invocations";
import type { Reader } from "../web/operations";
import type { OutgoingRequest } from "../web/request";
import type { Received } from "../web/response";
import { URL } from "../web/url";
import { type DurableObjectId, hexOf, knownHexOf, nameOf } from "./ids";

const MAKER = Symbol("stub");
const STUB_FETCH = OP.stub_fetch;

/** Kinds of targets: `target` in `protocol.py`. */
const DECLARED = 0;

/** What of a URL goes over the wire: neither credentials nor fragment. */
function sentUrl(url: string): string {
  if (!url.includes("#") && !url.includes("@")) return url;
  const sent = new URL(url);
  sent.username = sent.password = sent.hash = "";
  return sent.href;
}

let last = 0;

/** Stubs that were collected, and of which the host has not heard: it is told with the next ones that are declared. */
let gone: number[] = [];
/** Few, for they count towards the limit of what there is at once. */
const MOST_GONE = 4;
const collected = new FinalizationRegistry<number>((stub) => {
  gone.push(stub);
  if (gone.length < MOST_GONE) return;
  native.op(OP.stub_close, [gone]);
  gone = [];
});
const collectedHandles = new FinalizationRegistry<Handle>((handle) => {
  handle.release();
});

/** What is behind a stub. */
abstract class Target implements Callee, Addressee {
  abstract readonly kind: number;

  /** Its number, by which the host knows it. */
  abstract open(): number;

  address(): Address {
    return knownAddress(this.kind, this.open());
  }

  accepted(_by: Address): void {}

  call(path: readonly string[], args: Message | undefined): Promise<unknown> {
    checkIoAllowed();
    return callHost(this, path, args);
  }
}

/** Declared to the host on first use. */
abstract class DeclaredTarget extends Target {
  readonly kind = DECLARED;
  #number = 0;

  protected abstract declare(number: number): void;

  open(): number {
    if (this.#number === 0) {
      const number = ++last;
      this.declare(number);
      this.declared(number);
    }
    return this.#number;
  }

  protected get isKnown(): boolean {
    return this.#number !== 0;
  }

  /** The host knows it by that number. */
  protected declared(number: number): void {
    this.#number = number;
    collected.register(this, number);
  }
}

class ObjectTarget extends DeclaredTarget {
  constructor(
    readonly namespace: number,
    readonly id: DurableObjectId,
  ) {
    super();
  }

  protected declare(number: number): void {
    native.op(OP.stub_open, [number, this.namespace, hexOf(this.id), nameOf(this.id)?.toWellFormed() ?? null, 0]);
  }

  override address(): Address {
    if (this.isKnown) return super.address();
    const name = nameOf(this.id)?.toWellFormed() ?? null;
    return [DECLARED, ++last, this.namespace, knownHexOf(this.id) ?? null, name, gone.length === 0 ? 0 : (gone[gone.length - 1] as number)];
  }

  override accepted(by: Address): void {
    if (by[2] === null) return;
    if (by[5] !== 0) gone.pop();
    this.declared(by[1]);
  }
}

class ServiceTarget extends DeclaredTarget {
  constructor(
    readonly entrypoint: string | null,
    readonly props: unknown,
  ) {
    super();
  }

  protected declare(number: number): void {
    native.op(OP.service_open, [number, this.entrypoint, native.serialize(this.props)]);
  }
}

class FacetTarget extends DeclaredTarget {
  constructor(readonly declareFacet: (number: number) => void) {
    super();
  }

  protected declare(number: number): void {
    this.declareFacet(number);
  }
}

/** What a stub holds that another isolate lent. */
class Handle implements Owned {
  readonly #invocation = currentInvocation();
  readonly #number: number;
  #isReleased = false;

  constructor(number: number) {
    this.#number = number;
    this.#invocation?.own(this);
  }

  /** @throws Error when the event that it belonged to is over. */
  number(): number {
    if (this.#isReleased) throw foreign();
    return this.#number;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#invocation?.disown(this);
    native.op(OP.release, [this.#number]);
  }

  invocationEnded(): void {
    this.release();
  }
}

/** A stub that another isolate lent. */
class LentTarget extends Target {
  readonly kind = LENT.handle;
  readonly #handle: Handle;

  constructor(handle: number) {
    super();
    this.#handle = new Handle(handle);
    collectedHandles.register(this, this.#handle);
  }

  open(): number {
    return this.#handle.number();
  }
}

/** What is behind a stub; undefined when the value is none. */
let targetOf: (value: object) => Target | undefined;

/** What a property reads as that neither the stub nor its classes have. */
const remote: ProxyHandler<object> = {
  get(target, property, receiver) {
    if (property in target) return Reflect.get(target, property, receiver);
    // A stub must not look like a promise, or it could not be returned from an async function.
    if (typeof property === "symbol" || property === "then" || isIndex(property)) return undefined;
    const behind = targetOf(receiver as object);
    return behind === undefined ? undefined : makeProperty(() => behind, [property]);
  },
  has: () => true,
};

export class Fetcher {
  readonly #target: Target;

  static {
    targetOf = (value) => (#target in value ? value.#target : undefined);
  }

  constructor(maker: symbol, target: Target) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#target = target;
  }

  fetch(input: unknown, init?: unknown): Promise<Response> {
    try {
      if (arguments.length === 0) throw wrongParameter("fetch", "Fetcher", 1, "Request or string");
      const request = isRequest(input) && init === undefined ? input : new Request(input, init);
      return this.#fetch(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #fetch(request: Request): Promise<Response> {
    if (!request.url.startsWith("http:") && !request.url.startsWith("https:"))
      return Promise.reject(new TypeError(`Fetch API cannot load: ${request.url}`));
    const outgoing = readRequest(request);
    if (outgoing.kind === KIND.raw || outgoing.kind === KIND.guest) addLength(outgoing);
    // What a client asked passes as it is, its answer too.
    const { redirect, method, signal } = outgoing;
    if (redirect !== "follow" && method !== "HEAD" && signal === undefined) return this.#ask(request, outgoing, makeResponse);
    return this.#ask(request, outgoing, this.#reader(request, outgoing, []));
  }

  /** Makes the response of what an object answered; a redirect is followed, to the same object. */
  #reader(request: Request, outgoing: OutgoingRequest, visited: string[]): Reader<Response> {
    const { method, redirect, headers, signal } = outgoing;
    const read = (received: Received, body: ArrayBuffer | undefined): Response => {
      if (received[0] === 101 && getHeader(headers, "upgrade")?.toLowerCase() !== "websocket") {
        makeResponse.discard(received);
        throw new TypeError(
          'Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket".',
        );
      }
      if (method === "HEAD") {
        makeResponse.discard(received);
        received[3] = KIND.none;
      }
      const response = makeResponse(received, body, visited.length > 0, signal);
      if (redirect !== "follow" || received[0] < 300 || received[0] > 399) return response;
      const hop = redirected({ ...outgoing, url: new URL(outgoing.url) }, response, visited);
      if (hop === undefined) return response;
      const next = { ...outgoing, ...hop, url: hop.url.href };
      // The promise that is settled with it takes a promise, too.
      return this.#ask(request, next, this.#reader(request, next, visited)) as unknown as Response;
    };
    read.discard = makeResponse.discard;
    return read;
  }

  #ask(request: Request, outgoing: OutgoingRequest, read: Reader<Response>): Promise<Response> {
    const { method, url: whole, headers, kind, handle, raw, signal } = outgoing;
    const url = sentUrl(whole);
    return startAsync(
      (operation) => {
        const target = this.#target;
        const at = target.address();
        native.op(
          STUB_FETCH,
          [operation, currentSection(), at, method, url, headers, kind, handle],
          raw,
        );
        target.accepted(at);
        notePassedOn(request, operation);
      },
      read,
      signal,
    );
  }
}
Object.setPrototypeOf(Fetcher.prototype, new Proxy({}, remote));

export class DurableObject extends Fetcher {
  declare readonly name: string | undefined;
  declare readonly id: DurableObjectId;

  constructor(maker: symbol, namespace: number, id: DurableObjectId) {
    super(maker, new ObjectTarget(namespace, id));
    Object.defineProperty(this, "name", { value: nameOf(id), enumerable: true, configurable: true });
    Object.defineProperty(this, "id", { value: id, enumerable: true, configurable: true });
  }
}

/** A stub that another isolate lent, or of an entrypoint. */
export class ServiceStub extends Fetcher {}

exposeInterface("Fetcher", Fetcher);
exposeInterface("ServiceStub", ServiceStub);
Object.defineProperty(ServiceStub.prototype, Symbol.toStringTag, { value: "Fetcher", writable: true, configurable: true });
exposeInterface("DurableObject", DurableObject);

const LENGTHS = new Set(["content-length", "transfer-encoding"]);

/** A request tells how long its body is, or that it does not know, as it would on a connection. */
function addLength({ headers, kind, raw, length }: OutgoingRequest): void {
  for (let i = 0; i < headers.length; i += 2)
    if (LENGTHS.has((headers[i] as string).toLowerCase())) return;
  const bytes = typeof raw === "string" ? native.utf8Encode(raw) : raw;
  if (kind === KIND.raw) headers.push("content-length", `${bytes?.byteLength ?? 0}`);
  else if (length !== undefined) headers.push("content-length", `${length}`);
  else headers.push("transfer-encoding", "chunked");
}

/** A stub for an object of the namespace with that number. */
export function makeStub(namespace: number, id: DurableObjectId): DurableObject {
  checkIoAllowed();
  return new DurableObject(MAKER, namespace, id);
}

/** A stub for an entrypoint of the Worker; null for the default export. */
export function makeService(entrypoint: string | null, props: unknown): Fetcher {
  return new ServiceStub(MAKER, new ServiceTarget(entrypoint, props));
}

/** A stub that another isolate lent. */
export function makeLentStub(handle: number): Fetcher {
  return new ServiceStub(MAKER, new LentTarget(handle));
}

/** A stub for a facet, which is declared to the host with its first use. */
export function makeFacetStub(declare: (number: number) => void): Fetcher {
  checkIoAllowed();
  return new ServiceStub(MAKER, new FacetTarget(declare));
}

/** @throws DOMException when the value is a stub of a facet, which stays where it is. */
export function refuseFacet(value: object): void {
  if (targetOf(value) instanceof FacetTarget)
    throw new DOMException("Stubs pointing to Durable Object facets are not serializable.", "DataCloneError");
}

/** Kind and number among what is lent; undefined when the value is no such stub. @throws for those of facets. */
export function lentStub(value: object): readonly [kind: number, number: number] | undefined {
  refuseFacet(value);
  const target = targetOf(value);
  return target === undefined ? undefined : [target.kind === DECLARED ? LENT.stub : LENT.handle, target.open()];
}
