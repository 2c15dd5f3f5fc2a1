"""
The guest without the host: tests drive the compiled C directly, with a bundle of their own.

It uses Wasmtime's plain API, so that what fails here is the guest's fault and not the engine's. The bundle gives test
sources `native` and `report(value)`, which appends to `Guest.reports`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import wasmtime as w

from sandbox.steps.compiler import compile_guest
from sandbox.steps.image import BaseImage, take_base_image
from sandbox.steps.layout import Layout
from sandbox.steps.wasm import PAGE, cut, memory_module, nonzero_runs

#: Stack of the machine for wasm frames, and what of the guest's own stack that is known to be enough for: machine frames
#: take up to 16 times the room of the guest's.
NATIVE_STACK = 1920 << 10
STACK = NATIVE_STACK // 16

START, RUN = 1, 2
REPORT, REJECTION, RESOLVE, LOAD, SOURCE = 100, 101, 5, 6, 7

BUNDLE = b"""
(native) => {
  const report = (value) => native.op(100, [value]);
  return {
    makeError(name, message, stack, properties) {
      const error = new ({ TypeError, RangeError, SyntaxError }[name] ?? Error)(message);
      if (error.name !== name) error.name = name;
      if (stack) error.stack = stack;
      return Object.assign(error, properties);
    },
    writeHostObject() {},
    readHostObject() { throw new RangeError("no such object"); },
    unhandledRejection(reason) { native.op(101, [String(reason)]); },
    provideModule() {},
    dispatch(kind, args, body) {
      if (kind === 1) native.seed();
      else native.evalScript(args[0], "test.js")(native, report, args[1], body);
    },
  };
}
"""


@cache
def base_image() -> BaseImage:
    """The guest with the test bundle; compiled once per run, from the build's cache where it is warm."""
    return take_base_image(cut(compile_guest(Layout.default(), lambda line: None)), BUNDLE)


@cache
def _modules() -> tuple[w.Engine, w.Module, w.Module]:
    image = base_image()
    config = w.Config()
    config.max_wasm_stack = NATIVE_STACK
    engine = w.Engine(config)
    return engine, w.Module(engine, image.code), w.Module(engine, image.base)


class Aborted(Exception):
    """The guest ended itself."""


class GuestThrew(Exception):
    """The dispatcher threw; carries the text that the guest left."""


class GuestOutOfMemory(Exception):
    """The guest reported that its engine ran out of memory."""


