"""Collect the licence texts of everything that the image contains."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import util
from pathlib import Path

from sandbox.steps.bindings import bundled_packages
from sandbox.steps.layout import BuildError, Layout
from sandbox.steps.sources import fetch, read_lock


def collect(layout: Layout) -> dict[str, bytes]:
    """
    The texts by file name.

    Raises:
        BuildError: A part has no licence text; it must not be shipped.
    """
    lock = read_lock(layout.lock)
    texts: dict[str, bytes] = {}
    for name, licence in _parts(layout, {n: fetch(s, layout.cache, lambda _: None) for n, s in lock.items()}):
        if not licence.is_file():
            raise BuildError(f"the licence of {name} is not where it was expected: {licence}")
        texts[f"{name}.txt"] = licence.read_bytes()
    return texts


def _parts(layout: Layout, sources: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    yield "quickjs-ng", sources["quickjs-ng"] / "LICENSE"
    yield "ada-url", sources["ada-url"] / "LICENSE"
    spec = util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise BuildError("the package ziglang is needed: install it")
    zig = Path(spec.origin).parent
    yield "zig", zig / "LICENSE"
    libraries = zig / "lib"
    yield "wasi-libc", libraries / "libc" / "wasi" / "LICENSE"
    yield "wasi-libc-mit", libraries / "libc" / "wasi" / "LICENSE-MIT"
    yield "wasi-libc-apache-llvm", libraries / "libc" / "wasi" / "LICENSE-APACHE-LLVM"
    yield "musl", libraries / "libc" / "musl" / "COPYRIGHT"
    yield "libcxx", libraries / "libcxx" / "LICENSE.TXT"
    yield "libcxxabi", libraries / "libcxxabi" / "LICENSE.TXT"
    for package in bundled_packages(layout):
        name = package.as_posix().rpartition("node_modules/")[2]
        found = sorted(package.glob("LICEN[CS]E*"))
        if not found:
            raise BuildError(f"the npm package {name} has no licence text")
        yield f"npm-{name.replace('/', '-')}", found[0]
