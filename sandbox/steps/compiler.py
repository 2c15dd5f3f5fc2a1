"""
Compile and link the guest with the compiler of the `ziglang` wheel.

Objects are cached by content: compiler version, flags, source and every file it includes by a quoted name. So an
unchanged file is never compiled again, whatever its time stamps say. No path and no time reaches the output.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from threading import Lock

from sandbox.steps.layout import BuildError, Layout, write_if_changed
from sandbox.steps.protocol import c_header, read_protocol
from sandbox.steps.sources import fetch, read_lock

#: The guest's stack; the linker puts it below all data, so that running over it traps.
STACK_BYTES = 1024 * 1024

_JOBS = 2
_QUOTED_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_COMMON = (
    "-target", "wasm32-wasi", "-O2", "-g0", "-DNDEBUG", "-D_GNU_SOURCE", "-D_WASI_EMULATED_SIGNAL",
    "-fvisibility=hidden", "-ffunction-sections",
)  # fmt: skip
_WARNINGS = ("-Wall", "-Werror=implicit-function-declaration", "-Werror=int-conversion")
_C = ("-std=gnu11",)
_CXX = ("-std=c++20", "-fno-exceptions", "-fno-rtti")
_LINK = (
    "-target", "wasm32-wasi", "-O2", "-mexec-model=reactor", f"-Wl,-z,stack-size={STACK_BYTES}", "-Wl,--strip-all",
    "-Wl,--import-memory", "-Wl,--export-memory", "-Wl,--export=_initialize",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """
    One file to compile.

    Args:
        path: The file.
        flags: Flags besides the common ones.
        includes: Folders of its quoted includes, in order.
    """

    path: Path
    flags: tuple[str, ...]
    includes: tuple[Path, ...]

    @property
    def is_cxx(self) -> bool:
        """Whether it is C++."""
        return self.path.suffix in (".cpp", ".cc")


class Compiler:
    """
    The compiler with its object cache.

    Args:
        cache: The build cache.
        progress: Gets a line for each file that is really compiled.
    """

    def __init__(self, cache: Path, progress: Callable[[str], None]) -> None:
        self._cache = cache
        self._report = progress
        self._reporting = Lock()

    @cached_property
    def version(self) -> str:
        """The compiler's version."""
        try:
            return metadata.version("ziglang")
        except metadata.PackageNotFoundError:
            raise BuildError("the package ziglang is needed to compile the engine: install it") from None

    def objects(self, units: list[Unit]) -> list[Path]:
        """
        Compile what is not in the cache.

        Returns:
            An object file per unit, in the same order.
        Raises:
            BuildError: With the compiler's messages.
        """
        with ThreadPoolExecutor(_JOBS) as pool:
            return list(pool.map(self._object, units))

    def link(self, objects: list[Path]) -> bytes:
        """
        Link objects to a wasm module.

        The compiler's first link compiles its libc and C++ library, which takes a minute and is cached by it.
        """
        key = hashlib.sha256(
            repr((self.version, _LINK, [path.name for path in objects])).encode()
        ).hexdigest()
        linked = self._cache / "linked" / f"{key[:32]}.wasm"
        if not linked.is_file():
            self._progress("link     guest.wasm")
            with tempfile.TemporaryDirectory(prefix="durabox-link-") as scratch:
                out = Path(scratch, "guest.wasm")
                self._run(scratch, "c++", *_LINK, *map(str, objects), "-o", str(out))
                write_if_changed(linked, out.read_bytes())
        return linked.read_bytes()

    def _object(self, unit: Unit) -> Path:
        flags = (*_COMMON, *(_CXX if unit.is_cxx else _C), *unit.flags)
        key = self._key(unit, flags)
        made = self._cache / "objects" / f"{unit.path.stem}-{key}.o"
        if made.is_file():
            return made
        self._progress(f"compile  {unit.path.name}")
        with tempfile.TemporaryDirectory(prefix="durabox-compile-") as scratch:
            out = Path(scratch, "out.o")
            self._run(
                scratch,
                "c++" if unit.is_cxx else "cc",
                *flags,
                *(f"-I{folder}" for folder in unit.includes),
                *(f"-ffile-prefix-map={folder}=." for folder in (unit.path.parent, *unit.includes)),
                "-c", str(unit.path), "-o", str(out),
            )  # fmt: skip
            if self._key(unit, flags) != key:
                raise BuildError(f"{unit.path.name} was edited while it was being compiled: build again")
            write_if_changed(made, out.read_bytes())
        return made

    def _key(self, unit: Unit, flags: tuple[str, ...]) -> str:
        """What an object is known by."""
        key = hashlib.sha256(repr((self.version, flags)).encode())
        for path in _closure(unit):
            key.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return key.hexdigest()[:32]

    def _progress(self, line: str) -> None:
        with self._reporting:
            self._report(line)

    def _run(self, scratch: str, *arguments: str) -> None:
        # The compiler's cache is for its libraries alone. Of our files it goes by time stamps: see no earlier result.
        caches = {"ZIG_GLOBAL_CACHE_DIR": str(self._cache / "zig"), "ZIG_LOCAL_CACHE_DIR": scratch}
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", *arguments],
            env={**os.environ, **caches},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(done.stdout.strip())
        if done.stdout.strip():
            self._progress(done.stdout.strip())


