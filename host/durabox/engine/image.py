"""Memory images: a guest's memory, frozen, from which any number of isolates start copy-on-write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durabox.engine.isolate import Isolate

if TYPE_CHECKING:
    from durabox.engine.engine import Engine
    from durabox.engine.ffi.engine import Module
    from durabox.engine.ops import OpHandlers
    from durabox.limits import Limits

#: Bytes of an image that Wasmtime maps whatever is in it: its default ``memory_guaranteed_dense_image_size``.
_ALWAYS_MAPPED: Final = 16 << 20
#: What of a larger image must have contents for it to be mapped; Wasmtime's limit is a half, of what it rounds in its own way.
_DENSE: Final = 0.6
_WASM_PAGE: Final = 65_536
#: What the kernel copies when an isolate first writes to it.
_PAGE: Final = 4096
_EMPTY: Final = bytes(_PAGE)


def _unsigned(number: int) -> bytes:
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if not number:
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def _signed(number: int) -> bytes:
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if (number == 0 and not byte & 0x40) or (number == -1 and byte & 0x40):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def _section(number: int, *body: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    return bytes([number]) + _unsigned(sum(map(len, body))), *body


def _dense_enough(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """
    Runs of a memory's contents that Wasmtime maps: with gaps closed, the smallest first, where too little would be left.

    Source: Wasmtime's ``Module::try_static_init`` copies segment by segment, for every instance, what is larger than
    `_ALWAYS_MAPPED` and has contents in less than half of its extent.
    """
    extent = runs[-1][1] - runs[0][0] if runs else 0
    missing = extent * _DENSE - sum(end - begin for begin, end in runs)
    if extent <= _ALWAYS_MAPPED or missing <= 0:
        return runs
    closed = set()
    for gap, number in sorted((runs[at][0] - runs[at - 1][1], at) for at in range(1, len(runs))):
        closed.add(number)
        missing -= gap
        if missing <= 0:
            break
    dense = runs[:1]
    for number, (begin, end) in enumerate(runs[1:], 1):
        if number in closed:
            dense[-1] = (dense[-1][0], end)
        else:
            dense.append((begin, end))
    return dense


def memory_module(memory: memoryview) -> bytes:
    """
    A WebAssembly module that only defines and exports a memory with these contents.

    Args:
        memory: Whole WebAssembly pages; little but the parts that are not zero is stored. They are megabytes: what is stored is
            copied once.
    """
    runs: list[tuple[int, int]] = []
    start = -1
    for offset in range(0, len(memory), _PAGE):
        if memory[offset : offset + _PAGE].tobytes() == _EMPTY:
            if start >= 0:
                runs.append((start, offset))
                start = -1
        elif start < 0:
            start = offset
    if start >= 0:
        runs.append((start, len(memory)))
    runs = _dense_enough(runs)
    segments: list[bytes | memoryview] = [_unsigned(len(runs))]
    for begin, end in runs:
        segments += (
            b"\x00\x41" + _signed(begin) + b"\x0b" + _unsigned(end - begin),
            memory[begin:end],
        )
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            *_section(5, b"\1\0" + _unsigned(len(memory) // _WASM_PAGE)),
            *_section(7, b"\1" + _unsigned(6) + b"memory" + b"\2\0"),
            *_section(11, *segments),
        )
    )


class Image:
    """
    A frozen memory. Made by `Engine` and by `Isolate.freeze`.

    Args:
        engine: The engine it belongs to.
        module: The compiled memory module.
    """

    __slots__ = ("engine", "module")

    def __init__(self, engine: Engine, module: Module) -> None:
        self.engine = engine
        self.module = module

    def instantiate(self, ops: OpHandlers, limits: Limits) -> Isolate:
        """
        A new isolate that starts from this image.

        Args:
            ops: Serves its ops.
            limits: What it may use.
        Raises:
            EngineError: As many isolates live as the engine has room for.
        """
        return Isolate(self.engine, self.module, ops, limits)

    def close(self) -> None:
        """Give its memory back, some megabytes that Python's collector knows nothing of. Isolates that started from it go on."""
        self.module.close()
