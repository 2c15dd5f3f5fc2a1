"""Compiled code on disk, so that a process starts without compiling.

One file per module, engine configuration, Wasmtime version and processor. Compiled code is native code: a file
is used only if it belongs to this user, nobody else may write it, and its digest is right. Whatever is wrong with a file,
the module is compiled anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from collections.abc import Callable
from typing import Final

from durabox import cache_files

logger = logging.getLogger("durabox.engine")

_DIGEST: Final = hashlib.sha256().digest_size


def _processor() -> str:
    """What compiled code depends on: the architecture and the features of this processor."""
    try:
        with open("/proc/cpuinfo", "rb") as lines:
            flags = next((line for line in lines if line.startswith((b"flags", b"Features"))), b"").decode(
                "latin-1"
            )
    except OSError:
        flags = platform.processor()
    return f"{platform.system()} {platform.machine()} {flags}"


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
    path = cache_files.path(f"{key[:32]}.code")
    try:
        with open(path, "rb") as file:
            if cache_files.is_trusted(os.fstat(file.fileno())):
                stored = file.read()
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
    try:
        cache_files.store(path, (code, hashlib.sha256(code).digest()))
    except OSError as error:
        logger.debug("code cache: %s", error)
    return code, len(code)
