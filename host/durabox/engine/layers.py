"""Layers: scripts of the engine image that are evaluated only in isolates that need them; see ``bindings/src/layers.ts``."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Final

from durabox.errors import EngineError

#: Where the build puts the engine image.
IMAGE_FOLDER: Final = Path(__file__).parent / "image"

_INTL: Final = re.compile(rb"\bIntl\b|\btoLocale(?:Date|Time)?String\b|\blocaleCompare\b")


def mentions_intl(source: bytes) -> bool:
    """Whether a source has a name in it that needs `Intl`."""
    return _INTL.search(source) is not None


def bytecode(name: str) -> bytes | None:
    """
    A layer's script as the build compiled it, ``None`` if there is no such layer.

    Raises:
        EngineError: The file is missing or damaged.
    """
    file = f"layers/{name}.bytecode"
    return _content(file) if file in _digests() else None


@cache
def _digests() -> dict[str, str]:
    """Of all files of the engine image, by their paths."""
    try:
        files: dict[str, str] = json.loads((IMAGE_FOLDER / "manifest.json").read_text())["files"]
    except (OSError, ValueError) as error:
        raise EngineError(f"the engine image cannot be read: {error}; run `make build`") from None
    return files


@cache
def _content(file: str) -> bytes:
    try:
        content = (IMAGE_FOLDER / file).read_bytes()
    except OSError as error:
        raise EngineError(f"the engine image cannot be read: {error}; run `make build`") from None
    if hashlib.sha256(content).hexdigest() != _digests()[file]:
        raise EngineError(f"{IMAGE_FOLDER / file} is damaged: run `make clean build`")
    return content
