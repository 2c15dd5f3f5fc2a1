"""
Compile the bindings' scripts in the guest, boot it once and keep its memory.

The high-level Wasmtime API is slow and safe: right for a build. The guest sees no host here but for layers: the clock stands at 0
and any other op or a wish for randomness is an error, because nothing of this machine and moment may be baked in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, ModuleType
from typing import Any, NoReturn

from sandbox.steps.compiler import STACK_BYTES
from sandbox.steps.layout import BuildError
from sandbox.steps.wasm import PAGE, Guest, memory_module, nonzero_runs

#: A reply that is an ArrayBuffer.
_BYTES = b"\x03"
#: The empty array in msgpack.
_NO_ARGUMENTS = b"\x90"


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
    memory = instance.freeze("the bindings cannot be frozen")
    return BaseImage(
        code=guest.code,
        base=memory,
        pages=instance.pages,
        stack_bytes=STACK_BYTES,
        protocol=instance.call("durabox_version"),
    )


def take_intl_image(
    guest: Guest, base: BaseImage, layers: Mapping[str, bytes], protocol: ModuleType
) -> bytes:
    """
    Evaluate the layer of `Intl` on top of the base image and freeze the memory.

    Args:
        guest: The linked guest.
        base: What it booted to.
        layers: Bytecode of layers by name.
        protocol: The table of events and ops.
    Returns:
        The memory module.
    Raises:
        BuildError: It cannot be evaluated without a host.
    """
    instance = _Instance(
        guest, base.base, {protocol.OP["layer"]: lambda name: _BYTES + layers[name.decode()]}
    )
    instance.deliver(protocol.EVENT["prepare_intl"], "Intl cannot be prepared")
    return instance.freeze("the image with Intl cannot be frozen")


class _Instance:
    """
    A guest that runs.

    Args:
        guest: The linked guest.
        memory: The memory module that it starts from; ``None``: before it was booted.
        ops: Answers ops by number: a function from the arguments to the reply. All others are errors.
    Raises:
        BuildError: It is not of the expected shape.
    """

    def __init__(
        self,
        guest: Guest,
        memory: bytes | None = None,
        ops: Mapping[int, Callable[[bytes], bytes]] = MappingProxyType({}),
    ) -> None:
        import wasmtime as w  # only a build that really takes an image needs it

        if guest.stack_pointer != STACK_BYTES:
            raise BuildError(
                f"the stack begins at {guest.stack_pointer}, not at {STACK_BYTES}: data would lie below it"
            )
        engine, code = _compiled(guest)
        self._store = store = w.Store(engine)
        self._ops, self._reply = ops, b""
        if memory is None:
            pages = next(i.type.limits.min for i in code.imports if isinstance(i.type, w.MemoryType))
            contents = memory_module(pages, list(guest.segments))
        else:
            contents = memory
        exported = w.Instance(store, w.Module(engine, contents), []).exports(store)["memory"]
        if not isinstance(exported, w.Memory):
            raise BuildError("the memory module exports no memory")
        self._memory = exported
        instance = w.Instance(store, code, [self._import(w, i) for i in code.imports])
        self._exports = instance.exports(store)
        if memory is None:
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

    def deliver(self, event: int, failure: str) -> None:
        """
        Run an event without arguments.

        Raises:
            BuildError: It failed.
        """
        self._memory.write(self._store, _NO_ARGUMENTS, self.call("durabox_scratch", len(_NO_ARGUMENTS)))
        self.check(self.call("durabox_event", event, len(_NO_ARGUMENTS), 0), failure)

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

    def freeze(self, failure: str) -> bytes:
        """
        The memory as it is now, as a module.

        Raises:
            BuildError: There is no room for what belongs to an image.
        """
        self.check(self.call("durabox_seal"), failure)
        memory = bytes(self._memory.read(self._store))
        return memory_module(len(memory) // PAGE, nonzero_runs(memory, STACK_BYTES))

    @property
    def pages(self) -> int:
        """Size of the memory, in pages of 64 KiB."""
        return int(self._memory.size(self._store))

    def _import(self, w: Any, wanted: Any) -> Any:
        """What stands in for one of the guest's imports."""
        if wanted.module != "durabox":
            raise BuildError(f"the guest imports {wanted.module}.{wanted.name}")
        if wanted.name == "memory":
            return self._memory
        functions: dict[str, Callable[..., Any]] = {
            "op": self._op, "reply": self._copy_reply, "random": _refuse, "clock": lambda: 0.0, "abort": self._abort,
        }  # fmt: skip
        if wanted.name not in functions:
            raise BuildError(f"the guest imports the unknown function durabox.{wanted.name}")
        return w.Func(self._store, wanted.type, functions[wanted.name])

    def _op(
        self, number: int, args: int, args_len: int, body: int, body_len: int, reply: int, cap: int
    ) -> int:
        answer = self._ops.get(number)
        if answer is None:
            _refuse(number)
        self._reply = answer(bytes(self._memory.read(self._store, args, args + args_len)))
        return self._copy_reply(reply, cap) if len(self._reply) <= cap else -len(self._reply)

    def _copy_reply(self, reply: int, cap: int) -> int:
        self._memory.write(self._store, self._reply, reply)
        return len(self._reply)

    def _abort(self, at: int, length: int) -> None:
        text = bytes(self._memory.read(self._store, at, at + length)).decode(errors="replace")
        raise BuildError(f"the guest gave up: {text}")


def _refuse(*arguments: int) -> NoReturn:
    raise BuildError(f"the bindings called the host {arguments} while an image was being taken")


@lru_cache(maxsize=1)
def _compiled(guest: Guest) -> tuple[Any, Any]:
    """Wasmtime's engine and the guest's code in it."""
    import wasmtime as w

    engine = w.Engine()
    return engine, w.Module(engine, guest.code)
