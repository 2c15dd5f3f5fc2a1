"""The engine: the guest's compiled code, the base image, and room for isolates."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from durabox.engine import cache
from durabox.engine.ffi.engine import Module, NativeEngine
from durabox.engine.ffi.library import WASMTIME_VERSION
from durabox.engine.image import Image
from durabox.engine.layers import IMAGE_FOLDER
from durabox.engine.protocol import VERSION
from durabox.errors import EngineError

#: Upper bound of `Limits.memory_mb`.
_MAX_MEMORY: Final = 1024 << 20
#: A fiber's stack, half of it for the guest, whose frames take up to 16 times as much here as of `Limits.stack_kb`;
#: op handlers run on it too, so that it must hold Python frames beside the guest's. Only what is used takes memory.
_STACK: Final = 32 << 20
#: Address ranges that one isolate takes from the process (memory, its guards, a fiber's stack that stays with it),
#: and what everything else may need.
_MAPS_PER_ISOLATE: Final = 6
_MAPS_RESERVED: Final = 8192
_MOST_ISOLATES: Final = 12_000
#: What compiled code depends on besides the module and the processor.
_FINGERPRINT: Final = f"wasmtime {WASMTIME_VERSION} memory {_MAX_MEMORY} epochs"


def _unusable(error: OSError | ValueError) -> EngineError:
    if isinstance(error, FileNotFoundError):
        return EngineError(f"the engine image is not built ({error.filename} is missing): run `make build`")
    return EngineError(f"the engine image cannot be read: {error}; run `make build`")


def _room() -> int:
    """How many isolates this process may hold: Linux limits the address ranges of a process."""
    try:
        maps = int(Path("/proc/sys/vm/max_map_count").read_text())
    except (OSError, ValueError):
        maps = 65_530
    return max(64, min(_MOST_ISOLATES, (maps - _MAPS_RESERVED) // _MAPS_PER_ISOLATE))


class Engine:
    """
    One per process is enough: `Engine.shared`.

    Args:
        folder: The engine image, as the build made it.
    Raises:
        EngineError: It is missing, damaged or of another version.
    """

    _shared: ClassVar[Engine | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, folder: Path = IMAGE_FOLDER) -> None:
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
        except (OSError, ValueError) as error:
            raise _unusable(error) from None
        if manifest.get("protocol") != VERSION:
            raise EngineError(
                f"the engine image speaks protocol {manifest.get('protocol')}, this host {VERSION}: run `make build`"
            )
        self._folder = folder
        self._digests: dict[str, str] = manifest["files"]
        #: Isolates that may live at once.
        self.capacity = _room()
        self.native = NativeEngine(self.capacity, _MAX_MEMORY, _STACK)
        self.code = self._module("engine.wasm")
        #: The guest with its bindings, before any user code.
        self.base = Image(self, self._module("base.wasm"))

    @cached_property
    def intl(self) -> Image:
        """
        The base image with the layer of `Intl`, evaluated and used, for code that will use it: that takes longer than whatever
        else an isolate does before its own code. Loaded when it is first asked for.

        Raises:
            EngineError: It is missing or damaged.
        """
        return Image(self, self._module("intl.wasm"))

    def _module(self, name: str) -> Module:
        """A module of the engine image, from the cache of compiled code if it is there: then its file is not even read."""
        digest = self._digests.get(name, "")

        def compiled() -> bytes:
            path = self._folder / name
            try:
                wasm = path.read_bytes()
            except OSError as error:
                raise _unusable(error) from None
            if hashlib.sha256(wasm).hexdigest() != digest:
                raise EngineError(f"{path} is damaged: run `make clean build`")
            return self.native.serialize(self.native.compile(wasm))

        return self.native.deserialize(*cache.load(digest, _FINGERPRINT, compiled))

    @classmethod
    def shared(cls) -> Engine:
        """
        The engine of this process; made on first use, about a second when nothing is cached.

        Raises:
            EngineError: See `Engine`.
        """
        with cls._lock:
            if cls._shared is None:
                cls._shared = Engine()
            return cls._shared
