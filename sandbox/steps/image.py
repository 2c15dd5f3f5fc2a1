"""
Boot the guest once and keep its memory.

The high-level Wasmtime API is slow and safe: right for a build. The guest sees no host here: the clock stands at 0
and an op or a wish for randomness is an error, because nothing of this machine and moment may be baked in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.steps.compiler import STACK_BYTES
from sandbox.steps.layout import BuildError
from sandbox.steps.wasm import PAGE, Guest, memory_module, nonzero_runs


@dataclass(frozen=True, slots=True)
class BaseImage:
    """
    The booted guest.

    Args:
        code: The code module, to be instantiated over the memory of `base`.
        base: The memory module.
        pages: Size of the memory, in pages of 64 KiB.
        stack_bytes: The stack occupies the memory from 0 up to here; below is nothing worth keeping when idle.
        protocol: Version of the protocol that the guest speaks.
    """

    code: bytes
    base: bytes
    pages: int
    stack_bytes: int
    protocol: int


def take_base_image(guest: Guest, bundle: bytes) -> BaseImage:
    """
    Evaluate the bindings and freeze the memory.

    Args:
        guest: The linked guest.
        bundle: The bindings, a script.
    Raises:
        BuildError: The bindings do not evaluate, or the guest is not of the expected shape.
    """
    import wasmtime as w  # only a build that really takes an image needs it

    if guest.stack_pointer != STACK_BYTES:
        raise BuildError(
            f"the stack begins at {guest.stack_pointer}, not at {STACK_BYTES}: data would lie below it"
        )
    engine = w.Engine()
    store = w.Store(engine)
    code = w.Module(engine, guest.code)
    pages = next(i.type.limits.min for i in code.imports if isinstance(i.type, w.MemoryType))
    contents = w.Module(engine, memory_module(pages, list(guest.segments)))
    memory = w.Instance(store, contents, []).exports(store)["memory"]
    if not isinstance(memory, w.Memory):
        raise BuildError("the memory module exports no memory")
    instance = w.Instance(store, code, [_import(w, store, memory, i) for i in code.imports])
    exports = instance.exports(store)

    def call(name: str, *arguments: int) -> Any:
        function = exports[name]
        if not isinstance(function, w.Func):
            raise BuildError(f"the guest exports no function {name}")
        return function(store, *arguments)

    call("_initialize")
    memory.write(store, bundle, call("durabox_scratch", len(bundle)))
    result = call("durabox_boot", len(bundle)) or call("durabox_seal")
    if result:
        at = call("durabox_scratch", 0)
        text = bytes(memory.read(store, at, at + call("durabox_error_len")))
        raise BuildError(f"the bindings do not evaluate ({result}): {text.decode(errors='replace')}")
    raw = bytes(memory.read(store))
    return BaseImage(
        code=guest.code,
        base=memory_module(len(raw) // PAGE, nonzero_runs(raw, STACK_BYTES)),
        pages=len(raw) // PAGE,
        stack_bytes=STACK_BYTES,
        protocol=call("durabox_version"),
    )


def _import(w: Any, store: Any, memory: Any, wanted: Any) -> Any:
    """What stands in for one of the guest's imports while it boots."""

    def refuse(*arguments: int) -> int:
        raise BuildError(
            f"the bindings called the host ({wanted.name}{arguments}) while the image was being taken"
        )

    def abort(at: int, length: int) -> None:
        text = bytes(memory.read(store, at, at + length)).decode(errors="replace")
        raise BuildError(f"the guest gave up: {text}")

    if wanted.module != "durabox":
        raise BuildError(f"the guest imports {wanted.module}.{wanted.name}")
    if wanted.name == "memory":
        return memory
    functions = {"op": refuse, "reply": refuse, "random": refuse, "clock": lambda: 0.0, "abort": abort}
    if wanted.name not in functions:
        raise BuildError(f"the guest imports the unknown function durabox.{wanted.name}")
    return w.Func(store, wanted.type, functions[wanted.name])
