"""The messages between host and guest: one table of events, one of ops.

An *event* is an entry into the guest: ``event(kind, args_len, body_len)`` with msgpack array
``args`` and raw ``body`` in the guest's scratch buffer. An *op* is the guest calling the host
during such a turn; it is synchronous. What must wait is started by an op that carries an
``async id`` chosen by the guest, and ends with a ``complete`` event.

Names and numbers are generated into ``bindings/src/protocol.ts`` by ``sandbox/build.py`` so both sides of
the fence share one table. Numbers never change their meaning; new rows go to the end.

Common argument shapes
    headers     flat array ``[name, value, name, value, …]``, in order, repeats allowed
    body        ``(kind, handle)``: kind 0 none, 1 the raw body of this message, 2 a host stream handle
                (host→guest: read it with ``stream_read``; guest→host: hand it on untouched),
                3 a guest stream id (guest→host only: the host pulls it with ``stream_pull``).
                Of responses only: 4 (guest→host) the other end of one of its own sockets, 5 a socket that was given to it,
                6 and 7 (guest→host) as 1 and 3, but in the coding that Content-Encoding names already
    error       ``[name, message, stack, properties]``; properties are flags and texts
    target      what a stub leads to: kind 0 with the number of a stub that stub_open or service_open declared, kind 1
                with the handle of something received
    declared    ``namespace index, id hex, name, gone``: what stands behind a stub that is used for the first time, by its
                id, or nil and its name; all nil but ``gone`` for one that is known. ``gone`` is a stub that the guest
                dropped, 0 for none
    address     ``[target kind, target, declared (4)]``
    entry       which entrypoint of a Worker: ``nil`` for the default export, else ``[name|nil, V8-serialized props]``
    lent        flat array ``[kind, number, kind, number, …]`` of what a value carries besides its bytes, which name
                the items by position. Guest→host: kind 0 an export of its own, 1 a handle, 2 a stub, 3 a guest stream,
                4 a host stream (moved). Host→guest: 1 a handle that is new, 4 a host stream
    section     id of the critical section the work belongs to, 0 for none; outside of one, the origin of the request
    origin      0, or a negative number that the guest gives as the section of whatever the request leads to: by it the
                host knows calls that wait for themselves
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct


class Event(Struct, frozen=True):
    """One row of the host → guest table."""

    number: int
    name: str
    args: str
    doc: str


class Op(Struct, frozen=True):
    """
    One row of the guest → host table.

    ``args`` is the type the host decodes the msgpack arguments to (checked: the guest is hostile), or
    ``bytes`` when the arguments are raw bytes (a string in UTF-8, lone surrogates in their three-byte form).
    """

    number: int
    name: str
    args: Any
    doc: str


Headers = list[str]
Error = tuple[str, str, str, dict[str, bool | str]]
Address = tuple[int, int, int | None, str | None, str | None, int]
#: Values for a statement's parameters, bytes as an array of one. One more than a statement may have: enough to find out that they
#: are too many.
Bindings = Annotated[list[float | str | tuple[bytes] | None], msgspec.Meta(max_length=101)]

EVENTS: Final[tuple[Event, ...]] = (
    Event(
        1,
        "start",
        "[]",
        "First event of an isolate, other than one that begins with construct: leaves the global scope.",
    ),
    Event(
        2,
        "load",
        "[specifier, env, format]",
        "Image time only: env = {vars, namespaces: [{binding, className, index}], services: [{binding, entrypoint|nil, props}], node: {globals, timers, environment}}; evaluates the module graph from specifier (format 'module') or the script in the body ('script': service-worker format). Answered by op loaded or load_failed in the same turn.",
    ),
    Event(
        3,
        "construct",
        "[class, id, name|nil]",
        "Make the instance of exported class, after what start does if that did not come before. Answered by op constructed or construct_failed; critical sections it began hold the gate first.",
    ),
    Event(
        4,
        "fetch",
        "[request, method, url, headers, body kind, body handle, entry, origin]",
        "Call the object's fetch, or in a Worker isolate the entrypoint's. Answered by respond or fail.",
    ),
    Event(
        5,
        "call",
        "[request, entry, export, path, is call, lent, origin]",
        "RPC: follow the path of names from an export (0: the object, or the Worker's entrypoint) and call what is there, with the V8-serialized argument array in the body, or read it. Answered by op returned or fail.",
    ),
    Event(6, "timer", "[timer]", "A timer set by timer_set is due."),
    Event(
        7,
        "complete",
        "[async id, status, value]",
        "An async op ended: status 0 = ok, 1 = error (value = error; the body, if any, is what was thrown, V8-serialized). For stub_fetch value = [status, reason, headers, body kind, body handle, url]; for stub_call the body is the V8-serialized result and value = lent; for stream_read the body is the chunk and value is true at the end.",
    ),
    Event(8, "section_start", "[section]", "The input gate admits the critical section: run its callback."),
    Event(
        9,
        "stream_pull",
        "[guest stream]",
        "The host wants the next chunk of a guest stream: answer by stream_write, stream_end or stream_error.",
    ),
    Event(10, "stream_cancel", "[guest stream, reason]", "Nobody will read the guest stream any more."),
    Event(11, "fetch_abort", "[request]", "The client of that fetch went away: its request.signal aborts."),
    Event(
        12,
        "eval",
        "[name, arguments, module, specifier]",
        "Sandbox: evaluate the source in the body as an expression or script, or (module true) as an ES module named specifier; arguments is a map of plain values bound as variables. Answered by op evaluated or eval_failed, at once or after promises settle.",
    ),
    Event(
        60,
        "alarm",
        "[run]",
        "The object's alarm is due. Op alarm_begin says whether there is still something to run; then alarm_done, alarm_failed or alarm_missing follows.",
    ),
    Event(
        100,
        "released",
        "[export]",
        "Nobody holds the export any more.",
    ),
    Event(
        101,
        "ask",
        "[request, path, arguments]",
        "The same as call for Python: plain data in, and the result as msgpack. Answered by op returned or fail.",
    ),
    Event(
        110,
        "ws_message",
        "[socket, is text, event]",
        "A message, the body, for an accepted WebSocket. When event is not 0, op ws_done says that its handler has ended.",
    ),
    Event(
        111,
        "ws_closed",
        "[socket, code, reason, was clean, event]",
        "Nothing more comes from the other side: its Close frame (1005 without a code), or not clean, the loss of the connection (1006), or what was wrong with what came (its code, and as reason the message of the error).",
    ),
    Event(
        170,
        "construct_facet",
        "[class, id is text, id, name|nil, depth]",
        "As construct, for an object that is a facet below as many others as depth says; the body is its V8-serialized props.",
    ),
    Event(
        171,
        "facet_start",
        "[start, facet name, section]",
        "A facet is used that does not run: call the startup callback that the stub was made with which opened it. Answered by op facet_started or facet_start_failed.",
    ),
    Event(
        187,
        "prepare_intl",
        "[]",
        "Build time only: evaluates the layer of Intl and makes what is made when a date or a number is first written.",
    ),
)

OPS: Final[tuple[Op, ...]] = (
    # Life of an isolate
    Op(
        1,
        "loaded",
        tuple[list[tuple[str, str, bool, list[str]]]],
        "Exports of the main module: [name, 'class'|'function'|'object'|'value', extends DurableObject, handler names on the prototype or object].",
    ),
    Op(2, "load_failed", tuple[Error], "The module graph failed to load or evaluate."),
    Op(3, "constructed", tuple[()], "The constructor returned."),
    Op(
        4,
        "construct_failed",
        tuple[Error],
        "The constructor threw; what it threw is the V8-serialized body, if it can be copied.",
    ),
    Op(
        5,
        "module_resolve",
        tuple[str, str],
        "[specifier, referrer] → canonical module name (text); throws SyntaxError-like Error naming the file when there is none.",
    ),
    Op(
        6,
        "module_load",
        tuple[str],
        "[name] → [type 'esm'|'json'|'text'|'data', url for import.meta.url] with the source as reply bytes: see module_source.",
    ),
    Op(7, "module_source", bytes, "Raw name → the module's source bytes."),
    Op(8, "log", tuple[str, str], "[level 'debug'|'info'|'log'|'warn'|'error', text]: console output."),
    Op(
        9,
        "abort",
        tuple[str, bool],
        "ctx.abort(reason, {retryAlarm}): never returns to the guest.",
    ),
    Op(
        10,
        "unhandled_rejection",
        tuple[Error],
        "A promise was rejected and nobody handled it by the end of the turn.",
    ),
    Op(
        11,
        "decode_text",
        tuple[str, bool, bool],
        "[label, fatal, whether more follows] with the bytes as body → text; if more follows, [text, bytes at the end that are not in it]; without bytes, the encoding's name. Legacy encodings only.",
    ),
    Op(12, "evaluated", tuple[()], "Sandbox result: msgpack value as body."),
    Op(13, "eval_failed", tuple[Error], "Sandbox evaluation threw or rejected."),
    # Requests and answers
    Op(
        14,
        "respond",
        tuple[int, int, str, Headers, int, int],
        "[request, status, reason, headers, body kind, handle] with the raw body.",
    ),
    Op(
        15,
        "fail",
        tuple[int, Error],
        "[request, error]: the handler threw; what it threw is the V8-serialized body, if it can be copied.",
    ),
    Op(
        16,
        "returned",
        tuple[int, list[int]],
        "[request, lent] with the V8-serialized RPC result as body; msgpack when it was asked for by ask.",
    ),
    # Timers and async work; ids are chosen by the guest
    Op(17, "timer_set", tuple[int, int, float, bool], "[timer, section, delay ms, repeat]."),
    Op(18, "timer_clear", tuple[int], "[timer]."),
    Op(
        19,
        "stub_fetch",
        tuple[int, int, Address, str, str, Headers, int, int],
        "[async id, section, address, method, url, headers, body kind, handle] with the raw body.",
    ),
    Op(
        20,
        "stub_call",
        tuple[int, int, Address, list[str], bool, list[int]],
        "[async id, section, address, path, is call, lent] with the V8-serialized arguments as body: see event call.",
    ),
    Op(
        21,
        "stub_open",
        tuple[int, int, str | None, str | None, int],
        "[stub id, declared (4)]: declares a stub without using it; order of calls is kept per stub.",
    ),
    Op(22, "stub_close", tuple[list[int]], "[stub ids]: the guest dropped them."),
    Op(23, "id_from_name", tuple[int, str], "[namespace index, name] → id hex (text)."),
    Op(
        24,
        "id_from_string",
        tuple[int, str],
        "[namespace index, hex] → canonical id hex (text); throws TypeError.",
    ),
    Op(25, "id_new", tuple[int], "[namespace index] → id hex (text)."),
    Op(
        26,
        "fetch",
        tuple[int, int, str, str, Headers, int, int, int],
        "[async id, section, method, url, headers, body kind, handle, length of a guest stream or -1] with the raw body: one exchange with another server; completes as stub_fetch does.",
    ),
    # Streams
    Op(27, "stream_read", tuple[int, int, int], "[async id, section, host stream]: ask for its next chunk."),
    Op(28, "stream_drop", tuple[int, str], "[host stream, reason]: the guest will not read the rest."),
    Op(29, "stream_write", tuple[int], "[guest stream] with the chunk as body: answer to stream_pull."),
    Op(30, "stream_end", tuple[int], "[guest stream] is at its end."),
    Op(31, "stream_error", tuple[int, Error], "[guest stream, error]."),
    # Critical sections
    Op(
        32,
        "section_begin",
        tuple[int, int, bool],
        "[section, parent section, is transaction]: ask the input gate for a critical section; section_start follows.",
    ),
    Op(
        33,
        "section_end",
        tuple[int, Error | None],
        "[section, error]: its callback settled; an error breaks the object unless the section is a transaction. What was thrown is the body, as that of fail.",
    ),
    # Storage: keys as UTF-8 bytes (lone surrogates keep their three-byte form), values as V8-serialized bytes
    Op(34, "kv_get", bytes, "Raw key → V8 value or undefined."),
    Op(
        35,
        "kv_get_many",
        tuple[list[bytes]],
        "[keys] → flat [key, value, …] of those that exist, in key order (msgpack bins).",
    ),
    Op(36, "kv_put", bytes, "Raw key with the V8 value as body (confirmed)."),
    Op(
        37,
        "kv_put_many",
        tuple[list[bytes], bool],
        "[flat key, value, …, allowUnconfirmed]: all or nothing; also single unconfirmed puts.",
    ),
    Op(38, "kv_delete", bytes, "Raw key → did it exist (confirmed)."),
    Op(39, "kv_delete_many", tuple[list[bytes], bool], "[keys, allowUnconfirmed] → how many existed."),
    Op(
        40,
        "kv_list",
        tuple[bytes | None, bytes | None, bytes | None, bool, int],
        "[start (inclusive), end (exclusive), prefix, reverse, limit or -1] → flat [key, value, …] (msgpack bins).",
    ),
    Op(41, "kv_delete_all", tuple[()], "Drop everything the object stores."),
    Op(42, "sync", tuple[int, int], "[async id, section]: completes when every write so far is durable."),
    Op(
        43,
        "savepoint",
        tuple[int],
        "[section or 0 for transactionSync] → depth of the savepoint just opened.",
    ),
    Op(44, "savepoint_release", tuple[int], "[depth]."),
    Op(45, "savepoint_rollback", tuple[int], "[depth]: roll back to it and release it."),
    # SQL; rows are bytes for native.rows
    Op(
        50,
        "sql_exec",
        tuple[str, Bindings],
        "[text, bindings] → changed rows when the last statement has no columns, [changed rows, statement for sql_again, entries that a row takes] when it was run before, else [query or 0 when its rows end with these, column names, changed rows, visited rows, error or nil, number of rows, rows, statement for sql_read or 0]: visited rows are known at the end, 0 before; the error is that of reading the row after these.",
    ),
    Op(
        51,
        "sql_rows",
        tuple[int],
        "[query] → [query or 0, changed rows so far, visited rows, error or nil, number of rows, rows]: the next rows.",
    ),
    Op(52, "sql_close", tuple[int], "[query]: the guest will not read the rest."),
    Op(53, "sql_size", tuple[()], "→ bytes in use by the database."),
    Op(
        54,
        "sql_entries",
        tuple[str, int],
        "[text, number of bindings] → entries of tables and indexes that one row changed by the statement takes.",
    ),
    # The alarm
    Op(60, "alarm_get", tuple[()], "→ when it is due, in ms since the epoch, or nil."),
    Op(61, "alarm_set", tuple[float, bool], "[ms since the epoch, allowUnconfirmed]."),
    Op(62, "alarm_delete", tuple[bool], "[allowUnconfirmed]."),
    Op(63, "alarm_begin", tuple[int], "[run] → [scheduled time in ms, retry count], or nil: nothing to run."),
    Op(64, "alarm_done", tuple[int], "[run]: the handler returned."),
    Op(65, "alarm_failed", tuple[int, Error], "[run, error]: it threw."),
    Op(66, "alarm_missing", tuple[int], "[run]: there is no handler."),
    # Points in time
    Op(70, "bookmark_current", tuple[()], "→ bookmark of the present state (text)."),
    Op(
        71, "bookmark_at", tuple[float], "[milliseconds since the epoch] → bookmark of the state then (text)."
    ),
    Op(
        72,
        "bookmark_restore",
        tuple[str],
        "[bookmark]: the object's next start goes back to it → the bookmark that undoes that (text).",
    ),
    # Streams as values
    Op(
        73,
        "kv_put_stream",
        tuple[int, int, bytes, int, int, bool],
        "[async id, section, key, body kind, handle, allowUnconfirmed] with the raw body: completes when the whole stream is the key's value.",
    ),
    Op(
        74,
        "stored_stream",
        tuple[int],
        "[number of a stored stream] → handle of a host stream that reads it.",
    ),
    # Parts of the bindings that are kept out of the base image
    Op(90, "layer", bytes, "Raw name → the layer's script, as the build compiled it (bytes)."),
    # RPC
    Op(
        100,
        "service_open",
        tuple[int, str | None, bytes],
        "[stub id, entrypoint, props]: declares a stub of an entrypoint of the Worker itself; props V8-serialized.",
    ),
    Op(101, "release", tuple[int], "[handle]: the guest will not use it again."),
    Op(102, "lend_self", tuple[int], "[export] → a handle of it: what the guest has lent to itself."),
    # WebSockets: numbers are odd where the guest chose them (ends of its own pairs), even where the host did
    Op(
        110,
        "ws_accept",
        tuple[int, bool, list[str], bool],
        "[socket, hibernatable, tags, allowHalfOpen]: begin to receive.",
    ),
    Op(111, "ws_send", tuple[int, bool], "[socket, is text] with the message as body."),
    Op(
        112,
        "ws_close",
        tuple[int, int, str],
        "[socket, code or 1005 for none, reason]: send a Close frame; 1006 ends the connection without one.",
    ),
    Op(113, "ws_drop", tuple[int], "[socket]: the guest is done with a closed one."),
    Op(114, "ws_attach", tuple[int], "[socket] with the V8-serialized attachment as body."),
    Op(
        115,
        "ws_list",
        tuple[str | None],
        "[tag] → numbers of the hibernatable sockets, in the order of getWebSockets.",
    ),
    Op(
        116,
        "ws_info",
        tuple[int],
        "[socket] → [tags, attachment (bin, empty for none), close sent, time of the last automatic answer or nil].",
    ),
    Op(
        117,
        "ws_auto",
        tuple[str | None, str],
        "[request or nil for none, response]: answer hibernatable sockets automatically.",
    ),
    Op(
        118,
        "ws_settings",
        tuple[()],
        "→ [auto request or nil, auto response, event timeout in ms or nil, highest number that the guest has chosen, -1 for none].",
    ),
    Op(119, "ws_timeout", tuple[float | None], "[ms or nil]: the event timeout of hibernatable sockets."),
    Op(120, "ws_done", tuple[int], "[event]: the handler of an event has ended."),
    # The network
    Op(
        130,
        "abandon",
        tuple[int],
        "[async id]: nobody waits for that fetch or stub_fetch any more; it completes all the same.",
    ),
    Op(
        131,
        "cache_match",
        tuple[str | None, str, Headers],
        "[cache or nil for the default one, url, headers of the request] → nil, or [status, reason, headers, body kind, handle, raw body].",
    ),
    Op(
        132,
        "cache_put",
        tuple[int, int, str | None, str, int, str, Headers, int, int],
        "[async id, section, cache, url, status, reason, headers, body kind, handle] with the raw body: completes when it is kept, or may not be.",
    ),
    Op(133, "cache_delete", tuple[str | None, str], "[cache, url] → was it there."),
    # Web Crypto and bytes piece by piece
    Op(
        140,
        "crypto",
        tuple[int, int, str, str, str, int, int, bytes, bytes, bytes],
        "[async id, section, operation, algorithm, hash, number, length, key, iv, extra] with the data as body → bytes at once, or undefined: then complete follows, with them as its body. See engine/webcrypto.",
    ),
    Op(
        142,
        "key_import",
        tuple[str, str, str, list[bytes]],
        "[family, format, curve, parts] → [private, DER, curve or family, modulus bits, public exponent]: see engine/webcrypto.",
    ),
    Op(
        143,
        "key_export",
        tuple[str],
        "[format] with a key's DER as body → its raw bytes, or the numbers of its JWK.",
    ),
    Op(
        144,
        "codec_open",
        tuple[str, str],
        "['compress'|'decompress'|'digest', format or hash] → handle.",
    ),
    Op(
        145,
        "codec_write",
        tuple[int, bool],
        "[handle, is the last] with at most 64 KiB as body → what comes out. Of a decompressor that is at most 64 KiB: when it is as much, it is asked again, with nothing, for the rest.",
    ),
    Op(146, "codec_drop", tuple[int], "[handle]: the guest needs it no more."),
    # Hashes; with a key, HMACs
    Op(150, "hash", tuple[str, bytes | None], "[algorithm, key] with the data as body → digest."),
    Op(151, "hash_open", tuple[str, bytes | None], "[algorithm, key] → handle of one that grows bit by bit."),
    Op(152, "hash_update", tuple[int], "[handle] with more data as body."),
    Op(153, "hash_copy", tuple[int], "[handle] → handle of another in the same state."),
    Op(154, "hash_digest", tuple[int], "[handle] → digest; the handle is gone."),
    Op(155, "hash_drop", tuple[int], "[handle]: the guest will not use it again."),
    # Globals made on first use
    Op(
        156,
        "mentioned",
        tuple[()],
        "Image time only: → names of globals made on first use that the sources seen so far mention; Date for dates in a language.",
    ),
    # Time zones
    Op(157, "time_zones", tuple[()], "→ names of all."),
    Op(
        158,
        "time_zone",
        tuple[str],
        "[name] → flat list of its periods: from when on (seconds since the epoch), offset (seconds), 1 in summer.",
    ),
    # SQL
    Op(
        160,
        "sql_again",
        tuple[int, list[Any]],
        "[statement, bindings] → changed rows, nothing for one; true for one whose like may be gathered for sql_many until the guest asks for anything else; false when there is no such statement any more.",
    ),
    Op(
        161,
        "sql_many",
        tuple[int, list[list[Any]]],
        "[statement, bindings of each row]: add these rows, which sql_again allowed to gather.",
    ),
    # Facets
    Op(
        170,
        "facet_open",
        tuple[int, int, str],
        "[stub id, section, name] → whether the facet has to be started by this stub when it is used: declares a stub of a facet.",
    ),
    Op(
        171,
        "facet_started",
        tuple[int, str, int, str | None, str | None],
        "[start, class, id kind, id, name] with V8-serialized props as body: id kind 0 that of the object that it is a facet of, 1 a text, 2 an id with the name that it was made from.",
    ),
    Op(
        172,
        "facet_start_failed",
        tuple[int, Error],
        "[start, error] with what was thrown, V8-serialized, as body.",
    ),
    Op(
        173,
        "facet_abort",
        tuple[str, Error],
        "[name, error] with what is thrown, V8-serialized, as body: the facet breaks.",
    ),
    Op(
        174,
        "facet_delete",
        tuple[str],
        "[name]: the facet breaks and stores nothing any more, nor do those below it.",
    ),
    Op(
        175,
        "facet_clone",
        tuple[str, str],
        "[name, other name]: the other one breaks and stores what the first does.",
    ),
    # More of storage
    Op(
        176,
        "kv_part",
        tuple[bytes | None, bytes | None, bytes | None, bool, int],
        "As kv_list → as many of the first as fit one answer, at least one, if there is one; bytes for native.nextPair.",
    ),
    Op(
        177,
        "sql_read",
        tuple[int, list[Any]],
        "[statement, bindings] → all rows, as bytes for native.rows; false when there is no such statement, or another way to tell.",
    ),
    # Node's PBKDF2
    Op(
        180,
        "pbkdf2_rounds",
        tuple[str, bytes, int],
        "[hash, password, rounds, at most 1000] with a block's last value and sum as body → the same after so many rounds more.",
    ),
    # More of RPC
    Op(190, "revoke", tuple[int], "[export]: whoever holds it can call it no more."),
    # More of errors
    Op(191, "uncaught", tuple[Error], "Something threw that nobody was there to catch: a timer, a listener."),
    # HTMLRewriter
    Op(
        205,
        "encode_text",
        tuple[str, bool],
        "[name of a legacy encoding, write what it has not as character references] with at most 4 KiB of text as body → its bytes, or undefined.",
    ),
)

EVENT: Final[dict[str, int]] = {event.name: event.number for event in EVENTS}
OP: Final[dict[str, int]] = {op.name: op.number for op in OPS}

#: Version of this protocol, checked against the engine image's manifest.
VERSION: Final = 1
