"""`AdminClient`: the admin API of a running server, with the methods of `Inventory`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from durabox.errors import DuraboxError
from durabox.objects.inventory import KEYS
from durabox.objects.listing import PAGE, ObjectInfo, Page, Progress
from durabox.storage import portable

_CHUNK: Final = 256 * 1024
#: Bytes of one header: what is known of a file that is exported is one.
_FIELD: Final = 64 * 1024
#: Bytes of one line of an answer: a batch of rows, each of which may be large.
_LINE: Final = 256 * 1024 * 1024
#: Parts of a path that clients of HTTP resolve themselves.
_RESOLVED: Final = frozenset({"", ".", ".."})


class AdminClientError(DuraboxError):
    """
    The server refused or failed, or cannot be reached.

    Args:
        message: What it said.
        reason: The ``code`` of its error, or its HTTP status.
    """

    code = "admin-client"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class AdminClient:
    """
    Made by `AdminClient.connect`.

    Args:
        session: Knows the server's address.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, token: str | None) -> AsyncIterator[AdminClient]:
        """
        Talk to a server until the block ends.

        Args:
            url: Its address.
            token: Its admin token, if it has one.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(
            url, headers=headers, timeout=timeout, read_bufsize=_CHUNK, max_field_size=_FIELD
        ) as session:
            yield cls(session)

    async def classes(self) -> list[dict[str, Any]]:
        """See `Inventory`."""
        found: list[dict[str, Any]] = (await self._json("GET", ""))["classes"]
        return found

    async def list(
        self,
        class_name: str,
        *,
        prefix: str = "",
        cursor: str | None = None,
        limit: int = PAGE,
        progress: Progress | None = None,
    ) -> Page:
        """See `Inventory`; there is no progress."""
        query = _query(prefix=prefix, cursor=cursor, limit=str(limit))
        page = await self._json("GET", _path(class_name), params=query)
        return Page([ObjectInfo(**each) for each in page["objects"]], page["cursor"])

    async def show(
        self,
        class_name: str,
        target: str,
        *,
        prefix: str = "",
        cursor: str | None = None,
        limit: int = KEYS,
        facet: Sequence[str] = (),
    ) -> dict[str, Any]:
        """See `Inventory`."""
        query = [*_query(prefix=prefix, cursor=cursor, limit=str(limit)).items()]
        query += [("facet", name) for name in facet]
        return await self._json("GET", _path(class_name, target), params=query)

    def sql(
        self,
        class_name: str,
        query: str,
        *,
        target: str | None = None,
        prefix: str = "",
        facet: Sequence[str] = (),
    ) -> AsyncIterator[dict[str, Any]]:
        """See `Inventory`."""
        asked = {"query": query, "object": target, "prefix": prefix, "facet": [*facet]}
        return self._lines(_path(class_name, "sql"), asked)

    def migrate(
        self,
        class_name: str,
        script: str,
        *,
        javascript: bool,
        migration: str | None = None,
        prefix: str = "",
    ) -> AsyncIterator[dict[str, Any]]:
        """See `Inventory`."""
        language = "javascript" if javascript else "sql"
        asked = {"script": script, "language": language, "migration": migration, "prefix": prefix}
        return self._lines(_path(class_name, "migrate"), asked)

    async def export(
        self, class_name: str, target: str, path: Path, *, progress: Progress | None = None
    ) -> dict[str, Any]:
        """See `Inventory`; the file is written on this machine, and progress is told of in bytes."""
        return await self._export(class_name, target, path, {}, progress)

    async def salvage(self, class_name: str, target: str, path: Path) -> dict[str, Any]:
        """See `Inventory`; the file is written on this machine."""
        return await self._export(class_name, target, path, {"salvage": "1"}, None)

    async def _export(
        self,
        class_name: str,
        target: str,
        path: Path,
        query: dict[str, str],
        progress: Progress | None,
    ) -> dict[str, Any]:
        beside = portable.unfinished(path)
        try:
            async with self._request("GET", _path(class_name, target, "export"), params=query) as answer:
                with beside.open("wb") as file:
                    async for chunk in answer.content.iter_chunked(_CHUNK):
                        file.write(chunk)
                        if progress is not None:
                            progress(file.tell(), answer.content_length or 0)
                portable.publish(beside, path)
                written: dict[str, Any] = json.loads(answer.headers["X-Durabox-Written"])
                return written
        except OSError as error:
            raise AdminClientError(f"{path}: {error.strerror or error}", "file") from None
        finally:
            beside.unlink(missing_ok=True)

    async def load(
        self, class_name: str, target: str | None, path: Path, *, force: bool = False
    ) -> dict[str, Any]:
        """See `Inventory`; the file is on this machine."""
        parts = ("import",) if target is None else (target, "import")
        try:
            with path.open("rb") as file:
                return await self._json(
                    "POST", _path(class_name, *parts), params={"force": str(int(force))}, data=file
                )
        except OSError as error:
            raise AdminClientError(f"{path}: {error.strerror or error}", "file") from None

    async def copy(
        self, class_name: str, target: str, to_class: str, to: str, *, force: bool = False
    ) -> dict[str, Any]:
        """See `Inventory`."""
        asked = {"class": to_class, "object": to, "force": force}
        return await self._json("POST", _path(class_name, target, "copy"), json=asked)

    async def delete(self, class_name: str, target: str) -> None:
        """See `Inventory`."""
        await self._json("DELETE", _path(class_name, target))

    async def restore(
        self, class_name: str, target: str, to: str | float, *, facet: Sequence[str] = ()
    ) -> dict[str, Any]:
        """See `Inventory`."""
        asked = {"to": to, "facet": [*facet]}
        return await self._json("POST", _path(class_name, target, "restore"), json=asked)

    async def vacuum(self, class_name: str, target: str) -> dict[str, Any]:
        """See `Inventory`."""
        return await self._json("POST", _path(class_name, target, "vacuum"))

    # Inside

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._request(method, path, **options) as answer:
            value: dict[str, Any] = await answer.json()
            return value

    async def _lines(self, path: str, asked: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        async with self._request("POST", path, json=asked) as answer:
            rest = bytearray()
            async for chunk in answer.content.iter_any():
                rest += chunk
                *lines, last = rest.split(b"\n")
                rest = bytearray(last)
                for line in lines:
                    value = json.loads(line)
                    if "failure" in value:
                        raise AdminClientError(value["failure"]["message"], value["failure"]["code"])
                    yield value
                if len(rest) > _LINE:
                    raise AdminClientError("The server's answer is too long.", "protocol")

    @asynccontextmanager
    async def _request(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, f"/-/api/classes{path}", **options) as answer:
                if answer.status >= 400:
                    raise await _refused(answer)
                yield answer
        except aiohttp.ClientPayloadError:
            raise AdminClientError(
                f"the server at {self._session._base_url} went away before it had answered", "connection"
            ) from None
        except aiohttp.ClientError as error:
            raise AdminClientError(
                f"the server at {self._session._base_url}: {error}", "connection"
            ) from None


async def _refused(answer: aiohttp.ClientResponse) -> AdminClientError:
    text = await answer.text(errors="replace")
    try:
        error = json.loads(text)["error"]
        return AdminClientError(str(error["message"]), str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return AdminClientError(text.strip() or answer.reason or "refused", str(answer.status))


def _path(class_name: str, *parts: str) -> str:
    if class_name in _RESOLVED:
        raise AdminClientError(f"There is no class named {class_name!r}.", "unknown-class")
    if not _RESOLVED.isdisjoint(parts):
        raise AdminClientError("An object of that name is named by its id here: see a list of them.", "name")
    return "".join(
        "/" + quote(part.encode("utf-8", "surrogatepass"), safe="") for part in (class_name, *parts)
    )


def _query(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
