/**
 * `DurableObjectFacets`: `ctx.facets`, objects that live below this one and that only it can reach.
 *
 * A stub is tied to a facet by its first use. When the host has none of that name it asks back, by event `facet_start`, and the
 * callback that this stub was made with says what the facet is.
 */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import { currentSection, describeError, exposeInterface, serializeThrown, withSection } from "../web";
import { illegalConstructor, illegalInvocation, isObject, wrongField, wrongParameter } from "../web/interface";
import { runInContext } from "../web/scope";
import { type DurableObjectId, hexOf, isId, nameOf } from "./ids";
import { classOf } from "./namespace";
import { type Fetcher, makeFacetStub } from "./stub";

const OWNER = "DurableObjectFacets";
const MAKER = Symbol("facets");

/** Bytes of a name in UTF-8, as on the platform. */
const MAX_NAME = 256;
/** Objects above one another, the one that is no facet included. */
const MAX_DEPTH = 4;

/** How op `facet_started` names the id: that of the object it is a facet of, a text, or an id. */
const ID = { inherited: 0, text: 1, object: 2 } as const;

interface Startup {
  /** The async context of `get`. */
  readonly context: unknown;
  readonly callback: () => unknown;
}

/** Of facets that the host will ask about, by name. */
const startups = new Map<string, Startup>();

function checkName(name: string): string {
  const sent = name.toWellFormed();
  if (sent.length * 3 > MAX_NAME && native.utf8Encode(sent).byteLength > MAX_NAME)
    throw new TypeError("Facet name is too long (max 256 characters).");
  return sent;
}

/** Whether a value may be the `this` of the methods. */
let isFacets: (value: unknown) => boolean;

export class DurableObjectFacets {
  readonly #isFacets = true;

  static {
    isFacets = (value) => isObject(value) && #isFacets in value;
  }

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  get(name: string, startup: unknown): Fetcher {
    if (!isFacets(this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("get", OWNER, 1, "string");
    const text = `${name}`;
    if (typeof startup !== "function") throw wrongParameter("get", OWNER, 2, "function");
    const sent = checkName(text);
    if (sent === "") throw new TypeError("Facet name cannot be empty.");
    if (isolate.depth + 1 >= MAX_DEPTH)
      throw new Error(
        "Facet nesting depth limit exceeded. The maximum depth including the root Durable Object is 4.",
      );
    const own: Startup = { context: native.getContext(), callback: () => startup() };
    return makeFacetStub((number) => {
      if (native.op(OP.facet_open, [number, currentSection(), sent])) startups.set(sent, own);
    });
  }

  abort(name: string, reason: unknown): void {
    if (!isFacets(this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("abort", OWNER, 1, "string");
    if (arguments.length === 1) throw wrongParameter("abort", OWNER, 2, "Value");
    const sent = checkName(`${name}`);
    startups.delete(sent);
    native.op(OP.facet_abort, [sent, describeError(reason)], serializeThrown(reason));
  }

  delete(name: string): void {
    if (!isFacets(this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("delete", OWNER, 1, "string");
    const sent = checkName(`${name}`);
    startups.delete(sent);
    native.op(OP.facet_delete, [sent]);
  }

  clone(source: string, target: string): void {
    if (!isFacets(this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("clone", OWNER, 1, "string");
    if (arguments.length === 1) throw wrongParameter("clone", OWNER, 2, "string");
    const [from, to] = [checkName(`${source}`), checkName(`${target}`)];
    startups.delete(to);
    native.op(OP.facet_clone, [from, to]);
  }
}

exposeInterface(OWNER, DurableObjectFacets);

/** Those of the isolate's object. */
export const facets = new DurableObjectFacets(MAKER);

/** The facet as its startup callback describes it, with `props` in V8's format. */
type Description = [className: string, kind: number, id: string | null, name: string | null, props: ArrayBuffer];

function describe(options: unknown): Description {
  if (options === undefined || options === null)
    throw new TypeError("Cannot initialize StartupOptions with required members from an undefined or null value.");
  if (!isObject(options)) throw new TypeError("Callback returned incorrect type; expected 'Promise'");
  const { class: chosen, id } = options as { class?: unknown; id?: unknown };
  const found = classOf(chosen);
  if (found === undefined)
    throw wrongField(
      "class",
      "StartupOptions",
      "DurableObjectClass or LoopbackDurableObjectNamespace or LoopbackColoLocalActorNamespace",
    );
  const props = native.serialize(found.props);
  if (id === undefined) return [found.className, ID.inherited, null, null, props];
  if (isId(id)) return [found.className, ID.object, hexOf(id), nameOf(id)?.toWellFormed() ?? null, props];
  return [found.className, ID.text, `${id as string}`.toWellFormed(), null, props];
}

/** Event `facet_start`. */
export async function startFacet(start: number, name: string, section: number): Promise<void> {
  const startup = startups.get(name);
  startups.delete(name);
  let description: Description;
  try {
    if (startup === undefined) throw new Error("The facet was not asked for.");
    description = describe(await runInContext(withSection(startup.context, section), startup.callback));
  } catch (error) {
    native.op(OP.facet_start_failed, [start, describeError(error)], serializeThrown(error));
    return;
  }
  const [className, kind, id, ownName, props] = description;
  native.op(OP.facet_started, [start, className, kind, id, ownName], props);
}

/** The `ctx.id` of a facet. */
export type FacetId = DurableObjectId | string;
