"""Drive maximal nesting through every op and every decoder; exit code 0 when each was an error of ours, or no error.

A program of its own, because from Python 3.12 on an overflow of the stack ends the process; and the stack in
question is a fiber's. Needs only durabox: `.ci/try_wheel.py` runs it under every version of Python.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from durabox import Sandbox
from durabox.engine.engine import Engine
from durabox.engine.ops import OpHandlers
from durabox.engine.protocol import EVENT, OPS
from durabox.errors import DuraboxError
from durabox.limits import Limits
from durabox.wire import decode
from tests.engine.forged import Script, image

DEPTHS = (200, 1000, 20_000, 60_000)
OPENINGS = (b"\x91", b"\x81\xa1k", b"\xdd\x00\x00\x00\x01")


class Everything(OpHandlers):
    """Serves every op, so that all arguments are decoded; takes bodies apart as far as they go."""


def serve(self: Everything, *arguments: Any) -> None:
    if arguments[-1]:
        decode(arguments[-1])


for _op in OPS:
    setattr(Everything, f"op_{_op.name}", serve)
# The table of a class is made when the class is.
Nested = type("Nested", (Everything,), {})


Silent = type("Silent", (OpHandlers,), {f"op_{op.name}": lambda self, *arguments: None for op in OPS})


def forged_arguments() -> int:
    """Nested arguments and bodies of every op, from a guest that was taken over."""
    tried = 0
    for op in OPS:
        for opening in OPENINGS:
            for depth in DEPTHS:
                nested = opening * depth
                if len(nested) > 150_000:
                    continue
                for args, body in (
                    (nested + b"\xc0", b""),
                    (b"\x94\xa1E\xa1m\xa1s" + nested, b""),
                    (b"\x90", nested + b"\xc0"),
                ):
                    isolate = image().instantiate(Nested(), Limits())
                    try:
                        asyncio.run(isolate.run(1, [], Script().op(op.number, args, body).body))
                    except DuraboxError:
                        pass
                    finally:
                        isolate.close()
                    tried += 1
    return tried


DEEP = "let a = []; for (let i = 0; i < {depth}; i++) a = {wrap}; "
SOURCES = [
    DEEP + "structuredClone(a)",
    # Lists alone: it looks for each value among all that are around it, so that many levels take long.
    DEEP.replace("{wrap}", "[a]") + "JSON.stringify(a)",
    DEEP + "a",
    DEEP + "console.log(a)",
    DEEP + "`${{a}}`",
    DEEP + "throw Object.assign(new Error('x'), {{ a, cause: a }})",
    DEEP + "Promise.reject(a); 1",
    "JSON.parse('['.repeat({depth}))",
    "JSON.parse('{{\"a\":'.repeat({depth}))",
    "new RegExp('('.repeat({depth}) + ')'.repeat({depth}))",
    "new URL('http://x/' + '../'.repeat({depth})).href.length",
]
WRAPS = [
    "[a]",
    "{ a }",
    "new Map([[a, a]])",
    "new Set([a])",
    "Object.assign(new Error(''), { a })",
    "new Error('', { cause: a })",
]


async def javascript() -> int:
    """The same from within: what JavaScript can nest."""
    tried = 0
    for stack_kb in (64, 512):
        async with Sandbox(limits=Limits(stack_kb=stack_kb, cpu_ms=20_000)) as box:
            for source in SOURCES:
                for wrap in WRAPS if "{wrap}" in source else WRAPS[:1]:
                    for depth in (255, 257, 2001, 20_000):
                        text = (
                            source.replace("{wrap}", wrap)
                            .replace("{depth}", str(depth))
                            .replace("{{", "{")
                            .replace("}}", "}")
                        )
                        try:
                            await box.eval("{" + text + "}")
                        except DuraboxError as error:
                            if box._isolate is None or box._isolate._error is not None:
                                raise AssertionError(f"{text} ended the isolate: {error}") from error
                        tried += 1
    return tried


async def values() -> int:
    """V8's format, deeper than anything that could be written."""
    base = Engine.shared().base
    tried = 0
    for opening in (
        b'o"\x01a',
        b"A\x01",
        b"a\x01I\x00",
        b";",
        b"'",
        b"rc",
        b"\\\x0a\x00",
        b'\\\x0a\x01"\x00o"\x01a',
    ):
        for depth in DEPTHS:
            isolate = base.instantiate(Silent(), Limits())
            await isolate.run(EVENT["start"], [])
            try:
                await isolate.run(
                    EVENT["call"], [1, None, 0, ["method"], True, [], 0], b"\xff\x0f" + opening * depth
                )
            except DuraboxError as error:
                raise AssertionError(f"{opening!r} x {depth} ended the isolate: {error}") from error
            finally:
                isolate.close()
            tried += 1
    return tried


def main() -> None:
    """Try all of it."""
    logging.disable()
    tried = forged_arguments() + asyncio.run(javascript()) + asyncio.run(values())
    print(f"{tried} nestings survived on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
