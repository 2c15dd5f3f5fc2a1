"""`caches`: answers kept in memory for all objects and Workers of a host, by the rules that the platform's own cache follows.

A cache is keyed by URL; only GET is cached. How long an answer stays is what it says itself: ``s-maxage`` or ``max-age`` of
``Cache-Control``, or ``Expires``. What says neither is kept until there is no room for it, and revalidated by nobody.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from durabox.errors import NetworkError
from durabox.objects.messages import BodyStream, Response

#: Bytes that all caches of a host may take, and one answer in them.
MOST: Final = 128 * 1024 * 1024
LARGEST: Final = 32 * 1024 * 1024
#: What an entry takes besides its body and headers.
_OVERHEAD: Final = 512
_DIRECTIVE: Final = re.compile(r'([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,"]*)))?')
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class _Entry(Struct):
    status: int
    reason: str
    headers: list[str]
    body: bytes
    #: Milliseconds since the epoch, ``None`` for no end.
    expires: float | None
    size: int


class Caches:
    """
    All caches of a host.

    Args:
        now: Milliseconds since the epoch.
        most: Bytes for all of them; the entries that were used least recently make room.
    """

    def __init__(self, now: Callable[[], float], most: int = MOST) -> None:
        self._now = now
        self._most = most
        self._size = 0
        #: Bytes of answers that are being read.
        self._reading = 0
        self._entries: OrderedDict[tuple[str | None, str], _Entry] = OrderedDict()

    def match(self, cache: str | None, url: str, headers: list[str]) -> Response | None:
        """
        A kept answer.

        Args:
            cache: Its name, ``None`` for the default one.
            url: Of the request.
            headers: Of the request: conditions and ranges are answered.
        """
        entry = self._find(cache, url)
        if entry is None:
            return None
        kept = [*entry.headers, "CF-Cache-Status", "HIT"]
        if _unchanged(headers, entry.headers):
            return Response(304, "Not Modified", kept)
        whole = len(entry.body)
        part = _part(_value(headers, "range"), whole)
        if part is None:
            return Response(entry.status, entry.reason, kept, entry.body)
        kept = [
            text
            for at in range(0, len(kept), 2)
            if kept[at].lower() != "content-length"
            for text in kept[at : at + 2]
        ]
        if not part:
            return Response(416, "Range Not Satisfiable", [*kept, "Content-Range", f"bytes */{whole}"])
        content = entry.body[part.start : part.stop]
        kept += (
            "Content-Range",
            f"bytes {part.start}-{part.stop - 1}/{whole}",
            "Content-Length",
            str(len(content)),
        )
        return Response(206, "Partial Content", kept, content)

    async def put(self, cache: str | None, url: str, response: Response) -> None:
        """
        Keep an answer, if it allows that. Its body is read whole.

        Raises:
            NetworkError: It is larger than one may be.
            DuraboxError: Its body failed.
        """
        lasts = _lifetime(response.headers, self._now())
        body = await self._read(response.body)
        if lasts is not None and lasts <= 0:
            return
        headers = [
            text
            for at in range(0, len(response.headers), 2)
            if response.headers[at].lower() != "set-cookie"
            for text in response.headers[at : at + 2]
        ]
        size = len(body) + sum(map(len, headers)) + len(url) + len(cache or "") + _OVERHEAD
        expires = None if lasts is None else self._now() + lasts
        self.delete(cache, url)
        self._entries[cache, url] = _Entry(response.status, response.reason, headers, body, expires, size)
        self._size += size
        while self._size > self._most:
            _, oldest = self._entries.popitem(last=False)
            self._size -= oldest.size

    async def _read(self, body: bytes | BodyStream | None) -> bytes:
        if body is None or isinstance(body, bytes):
            content = body or b""
            if len(content) > LARGEST:
                raise _too_large()
            return content
        parts = []
        size = 0
        try:
            while part := await body.read():
                parts.append(part)
                size += len(part)
                self._reading += len(part)
                if size > LARGEST:
                    raise _too_large()
                if self._reading > self._most:
                    raise NetworkError(
                        f"More is being read for caches at once than the {self._most} bytes that they hold."
                    )
        except NetworkError as error:
            await body.cancel(str(error))
            raise
        finally:
            self._reading -= size
        return b"".join(parts)

    def delete(self, cache: str | None, url: str) -> bool:
        """Forget an answer; whether there was one."""
        found = self._find(cache, url) is not None
        entry = self._entries.pop((cache, url), None)
        if entry is not None:
            self._size -= entry.size
        return found

    def _find(self, cache: str | None, url: str) -> _Entry | None:
        entry = self._entries.get((cache, url))
        if entry is None:
            return None
        if entry.expires is not None and entry.expires <= self._now():
            del self._entries[cache, url]
            self._size -= entry.size
            return None
        self._entries.move_to_end((cache, url))
        return entry


def _too_large() -> NetworkError:
    return NetworkError(
        f"The response is larger than the {LARGEST} bytes that the cache keeps of one.", retryable=False
    )


def _value(headers: list[str], lower: str) -> str | None:
    values = [headers[at + 1] for at in range(0, len(headers), 2) if headers[at].lower() == lower]
    return ", ".join(values) if values else None


def _lifetime(headers: list[str], now: float) -> float | None:
    """Milliseconds for which an answer may be kept; ``None`` when it says nothing, 0 for not at all."""
    text = _value(headers, "cache-control")
    directives = {name.lower(): quoted or plain for name, quoted, plain in _DIRECTIVE.findall(text or "")}
    private = directives.get("private")
    if "no-store" in directives or "no-cache" in directives or private == "":
        return 0.0
    if _value(headers, "set-cookie") is not None and (private or "").lower() != "set-cookie":
        return 0.0
    for directive in ("s-maxage", "max-age"):
        seconds = directives.get(directive)
        if seconds is not None:
            return min(float(seconds), 1e10) * 1000.0 if seconds.isdecimal() else 0.0
    expires = _value(headers, "expires")
    if expires is None:
        return None
    try:
        return parsedate_to_datetime(expires).timestamp() * 1000.0 - now
    except (ValueError, OverflowError):
        return 0.0


def _unchanged(asked: list[str], kept: list[str]) -> bool:
    """Whether what the asker has already is what is kept."""
    tags = _value(asked, "if-none-match")
    tag = _value(kept, "etag")
    if tags is not None:
        if tags.strip() == "*":
            return True
        return tag is not None and tag.removeprefix("W/") in {
            part.strip().removeprefix("W/") for part in tags.split(",")
        }
    since, modified = _value(asked, "if-modified-since"), _value(kept, "last-modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False


def _part(text: str | None, whole: int) -> range | None:
    """The part that is asked for: ``None`` for all of it, an empty range when there is no such part."""
    found = _RANGE.fullmatch(text.strip()) if text is not None else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return range(max(whole - int(found[2]), 0), whole)
    first = int(found[1])
    last = min(int(found[2]) if found[2] else whole - 1, whole - 1)
    if found[2] and int(found[2]) < first:
        return None
    return range(first, last + 1)
