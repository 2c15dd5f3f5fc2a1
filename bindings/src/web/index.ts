/** What the web platform offers to the rest of the bundle. */

export { DOMException } from "./dom_exception";
export { describeError, makeError, serializeThrown } from "./errors";
export { Event, EventTarget } from "./events";
export { cancelStream, pullStream } from "./guest_streams";
export { install } from "./install";
export { exposeInterface } from "./interface";
export { defineLazily, makeNow } from "./lazy";
export { nameTimeZones, prepareIntl } from "./locale";
export { completeAsync, startAsync } from "./operations";
export { abortRequest, forgetRequest, isRequest, makeRequest, notePassedOn, Request, readRequest } from "./request";
export { makeResponse, Response, readResponse } from "./response";
export { checkIoAllowed, currentSection, leaveGlobalScope, withSection } from "./scope";
export { timerDue } from "./timers";
