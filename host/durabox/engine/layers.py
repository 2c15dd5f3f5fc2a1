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


@cache
def bytecode(name: str) -> bytes | None:
    """
    A layer's script as the build compiled it, ``None`` if there is no such layer.

    Raises:
        EngineError: The file is missing or damaged.
    """
    file = f"layers/{name}.bytecode"
    try:
        digest = json.loads((IMAGE_FOLDER / "manifest.json").read_text())["files"].get(file)
        if digest is None:
            return None
        content = (IMAGE_FOLDER / file).read_bytes()
    except (OSError, ValueError) as error:
        raise EngineError(f"the engine image cannot be read: {error}; run `make build`") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise EngineError(f"{IMAGE_FOLDER / file} is damaged: run `make clean build`")
    return content