class Guest:
    """
    One instance.

    Args:
        modules: ES modules by name: source, or (type, bytes).
        started: Whether the start event has been sent.
        memory: The engine's memory limit in bytes, 0 for none.
        stack: The JavaScript stack in bytes.
    """

    def __init__(
        self,
        modules: dict[str, str | tuple[str, bytes]] | None = None,
        *,
        started: bool = True,
        memory: int = 64 << 20,
        stack: int = STACK,
    ) -> None:
        self.modules = modules or {}
        self.reports: list[Any] = []
        self.rejections: list[str] = []
        self.clock = 0.0
        self.ops: dict[int, Callable[[bytes, bytes], bytes]] = {
            REPORT: self._report,
            REJECTION: self._rejection,
            RESOLVE: self._resolve,
            LOAD: self._load,
            SOURCE: self._source,
        }
        self._random = itertools.count(1)
        self._reply = b""
        engine, code, base = _modules()
        self._instantiate(engine, code, base)
        self.call("durabox_limits", memory, stack)
        if started:
            self.event(START)

    def _instantiate(self, engine: w.Engine, code: w.Module, base: w.Module) -> None:
        self._store = w.Store(engine)
        self._memory: Any = w.Instance(self._store, base, []).exports(self._store)["memory"]
        functions: dict[str, Callable[..., Any]] = {
            "op": self._op, "reply": self._copy_reply, "clock": lambda: self.clock,
            "random": self._fill, "abort": self._abort,
        }  # fmt: skip
        imports: list[Any] = []
        for wanted in code.imports:
            kind: Any = wanted.type
            imports.append(
                w.Func(self._store, kind, functions[str(wanted.name)])
                if wanted.name in functions
                else self._memory
            )
        self._exports = w.Instance(self._store, code, imports).exports(self._store)

    def frozen_copy(self) -> Guest:
        """A guest that starts from an image of this one's memory."""
        engine, code, _ = _modules()
        raw = bytes(self._memory.read(self._store))
        base = memory_module(len(raw) // PAGE, nonzero_runs(raw, base_image().stack_bytes))
        copy = Guest()
        copy._instantiate(engine, code, w.Module(engine, base))
        return copy

    @property
    def memory_bytes(self) -> int:
        """Size of the instance's memory."""
        return int(self._memory.data_len(self._store))

    def call(self, name: str, *arguments: int) -> Any:
        """Call an export."""
        function: Any = self._exports[name]
        return function(self._store, *arguments)

    def event(self, kind: int, args: Any = (), body: bytes = b"", raw: bytes | None = None) -> None:
        """Deliver an event; `raw` are the encoded arguments, right or wrong."""
        packed = msgspec.msgpack.encode(args) if raw is None else raw
        at = self.call("durabox_scratch", len(packed) + len(body))
        self._memory.write(self._store, packed + body, at)
        result = self.call("durabox_event", kind, len(packed), len(body))
        if result == 2:
            raise GuestOutOfMemory
        if result:
            at = self.call("durabox_scratch", 0)
            raise GuestThrew(bytes(self._read(at, self.call("durabox_error_len"))).decode())

    def run(self, source: str, argument: Any = None, body: bytes = b"") -> list[Any]:
        """Run `(native, report, argument, body) => { source }`, and all that follows; gives what was reported."""
        self.reports.clear()
        self.event(RUN, [f"async (native, report, argument, body) => {{{source}\n}}", argument], body)
        return list(self.reports)

    def value(self, expression: str, argument: Any = None, body: bytes = b"") -> Any:
        """The value of one expression, or the text of what it throws."""
        (value,) = self.run(
            f"try {{ report(await ({expression})) }} catch (e) {{ report(`${{e.name}}: ${{e.message}}`) }}",
            argument,
            body,
        )
        return value

    def record(self, number: int, reply: bytes = b"") -> list[tuple[bytes, bytes]]:
        """Serve an op by one reply; gives the list to which the arguments and body of each call are appended."""
        calls: list[tuple[bytes, bytes]] = []

        def serve(args: bytes, body: bytes) -> bytes:
            calls.append((args, body))
            return reply

        self.ops[number] = serve
        return calls

    def _read(self, at: int, length: int) -> bytes:
        return bytes(self._memory.read(self._store, at, at + length))

    def _op(
        self, number: int, args: int, args_len: int, body: int, body_len: int, reply: int, cap: int
    ) -> int:
        handler = self.ops.get(number)
        if handler is None:
            raise AssertionError(f"the guest called op {number}, which the test does not serve")
        self._reply = handler(self._read(args, args_len), self._read(body, body_len))
        if len(self._reply) > cap:
            return -len(self._reply)
        self._memory.write(self._store, self._reply, reply)
        return len(self._reply)

    def _copy_reply(self, reply: int, cap: int) -> int:
        assert cap >= len(self._reply)
        self._memory.write(self._store, self._reply, reply)
        return len(self._reply)

    def _fill(self, at: int, length: int) -> None:
        self._memory.write(self._store, bytes(next(self._random) % 256 for _ in range(length)), at)

    def _abort(self, at: int, length: int) -> None:
        raise Aborted(self._read(at, length).decode())

    def _report(self, args: bytes, body: bytes) -> bytes:
        self.reports.extend(msgspec.msgpack.decode(args))
        return b""

    def _rejection(self, args: bytes, body: bytes) -> bytes:
        self.rejections.extend(msgspec.msgpack.decode(args))
        return b""

    def _resolve(self, args: bytes, body: bytes) -> bytes:
        specifier, referrer = msgspec.msgpack.decode(args)
        name = specifier.removeprefix("./")
        if name not in self.modules:
            return error("Error", f"no module {specifier!r}, imported by {referrer!r}")
        return text(name)

    def _load(self, args: bytes, body: bytes) -> bytes:
        (name,) = msgspec.msgpack.decode(args)
        module = self.modules[name]
        kind = "esm" if isinstance(module, str) else module[0]
        return value([kind, f"file:///{name}"])

    def _source(self, args: bytes, body: bytes) -> bytes:
        module = self.modules[args.decode()]
        return b"\3" + (module.encode() if isinstance(module, str) else module[1])


def value(value: Any) -> bytes:
    """The reply that is a msgpack value."""
    return b"\1" + msgspec.msgpack.encode(value)


def text(text: str) -> bytes:
    """The reply that is a string."""
    return b"\5" + text.encode("utf-8", "surrogatepass")


def error(name: str, message: str, stack: str = "", **properties: Any) -> bytes:
    """The reply that throws."""
    return b"\4" + msgspec.msgpack.encode([name, message, stack, properties])
