// EventSource over streams, case by case: what of a text is an event. Served by durabox and by workerd; the two answers must be equal.
import { asking, attempt, failure, probe, stream, utf8, wait } from "./frames/together.js";
const sse = async (...parts) => { const s = EventSource.from(stream(...parts)); const log = []; for (const t of ["message", "open", "error", "x", "y"]) s.addEventListener(t, (e) => log.push([e.type, e.data ?? null, e.lastEventId ?? null])); await wait(15); const state = s.readyState; s.close(); return [log.filter(([k]) => k !== "error"), state]; };

const cases = {
  "events from locked": () => attempt(() => { const s = stream("a"); s.getReader(); EventSource.from(s); return "ok"; }),
  "events from disturbed": () => attempt(async () => { const s = stream("a"); await s.cancel(); EventSource.from(s); return "ok"; }),
  "events from error": async () => { const s = EventSource.from(new ReadableStream({ start(c) { c.error(new RangeError("es")); } })); return new Promise((r) => { s.onerror = (e) => r([e.message, String(e.error), e.constructor.name]); }); },
  "events from end": async () => { const s = EventSource.from(stream("data: a\n\n")); return new Promise((r) => { s.onerror = (e) => r([e.message, String(e.error), e.error?.name, e.constructor.name]); }); },
  "events locks": async () => { const s = stream("a"); EventSource.from(s); await wait(1); return s.locked; },
  "events plain": () => sse("data: a\n\n"), "events crlf": () => sse("data: a\r\n\r\n"), "events cr": () => sse("data: a\r\rdata: b\r\r"), "events mixed": () => sse("data: a\r\n\ndata: b\n\r\n"),
  "events split crlf": () => sse("data: a\r", "\n\r", "\ndata: b\n\n"), "events split everywhere": () => sse(..."event: x\ndata: é€\nid: 5\n\n".split("")),
  "events split bytes": () => sse(...[...utf8("data: é€😀\n\n")].map((b) => new Uint8Array([b]))),
  "events no space": () => sse("data:a\n\n"), "events two spaces": () => sse("data:  a\n\n"), "events tab": () => sse("data:\ta\n\n"), "events no colon": () => sse("data\n\n"), "events empty data": () => sse("data:\n\n"), "events two empty": () => sse("data\ndata\n\n"),
  "events multi": () => sse("data: a\ndata: b\ndata: c\n\n"), "events comment": () => sse(": hi\n\ndata: a\n: x\n\n"), "events unknown field": () => sse("foo: bar\ndata: a\n\n"), "events no data": () => sse("event: x\n\n"), "events event": () => sse("event: x\ndata: a\n\ndata: b\n\n"), "events event empty": () => sse("event:\ndata: a\n\n"), "events event twice": () => sse("event: x\nevent: y\ndata: a\n\n"),
  "events id": () => sse("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"), "events id null": () => sse("id: a\0b\ndata: a\n\n"), "events id alone": () => sse("id: 7\n\ndata: a\n\n"), "events retry": () => sse("retry: 10\ndata: a\n\n"), "events retry bad": () => sse("retry: x\ndata: a\n\n"),
  "events unfinished": () => sse("data: a\n"), "events unfinished line": () => sse("data: a\n\ndata: b"), "events bom": () => sse("\ufeffdata: a\n\n"), "events bom split": () => sse(new Uint8Array([0xef]), new Uint8Array([0xbb, 0xbf]), "data: a\n\n"), "events bom inside": () => sse("data: a\n\n\ufeffdata: b\n\n"),
  "events case": () => sse("DATA: a\ndata: b\n\n"), "events space before colon": () => sse("data : a\ndata: b\n\n"), "events invalid utf8": () => sse(new Uint8Array([100, 97, 116, 97, 58, 255, 10, 10])), "events colon in data": () => sse("data: a:b: c\n\n"), "events many": async () => (await sse("data: a\n\n".repeat(500)))[0].length, "events long": async () => (await sse(`data: ${"x".repeat(100000)}\n\n`))[0][0]?.[1].length ?? null,
  "events empty": () => sse(), "events newlines only": () => sse("\n\n\n\n"),
  "events from nothing": () => failure(() => EventSource.from()), "events from text": () => failure(() => EventSource.from("x")), "events from locked": () => failure(() => { const s = stream("a"); s.getReader(); EventSource.from(s); }),
  "events close inside": async () => { const s = EventSource.from(stream("data: a\n\ndata: b\n\n")); const log = []; s.onmessage = (e) => { log.push(e.data); s.close(); }; await wait(10); return [log, s.readyState]; },
  "events close cancels": async () => { let why = "no"; const s = EventSource.from(new ReadableStream({ cancel() { why = "cancelled"; } })); await wait(2); s.close(); await wait(5); return [why, s.readyState]; },
  "events handlers": async () => { const s = EventSource.from(stream("data: a\n\n")); const log = []; s.onopen = () => log.push("open"); s.onmessage = () => log.push("m"); await wait(10); return [log, typeof s.onopen, s.onerror]; },
  "events constants": () => [EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED, Object.prototype.toString.call(EventSource.from(stream()))],
  "events state at once": () => EventSource.from(stream("data: a\n\n")).readyState,
  "events event props": async () => { const s = EventSource.from(stream("data: a\n\n")); return new Promise((r) => { s.onmessage = (e) => r([e instanceof MessageEvent, e.origin, e.bubbles, e.cancelable, e.isTrusted, e.target === s, e.source, e.ports]); }); },
};

export class Probe extends probe(cases, attempt, 2000) {}

export default asking;
