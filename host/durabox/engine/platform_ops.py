"""What of the web platform every kind of isolate asks of its host: Web Crypto, compression, text."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from durabox.engine.codecs import Codecs
from durabox.engine.ops import GuestError, OpHandlers
from durabox.engine.text import encode_text
from durabox.engine.webcrypto import CryptoRequest, perform
from durabox.errors import GuestProtocolError

if TYPE_CHECKING:
    from durabox.engine.webcrypto.keys import Description

logger = logging.getLogger("durabox.engine")

#: How long work ends: with its result, or with what JavaScript is to be thrown; and the processor time (ns) that it took.
Ended = Callable[[bytes, GuestError | None, int], None]

_THREADS: Final = 2
#: Bytes that may wait for a thread in one isolate, if it is not one piece of work alone.
_MOST_WAITING: Final = 128 << 20


@cache
def _threads() -> ThreadPoolExecutor:
    """For long work of all isolates."""
    return ThreadPoolExecutor(_THREADS, "durabox-crypto")


def _measured(request: CryptoRequest) -> tuple[bytes, GuestError | None, int]:
    """What `Ended` is to be told of a piece of work."""
    began = time.thread_time_ns()
    result, error = b"", None
    try:
        result = perform(request)
    except GuestError as failure:
        error = failure
    except Exception:
        logger.exception("%s with %s failed", request.operation, request.algorithm)
        error = GuestError("OperationError", "The operation failed.")
    return result, error, time.thread_time_ns() - began


class LongWork:
    """One isolate's work in threads: one piece at a time, so that isolates take turns whatever one of them asks for."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[CryptoRequest, Ended]] = deque()
        #: Bytes of what waits or is under way.
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def check_room(self, request: CryptoRequest) -> None:
        """
        Refuse a piece of work while much else waits.

        Raises:
            GuestError: It would be too much.
        """
        if self._bytes and self._bytes + request.size > _MOST_WAITING:
            raise GuestError(
                "OperationError",
                f"Too much data waits for crypto.subtle: the limit is {_MOST_WAITING} bytes. Await what was started before.",
            )

    def start(self, request: CryptoRequest, ended: Ended) -> None:
        """Do it after what was started before, and tell ``ended``."""
        self._waiting.append((request, ended))
        self._bytes += request.size
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            request, ended = self._waiting.popleft()
            done = await loop.run_in_executor(_threads(), _measured, request)
            self._bytes -= request.size
            ended(*done)
        self._task = None

    def close(self) -> None:
        """Drop what waits. A piece that has begun goes on to its end, some seconds at most; nobody hears of it."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()


class PlatformOps(OpHandlers):
    """The ops themselves. What they keep is made by the first that needs it."""

    _codecs: Codecs | None = None

    def start_long(self, operation: int, section: int, request: CryptoRequest) -> None:
        """
        Do work in a thread; the event ``complete`` ends it.

        Raises:
            GuestError: There is too much under way, or nothing can complete here.
        """
        raise NotImplementedError

    def op_crypto(self, async_id: int, section: int, *fields: Any) -> bytes | None:
        """crypto.subtle: the fields are those of a `CryptoRequest`."""
        request = CryptoRequest(*fields)
        if not request.is_long:
            return perform(request)
        self.start_long(async_id, section, request)
        return None

    def op_key_import(
        self, family: str, form: str, curve: str, parts: list[bytes], body: bytes
    ) -> Description:
        """crypto.subtle.importKey of a key of a pair."""
        from durabox.engine.webcrypto.keys import import_key

        return import_key(family, form, curve, parts)

    def op_key_export(self, form: str, body: bytes) -> Any:
        """crypto.subtle.exportKey of a key of a pair."""
        from durabox.engine.webcrypto.keys import export_key

        return export_key(form, bytes(body))

    def op_encode_text(self, name: str, refers: bool, body: bytes) -> bytes | None:
        """HTMLRewriter: text for a document in a legacy encoding."""
        return encode_text(name, refers, bytes(body))

    def op_codec_open(self, kind: str, form: str, body: bytes) -> int:
        """CompressionStream, DecompressionStream and DigestStream."""
        codecs = self._codecs
        if codecs is None:
            codecs = self._codecs = Codecs()
        return codecs.open(kind, form)

    def op_codec_write(self, handle: int, end: bool, body: bytes) -> bytes:
        """One piece for one of them."""
        if self._codecs is None:
            raise GuestProtocolError("there is no codec")
        return self._codecs.write(handle, end, bytes(body))

    def op_codec_drop(self, handle: int, body: bytes) -> None:
        """It was collected, or is at its end."""
        if self._codecs is not None:
            self._codecs.drop(handle)
