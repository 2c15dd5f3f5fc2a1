"""Cases of the probes in which durabox is known to differ from workerd: by probe, under the words that document it."""

from __future__ import annotations

from typing import Final

ENGINE: Final = "Error messages of the engine (a `TypeError`'s text, for example) are QuickJS's, not V8's."
STREAMS: Final = "Messages of errors of streams are those of the streams' library."
STANDARD: Final = "Where workerd's streams differ from the standard"
CLONED_RESPONSE: Final = "A `Response` cannot be cloned"
NO_ARGUMENT: Final = "without any argument are taken for calls with"
TYPE_OF_BLOB: Final = "| type of `response.blob()`"
CLONED: Final = "| a body that was read and is cloned"
KEYS: Final = "A JSON Web Key whose parts or declared use do not fit is"

KNOWN: Final[dict[str, dict[str, list[str]]]] = {
    "compression": {
        STREAMS: [
            "without new",
            "byob of default stream",
            "byob empty view",
            "byob not a view",
            "bad reader mode",
            "tee locked",
            "from nothing",
            "from number",
            "iterate locked",
            "pipe locked",
            "pipeThrough wrong",
            "strategy without init",
            "enqueue after close",
            "close twice",
            "reader released",
            "two readers",
            "cancel locked",
            "bad source type",
            "writer after close",
            "two writers",
        ],
        STANDARD: ["desired size"],
        "| a queuing strategy without `highWaterMark`": ["strategy without mark"],
        "| `desiredSize` of a writer": ["writer size"],
        "| a write that fails a `FixedLengthStream`": ["fixed too many", "fixed too few"],
        "| `JSON.stringify` of a stream": ["stream json"],
    },
    "crypto_formats": {
        "takes initialization vectors for AES-GCM of 8 to 128 bytes": ["gcm iv short"],
        KEYS: [
            "jwk ed d other key",
            "crv of another",
            "key_ops of another, secret",
            "use of another, secret",
        ],
        "| an Ed25519 signature of another length": ["ed25519 wrong length"],
        "| a private RSA key without primes": ["jwk rsa without primes"],
        "| a JSON Web Key wrapped by AES-KW": ["wrap jwk by kw"],
    },
    "event_source": {
        "| what of a text is an event of an `EventSource`": [
            "events no colon",
            "events empty data",
            "events event empty",
            "events id null",
            "events bom split",
            "events close inside",
            "events state at once",
        ],
    },
    "events": {
        "An alarm that is set between two tries of a failed one takes the place of the next try": [
            "setAlarm between tries"
        ],
    },
    "facets": {
        ENGINE: ["name symbol"],
        "| a facet that is started with nothing": ["startup gives nothing", "startup gives null"],
        "| an alarm set in a facet's transaction": ["alarm in transaction"],
    },
    "intl": {
        "| `Intl` in compact notation": ["number compact", "number compact long"],
        "| `NaN` with a currency's code": ["number usd code"],
        "| time zones by name": ["date zone offset", "date en-GB full"],
        "| the locale of `new Intl.PluralRules": ["locale of plurals"],
        "| a date with a minute, a second or a fraction and no hour": ["date hourless with a date"],
        "| a long month with a zone": ["date month and zone"],
        "| a range of times on two days": ["date range of times on two days"],
        "| an hour and a second without a minute": ["date hour and second"],
        "`Intl.DurationFormat`": ["duration"],
    },
    "intl_regions": {
        "| one digit of an hour that a region writes with two": [
            "en-GB date hours",
            "en-GB date hours of 24",
            "en-IE date hours",
            "en-IE date hours of 24",
            "en-ZA date hours",
            "en-ZA date hours of 24",
        ],
        "| `en-IE` with `hour12`": ["en-IE date hours of 12"],
        "| dates of `en-ZA` in a range": ["en-ZA range"],
        "| numbers of regions such as `en-DE`": ["en-DE methods"],
    },
    "mixed": {
        "| a statement or trigger that rolls back": [
            "insert or rollback, later",
            "insert or rollback in transaction",
            "insert or rollback in transactionSync",
            "raise rollback",
            "deferred constraint in transaction",
        ],
        "| `kv.list()` read across `deleteAll` or a rollback": [
            "kv list across deleteAll",
            "kv list across a failed transactionSync",
        ],
        "| `DROP TABLE`, rollback with a cursor open": ["cursor of many rows, transaction rolled back"],
    },
    "node": {
        "| errors of `Buffer`": ["buffer out of range", "buffer read outside"],
        "| `node:util`'s `inspect` of buffers": ["inspect typed"],
        "| failed assertions of `node:assert`": [
            "assert strictEqual",
            "assert strictEqual error",
            "assert throws other",
        ],
    },
    "node_more": {
        "| errors of other `node:` modules": [
            "url files",
            "premature close",
            "hmac unknown",
            "timing safe",
            "require missing",
        ],
        "| `node:diagnostics_channel`": ["channel", "channel by name", "channel bad", "channel stores"],
    },
    "node_rest": {
        "| `node:crypto`'s `scryptSync`": ["scryptSync"],
        "| a `PerformanceObserver`": ["observer"],
    },
    "objects": {"| `Math.random()` in the global scope": ["global scope"]},
    "platform": {
        "| a line break in a name of a form": ["form built injection"],
        CLONED_RESPONSE: ["clone response"],
        "| options of a `DOMException`": ["domexception cause"],
        "| times of `performance`": ["performance measure missing"],
        CLONED: ["response clone used"],
        TYPE_OF_BLOB: ["response blob type"],
    },
    "platform_more": {
        "`abortIsolate`, `restore`": ["names of cloudflare:workers"],
        "| `AsyncLocalStorage` in what is called later": [
            "als stream pull",
            "als writable write",
            "als abort timeout",
            "als websocket",
        ],
    },
    "rewriter": {
        ENGINE: ["without new"],
        "| an error that a handler of an `HTMLRewriter` throws": ["error that a handler throws"],
    },
    "rpc": {
        "| `dup()` of a stub that was disposed of": ["dup after dispose"],
        "| `durableObjectId` of an error": ["error id"],
    },
    "sql": {
        "| text that is not UTF-8": ["text with lone surrogate", "invalid utf-8"],
        "| `rowsRead`": ["rowsRead of scans"],
        "| `DROP TABLE`, rollback with a cursor open": ["drop while iterating", "rollback with open cursor"],
        "| `UPDATE` or `DELETE` with `LIMIT`": ["update limit"],
    },
    "sql_values": {
        "| Bytes that were transferred away, as a binding": ["blob detached"],
        "| Columns named `_cf_…`": ["reserved name of a column, changed"],
    },
    "storage": {
        "its methods work without their object": ["detached method"],
        NO_ARGUMENT: ["get without key", "delete without key"],
    },
    "streams": {
        STANDARD: [
            "byob min over end",
            "strategy infinity",
            "start throws",
            "pull counts",
            "tee pulls on demand",
            "tee cancel one",
            "pipe signal reasons",
            "writer abort pending",
            "writable size",
        ],
        "| an `IdentityTransformStream`": ["identity partial read", "identity concurrent reads"],
        TYPE_OF_BLOB: ["body blob type"],
    },
    "sync_kv": {
        ENGINE: ["get symbol"],
        "an empty `kv.list()` ends the iteration of older lists, too": ["list empty range, then older"],
    },
    "transactions": {
        ENGINE: [
            "key symbol",
            "key no prototype",
            "list limit bigint",
            "list limit symbol",
            "list start symbol",
            "get array with symbol",
            "delete array with symbol",
        ],
        CLONED_RESPONSE: ["value response"],
        NO_ARGUMENT: ["put nothing"],
        "A `Request` cannot be stored.": ["value request"],
        "the callback of a transaction has no `this`": ["transaction this"],
        "`deleteAll()` within `transactionSync` is refused": ["transactionSync deleteAll"],
    },
    "values": {
        "An error whose own properties lead back to it": ["error with itself as cause"],
        "| an error whose message is no string": ["error with number as message"],
        "| a view that is longer than its buffer": ["view out of bounds"],
    },
    "web": {
        CLONED: ["request clone used"],
        "| `preventDefault()` of an event that cannot be canceled": ["event cancel"],
    },
}
