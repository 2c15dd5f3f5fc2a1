"""A guest made by hand that calls whatever ops a test wants, with whatever pointers; it stands for one taken over."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import wasmtime as w

from durabox.engine.engine import Engine
from durabox.engine.ffi.engine import Module
from durabox.engine.image import Image, memory_module
from durabox.engine.isolate import Isolate
from durabox.engine.ops import OpHandlers
from durabox.limits import Limits

PAGE = 65_536
PAGES = 4
#: Where messages arrive, and where replies go unless a test wants them elsewhere.
SCRATCH, REPLY, REPLY_CAP = 1024, 3 * PAGE, PAGE

#: An event's body is a list of calls, each `function, seven arguments, length` and that many bytes, which the
#: arguments may point at. Function 0 is `op`, 1 `reply`, 2 `random`, 3 `abort`, 4 gives back what a call returned.
CODE = f"""
(module
  (import "durabox" "memory" (memory 1))
  (import "durabox" "op" (func $op (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "durabox" "reply" (func $reply (param i32 i32) (result i32)))
  (import "durabox" "clock" (func $clock (result f64)))
  (import "durabox" "random" (func $random (param i32 i32)))
  (import "durabox" "abort" (func $abort (param i32 i32)))
  (export "memory" (memory 0))
  (func (export "durabox_scratch") (param $n i32) (result i32) (i32.const {SCRATCH}))
  (func (export "durabox_limits") (param i32 i32) (result i32) (i32.const {SCRATCH}))
  (func (export "durabox_error_len") (result i32) (i32.const 0))
  (func (export "durabox_seal") (result i32) (i32.const 0))
  (func (export "durabox_event") (param $kind i32) (param $args i32) (param $body i32) (result i32)
    (local $at i32) (local $end i32) (local $what i32) (local $result i32)
    (local.set $at (i32.add (i32.const {SCRATCH}) (local.get $args)))
    (local.set $end (i32.add (local.get $at) (local.get $body)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $what (i32.load (local.get $at)))
      (if (i32.eq (local.get $what) (i32.const 0)) (then
        (local.set $result (call $op (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at))
          (i32.load offset=12 (local.get $at)) (i32.load offset=16 (local.get $at)) (i32.load offset=20 (local.get $at))
          (i32.load offset=24 (local.get $at)) (i32.load offset=28 (local.get $at))))))
      (if (i32.eq (local.get $what) (i32.const 1)) (then
        (local.set $result (call $reply (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at))))))
      (if (i32.eq (local.get $what) (i32.const 2)) (then
        (call $random (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at)))))
      (if (i32.eq (local.get $what) (i32.const 3)) (then
        (call $abort (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at)))))
      (if (i32.eq (local.get $what) (i32.const 4)) (then (return (local.get $result))))
      (local.set $at (i32.add (i32.add (local.get $at) (i32.const 36)) (i32.load offset=32 (local.get $at))))
      (br $next)))
    (i32.const 0)))
"""

_HEAD = struct.Struct("<i7II")


@dataclass
class Forged:
    """What an `Isolate` needs of an engine, with this guest's code; and an image of it."""

    native: Any
    code: Module
    memory: Module

    def instantiate(self, ops: OpHandlers, limits: Limits) -> Isolate:
        """See `Image.instantiate`."""
        return Isolate(cast("Engine", self), self.memory, ops, limits)


@cache
def forged() -> Forged:
    """The guest, compiled once."""
    native = Engine.shared().native
    return Forged(
        native,
        native.compile(bytes(w.wat2wasm(CODE))),
        native.compile(memory_module(memoryview(bytes(PAGES * PAGE)))),
    )


def image() -> Image:
    """The guest as an image."""
    return cast("Image", forged())


def call(function: int, *arguments: int, data: bytes = b"") -> bytes:
    """One entry of an event's body; arguments are taken modulo 2**32."""
    padded = [argument & 0xFFFF_FFFF for argument in (*arguments, *[0] * (7 - len(arguments)))]
    return _HEAD.pack(function, *padded, len(data)) + data


class Script:
    """
    A list of calls. Where their bytes will lie depends on the length of the event's own arguments.

    Args:
        arguments: Bytes of msgpack in front of the body.
    """

    def __init__(self, arguments: int = 1) -> None:
        self.body = b""
        self._at = SCRATCH + arguments

    def op(self, number: int, args: bytes = b"", body: bytes = b"", cap: int = REPLY_CAP) -> Script:
        """A well-formed call of an op."""
        at = self._at + len(self.body) + _HEAD.size
        self.body += call(0, number, at, len(args), at + len(args), len(body), REPLY, cap, data=args + body)
        return self

    def place(self, data: bytes) -> int:
        """Put bytes in its memory; gives their address."""
        at = self._at + len(self.body) + _HEAD.size
        self.body += call(9, data=data)
        return at

    def raw(self, function: int, *arguments: int, data: bytes = b"") -> Script:
        """Any call."""
        self.body += call(function, *arguments, data=data)
        return self
