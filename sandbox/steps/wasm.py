"""
The little surgery on wasm binaries that the image needs.

A linked guest is cut in two: the code, which imports its memory, and the memory's contents, which end up as the
data segments of a module that has nothing else. Format: WebAssembly core specification, chapter "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.steps.layout import BuildError

PAGE = 65536
#: Granularity at which contents are compared with zero; the size of the pages that instances share.
RUN = 4096

_HEADER = b"\0asm\1\0\0\0"
_CUSTOM, _IMPORT, _MEMORY, _GLOBAL, _EXPORT, _DATA, _DATA_COUNT = 0, 2, 5, 6, 7, 11, 12
_I32_CONST, _END = 0x41, 0x0B


def uleb(n: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while True:
        byte, n = n & 127, n >> 7
        if not n:
            out.append(byte)
            return bytes(out)
        out.append(byte | 128)


def sleb(n: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while True:
        byte, n = n & 127, n >> 7
        if (n == 0 and not byte & 64) or (n == -1 and byte & 64):
            out.append(byte)
            return bytes(out)
        out.append(byte | 128)


class _Reader:
    """Reads LEB128 numbers and names from one section."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def uleb(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def sleb(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result - (1 << shift) if byte & 64 else result

    def take(self, n: int) -> bytes:
        self.at += n
        return self.data[self.at - n : self.at]

    def name(self) -> bytes:
        return self.take(self.uleb())

    def limits(self) -> bytes:
        start = self.at
        flags = self.byte()
        self.uleb()
        if flags & 1:
            self.uleb()
        return self.data[start : self.at]


@dataclass(frozen=True, slots=True)
class Guest:
    """
    A linked guest, cut.

    Args:
        code: A module with everything but data; it imports `durabox.memory`.
        segments: What the data section put where: (address, bytes).
        stack_pointer: Initial value of the one mutable global. Each export gives it back as it found it, so an
            instance at rest has this value, and so does a fresh instance over an image of its memory.
    """

    code: bytes
    segments: tuple[tuple[int, bytes], ...]
    stack_pointer: int


def cut(wasm: bytes) -> Guest:
    """
    Separate code from data.

    Args:
        wasm: What the linker made with an imported memory.
    Raises:
        BuildError: The module is not of the shape that images rely on.
    """
    if wasm[:8] != _HEADER:
        raise BuildError("the linker's output is not a wasm module")
    out = bytearray(_HEADER)
    segments: tuple[tuple[int, bytes], ...] = ()
    stack_pointer = None
    reader = _Reader(wasm)
    reader.at = 8
    while reader.at < len(wasm):
        number = reader.byte()
        body = reader.take(reader.uleb())
        if number == _DATA:
            segments = tuple(_segments(body))
        elif number == _GLOBAL:
            stack_pointer = _stack_pointer(body)
        elif number == _IMPORT:
            body = _rename_memory(body)
        if number not in (_DATA, _DATA_COUNT, _CUSTOM):
            out += _section(number, body)
    if stack_pointer is None:
        raise BuildError("the guest has no stack pointer")
    return Guest(bytes(out), segments, stack_pointer)


def memory_module(pages: int, segments: list[tuple[int, bytes]]) -> bytes:
    """
    A module that only defines and exports a memory with contents.

    Args:
        pages: Its size in pages of 64 KiB.
        segments: (address, bytes), in rising order.
    """
    return (
        _HEADER
        + _section(_MEMORY, b"\1\0" + uleb(pages))
        + _section(_EXPORT, b"\1" + _name(b"memory") + b"\2\0")
        + _section(
            _DATA,
            uleb(len(segments))
            + b"".join(
                b"\0" + bytes([_I32_CONST]) + sleb(address) + bytes([_END]) + uleb(len(data)) + data
                for address, data in segments
            ),
        )
    )


def nonzero_runs(memory: bytes, start: int) -> list[tuple[int, bytes]]:
    """
    Find what a memory holds.

    Args:
        memory: The whole memory.
        start: Contents below this address are ignored.
    Returns:
        (address, bytes) of the runs that are not zero, in whole units of `RUN`.
    """
    zero = bytes(RUN)
    runs: list[tuple[int, bytes]] = []
    at = start
    while at < len(memory):
        end = at
        while end < len(memory) and memory[end : end + RUN] != zero:
            end += RUN
        if end > at:
            runs.append((at, memory[at:end]))
        at = end + RUN
    return runs


def _name(name: bytes) -> bytes:
    return uleb(len(name)) + name


def _section(number: int, body: bytes) -> bytes:
    return bytes([number]) + uleb(len(body)) + body


def _segments(body: bytes) -> list[tuple[int, bytes]]:
    reader = _Reader(body)
    segments = []
    for _ in range(reader.uleb()):
        if reader.byte() != 0 or reader.byte() != _I32_CONST:
            raise BuildError("the guest has data that is not placed at a constant address")
        address = reader.sleb()
        if reader.byte() != _END:
            raise BuildError("the guest has data whose address is computed")
        segments.append((address, reader.take(reader.uleb())))
    return segments


def _stack_pointer(body: bytes) -> int:
    reader = _Reader(body)
    mutable: list[int] = []
    for _ in range(reader.uleb()):
        reader.byte()
        is_mutable = reader.byte()
        if reader.byte() != _I32_CONST:
            raise BuildError("the guest has a global that is not a constant number")
        value = reader.sleb()
        reader.byte()
        if is_mutable:
            mutable.append(value)
    if len(mutable) != 1:
        raise BuildError(
            f"the guest has {len(mutable)} mutable globals; an image restores memory and only the stack pointer is "
            "known to be the same in a fresh instance"
        )
    return mutable[0]


def _rename_memory(body: bytes) -> bytes:
    """The import section with `env.memory` as `durabox.memory`."""
    reader = _Reader(body)
    count = reader.uleb()
    out = bytearray(uleb(count))
    memories = 0
    for _ in range(count):
        module, name, kind = reader.name(), reader.name(), reader.byte()
        if kind == 0:
            description = uleb(reader.uleb())
        elif kind == 2:
            description = reader.limits()
            module = b"durabox"
            memories += 1
        else:
            raise BuildError(f"the guest imports {name.decode()}, which is neither function nor memory")
        out += _name(module) + _name(name) + bytes([kind]) + description
    if memories != 1:
        raise BuildError("the guest does not import its memory")
    return bytes(out)
