/**
 * Entry of the bundle: hands `native` to the parts and gives the host's events to them.
 *
 * The bundle's completion value is this module's default export. What it returns are the hooks that the C side
 * calls; nothing of it can be reached through globals.
 */

import { isolate } from "./isolate";
import { provideModule } from "./layers";
import { type Native, native, setNative } from "./native";
import { alarm } from "./objects/alarms";
import { evaluate } from "./objects/evaluate";
import { startFacet } from "./objects/facets";
import { ask, call } from "./objects/calls";
import { socketClosed, socketMessage } from "./objects/hibernation";
import { construct, constructFacet, fetchInstance, hasInstance, instanceIfAny } from "./objects/instance";
import "./objects/lending";
import { readStored } from "./objects/kv";
import { rejectionHandled, rejectionUnhandled } from "./objects/listeners";
import { load } from "./objects/load";
import { started } from "./objects/sections";
import { quicken } from "./objects/sql";
import { fetchWorker } from "./objects/worker";
import { EVENT } from "./protocol";
import { released } from "./rpc/exports";
import { readHostObject, writeHostObject } from "./rpc/lending";
import * as web from "./web";
import { runFrom } from "./web/scope";

// Arguments come from the host, which is trusted: their types are those of the event's row in the table.
type EventHandler = (args: any, body: ArrayBuffer | undefined) => void;

interface Hooks {
  dispatch(kind: number, args: unknown[], body: ArrayBuffer | undefined): void;
  makeError: typeof web.makeError;
  provideModule: typeof provideModule;
  readHostObject(type: number, bytes: ArrayBuffer, at: number): ReturnType<typeof readHostObject>;
  writeHostObject: typeof writeHostObject;
  rejectionHandled: typeof rejectionHandled;
  unhandledRejection: typeof rejectionUnhandled;
}

/** Event handlers by number. */
const handlers: EventHandler[] = [];

const start = () => {
  native.seed();
  web.leaveGlobalScope();
};

handlers[EVENT.start] = start;
handlers[EVENT.prepare_intl] = () => {
  web.prepareIntl();
};
handlers[EVENT.load] = ([specifier, environment, format], body) => void load(specifier, environment, format, body);
handlers[EVENT.construct] = ([className, hex, name]) => {
  if (isolate.atGlobalScope) start();
  construct(className, hex, name);
};
handlers[EVENT.construct_facet] = ([className, isText, id, name, depth], props) => {
  if (isolate.atGlobalScope) start();
  constructFacet(className, isText, id, name, depth, props as ArrayBuffer);
};
handlers[EVENT.facet_start] = ([start, name, section]) => void startFacet(start, name, section);
// The most frequent ones take their arguments by position: to take an array apart costs several times as much.
handlers[EVENT.fetch] = (args, body) => {
  const number: number = args[0];
  const request = web.makeRequest(number, args[1], args[2], args[3], args[4], args[5], body);
  if (hasInstance()) runFrom(args[7], () => fetchInstance(number, request));
  else fetchWorker(number, request, args[6], args[7]);
};
handlers[EVENT.call] = (args, body) => {
  call(args[0], args[1], args[2], args[3], args[4], args[5], args[6], body);
};
handlers[EVENT.ask] = ([number, path, args]) => void ask(number, path, args);
handlers[EVENT.released] = ([target]) => {
  released(target);
};
handlers[EVENT.timer] = ([timer]) => {
  web.timerDue(timer);
};
handlers[EVENT.complete] = (args, body) => {
  web.completeAsync(args[0], args[1], args[2], body);
};
handlers[EVENT.section_start] = ([section]) => {
  started(section);
};
handlers[EVENT.stream_pull] = ([stream]) => {
  web.pullStream(stream);
};
handlers[EVENT.stream_cancel] = ([stream, reason]) => {
  web.cancelStream(stream, reason);
};
handlers[EVENT.fetch_abort] = ([number]) => {
  web.abortRequest(number);
};
handlers[EVENT.ws_message] = ([socket, isText, event], body) => {
  socketMessage(instanceIfAny(), socket, isText, event, body);
};
handlers[EVENT.ws_closed] = ([socket, code, reason, clean, event]) =>
  void socketClosed(instanceIfAny(), socket, code, reason, clean, event);
handlers[EVENT.alarm] = ([run]) => void alarm(run);
handlers[EVENT.eval] = ([name, values, isModule, specifier], body) =>
  void evaluate(name, values, isModule, specifier, body);

export default function boot(api: Native): Hooks {
  setNative(api);
  quicken();
  web.install();
  return {
    dispatch(kind, args, body) {
      const handler = handlers[kind];
      if (handler === undefined) throw new TypeError(`event ${kind} does not exist`);
      handler(args, body);
    },
    makeError: web.makeError,
    provideModule,
    readHostObject: (type, bytes, at) => readHostObject(type, bytes, at, readStored),
    writeHostObject,
    rejectionHandled,
    unhandledRejection: rejectionUnhandled,
  };
}