def _closure(unit: Unit) -> list[Path]:
    """The unit's file and all that it includes by quoted names, in a stable order."""
    found = [unit.path]
    for path in found:
        for name in _QUOTED_INCLUDE.findall(path.read_bytes()):
            for folder in (path.parent, *unit.includes):
                candidate = folder / name.decode()
                if candidate.is_file():
                    if candidate not in found:
                        found.append(candidate)
                    break
    return found


#: What ours replaces in quickjs.c: pattern, replacement, number of places. See quickjs_hooks.h, image_heap.h and
#: single_thread.h.
_PATCHES = (
    (
        r"^static __exception int perform_promise_then\((?=[^;{]*\{)",
        "static __exception int perform_promise_then_raw(",
        1,
    ),
    (r"^int JS_EnqueueJob\((?=[^;{]*\{)", "static int enqueue_job_raw(", 1),
    (r"^JSValue JS_ThrowOutOfMemory\((?=[^;{]*\{)", "static JSValue throw_out_of_memory_raw(", 1),
    (
        r"^static void js_trigger_gc\((?=[^;{]*\{)",
        "static void js_trigger_gc(JSRuntime *, size_t);\nstatic void trigger_gc_raw(",
        1,
    ),
    (
        r"^static void build_backtrace\((?=[^;{]*\{)",
        "static void build_backtrace(JSContext *, JSValueConst, JSValueConst, const char *, int, int, int);\n"
        "static void build_backtrace_raw(",
        1,
    ),
    (r"^(#if .*)&& !defined\(__wasi__\)(.*\n#include \"quickjs-c-atomics\.h\")", r"\1\2", 1),
    (r"^#define JS_GC_MARK\(p\) .*$", r'\g<0>\n#include "image_heap.h"', 1),
    (r"\bJS_REF_COUNT\(([^()]*)\)\+\+;", r"hold(\1);", 19),
    (r"--JS_REF_COUNT\((\w+)\)", r"release_hold(\1)", 7),
    (r"\bJS_REF_COUNT\((\w+)\)--;", r"release_hold(\1);", 2),
    (r"\bJS_REF_COUNT\((\w+)\)(?= (?:==|!=|>) 1\b)", r"holds(\1)", 8),
    (
        r"^(static void (?:gc_decref_child|gc_scan_incref_child2?)\(JSRuntime \*rt, JSGCObjectHeader \*p\)\n\{)",
        r"\1\n    if (in_image(p))\n        return;",
        3,
    ),
    (r"^(static void js_arena_free\(.*\n\{\n.*\n\n)    if \(!ptr\)", r"\1    if (!ptr || in_image(ptr))", 1),
    # The first two arenas of a size are small (the list's ends are the same while it has one or none): an isolate with little on
    # its heap has one of most sizes, and all of an arena is written to when it is made.
    (
        r"(?<=^    n_blocks = \()JS_ARENA_SIZE(?= - )",
        "(rt->arena_state.arena_list[block_size_idx].next == rt->arena_state.arena_list[block_size_idx].prev"
        " ? FIRST_ARENA_SIZE : JS_ARENA_SIZE)",
        1,
    ),
)


def _patch_quickjs(source: str) -> str:
    """
    Put our code in the place of some of the engine's.

    Raises:
        BuildError: This version of the engine does not have each of them as often as expected.
    """
    for pattern, replacement, expected in _PATCHES:
        source, count = re.subn(pattern, replacement, source, flags=re.MULTILINE)
        if count != expected:
            raise BuildError(f"quickjs.c has {count} places that match {pattern}; the patch needs {expected}")
    return f'#include "single_thread.h"\n{source}\n#include "quickjs_hooks.h"\n'


def compile_guest(layout: Layout, progress: Callable[[str], None]) -> bytes:
    """
    Compile and link the guest.

    Returns:
        The linked module, data included.
    Raises:
        BuildError: Sources cannot be fetched, compiled or linked.
    """
    lock = read_lock(layout.lock)
    quickjs = fetch(lock["quickjs-ng"], layout.cache, progress) / "upstream-quickjs"
    ada = fetch(lock["ada-url"], layout.cache, progress) / "ada_url"
    files = {
        "protocol.h": c_header(read_protocol(layout.protocol), STACK_BYTES).encode(),
        "quickjs.c": _patch_quickjs((quickjs / "quickjs.c").read_text(encoding="utf-8")).encode(),
    }
    # A folder for each content: checkouts that share the cache may differ and build at the same time.
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()
    generated = layout.cache / "generated" / digest[:32]
    for name, content in files.items():
        write_if_changed(generated / name, content)
    upstream = (quickjs, layout.guest)
    ours = (layout.guest, generated, quickjs, ada)
    units = [
        *(Unit(quickjs / name, ("-w",), upstream) for name in ("dtoa.c", "libregexp.c", "libunicode.c")),
        Unit(generated / "quickjs.c", ("-w",), upstream),
        Unit(ada / "ada.cpp", ("-w",), (ada,)),
        *(Unit(path, _WARNINGS, ours) for path in sorted(layout.guest.glob("*.c")) if path.name != "shims.c"),
        *(Unit(path, _WARNINGS, ours) for path in sorted(layout.guest.glob("*.cpp"))),
    ]
    # First, so that its symbols are there before anything asks libc's archive for them.
    units.insert(0, Unit(layout.guest / "shims.c", _WARNINGS, ours))
    compiler = Compiler(layout.cache, progress)
    return compiler.link(compiler.objects(units))
