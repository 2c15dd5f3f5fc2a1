"""
Compile the bindings' scripts in the guest, boot it once and keep its memory.

The high-level Wasmtime API is slow and safe: right for a build. The guest sees no host here: the clock stands at 0
and an op or a wish for randomness is an error, because nothing of this machine and moment may be baked in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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


def compile_script(guest: Guest, name: str, source: bytes) -> bytes:
    """
    The bytecode of a script.

    Args:
        guest: The linked guest, whose engine is the only one that can read it.
        name: File name in stacks.
        source: The script.
    Raises:
        BuildError: The script has an error, or the guest is not of the expected shape.
    """
    instance = _Instance(guest)
    instance.enter("durabox_compile", name.encode() + b"\0" + source, f"{name} does not compile")
    return instance.left()


def take_base_image(guest: Guest, bundle: bytes) -> BaseImage:
    """
    Evaluate the bindings and freeze the memory.

    Args:
        guest: The linked guest.
        bundle: The bindings, a script.
    Raises:
        BuildError: The bindings do not evaluate, or the guest is not of the expected shape.
    """
    code = compile_script(guest, "durabox:bindings", bundle)
    instance = _Instance(guest)
    instance.enter("durabox_boot", code, "the bindings do not evaluate")
    instance.check(instance.call("durabox_seal"), "the bindings cannot be frozen")
    memory = instance.contents()
    return BaseImage(
        code=guest.code,
        base=memory_module(len(memory) // PAGE, nonzero_runs(memory, STACK_BYTES)),
        pages=len(memory) // PAGE,
        stack_bytes=STACK_BYTES,
        protocol=instance.call("durabox_version"),
    )


class _Instance:
    """
    A guest that runs.

    Raises:
        BuildError: It is not of the expected shape.
    """

    def __init__(self, guest: Guest) -> None:
        import wasmtime as w  # only a build that really takes an image needs it

        if guest.stack_pointer != STACK_BYTES:
            raise BuildError(
                f"the stack begins at {guest.stack_pointer}, not at {STACK_BYTES}: data would lie below it"
            )
        engine, code = _compiled(guest)
        self._store = store = w.Store(engine)
        pages = next(i.type.limits.min for i in code.imports if isinstance(i.type, w.MemoryType))
        contents = w.Module(engine, memory_module(pages, list(guest.segments)))
        memory = w.Instance(store, contents, []).exports(store)["memory"]
        if not isinstance(memory, w.Memory):
            raise BuildError("the memory module exports no memory")
        self._memory = memory
        instance = w.Instance(store, code, [_import(w, store, memory, i) for i in code.imports])
        self._exports = instance.exports(store)
        self.call("_initialize")

    def call(self, name: str, *arguments: int) -> Any:
        """What an exported function returns."""
        function: Any = self._exports[name]
        return function(self._store, *arguments)

    def enter(self, name: str, content: bytes, failure: str) -> None:
        """
        Call a function that takes what lies in scratch.

        Raises:
            BuildError: It failed.
        """
        self._memory.write(self._store, content, self.call("durabox_scratch", len(content)))
        self.check(self.call(name, len(content)), failure)

    def check(self, result: int, failure: str) -> None:
        """
        Judge a result.

        Raises:
            BuildError: It is not that of success.
        """
        if result:
            raise BuildError(f"{failure} ({result}): {self.left().decode(errors='replace')}")

    def left(self) -> bytes:
        """What a function left in scratch."""
        at = self.call("durabox_scratch", 0)
        return bytes(self._memory.read(self._store, at, at + self.call("durabox_error_len")))

    def contents(self) -> bytes:
        """The memory."""
        return bytes(self._memory.read(self._store))


@lru_cache(maxsize=1)
def _compiled(guest: Guest) -> tuple[Any, Any]:
    """Wasmtime's engine and the guest's code in it."""
    import wasmtime as w

    engine = w.Engine()
    return engine, w.Module(engine, guest.code)


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
