"""Where the build reads and writes, and how it fails."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class BuildError(Exception):
    """The image cannot be built; the text says why and, where there is one, the cure."""


def default_cache() -> Path:
    """`$DURABOX_BUILD_CACHE`, or a folder in the user's cache directory."""
    chosen = os.environ.get("DURABOX_BUILD_CACHE")
    if chosen:
        return Path(chosen).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "durabox" / "build"


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The folders of one build.

    Args:
        root: The checkout.
        cache: Sources, objects and the compiler's own cache; may be deleted at any time.
        image: Where the image goes.
    """

    root: Path
    cache: Path
    image: Path

    @staticmethod
    def default() -> Layout:
        """The layout of `python sandbox/build.py`."""
        return Layout(ROOT, default_cache(), ROOT / "host" / "durabox" / "engine" / "image")

    @property
    def guest(self) -> Path:
        """Our C and C++."""
        return self.root / "sandbox" / "src"

    @property
    def lock(self) -> Path:
        """Names, versions and digests of the sources that are fetched."""
        return self.root / "sandbox" / "lock.json"

    @property
    def protocol(self) -> Path:
        """The one table of events and ops."""
        return self.root / "host" / "durabox" / "engine" / "protocol.py"

    @property
    def bindings(self) -> Path:
        """The TypeScript half of the guest."""
        return self.root / "bindings"


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file beside and rename, unless it already has this content."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)
