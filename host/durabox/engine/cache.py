"""Compiled code on disk, so that a process starts without compiling.

One file per module, engine configuration, Wasmtime version and processor. Compiled code is native code: a file
is used only if it belongs to this user, nobody else may write it, and its digest is right. Writing is
atomic, so any number of processes may start at once; whatever is wrong with a file, the module is compiled anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

logger = logging.getLogger("durabox.engine")

_DIGEST: Final = hashlib.sha256().digest_size


def directory() -> Path:
    """Where compiled code is kept: ``$DURABOX_CACHE`` or ``durabox`` in the user's cache directory."""
    configured = os.environ.get("DURABOX_CACHE")
    if configured:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "durabox"


def _processor() -> str:
    """What compiled code depends on: the architecture and the features of this processor."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    return f"{platform.system()} {platform.machine()} {flags}"


def _trusted(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def load(digest: str, fingerprint: str, compile_code: Callable[[], bytes]) -> tuple[bytes, int]:
    """
    The compiled form of a module.

    Args:
        digest: The module's.
        fingerprint: Everything about the engine that compiled code depends on.
        compile_code: Compiles the module; called when there is no usable file.
    Returns:
        Bytes that begin with it, and its length.
    """
    key = hashlib.sha256("\0".join((digest, fingerprint, _processor())).encode()).hexdigest()
    path = directory() / f"{key[:32]}.code"
    try:
        if _trusted(path):
            stored = path.read_bytes()
            length = max(len(stored) - _DIGEST, 0)
            if hashlib.sha256(memoryview(stored)[:length]).digest() == stored[length:]:
                return stored, length
            logger.warning("%s is damaged; compiling again", path)
        else:
            logger.warning("%s may be written by others; not used", path)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.debug("code cache: %s", error)
    code = compile_code()
    _store(path, code)
    return code, len(code)


def _store(path: Path, code: bytes) -> None:
    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
        with os.fdopen(handle, "wb") as file:
            file.write(code)
            file.write(hashlib.sha256(code).digest())
        os.replace(temporary, path)
    except OSError as error:
        logger.debug("code cache: %s", error)
        if temporary:
            Path(temporary).unlink(missing_ok=True)
