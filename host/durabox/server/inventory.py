"""The admin API over objects from outside: `Inventory` as JSON, below ``/-/api/``.

::

    GET    /-/api/classes
    GET    /-/api/classes/{class}?prefix=&cursor=&limit=          a page of its objects
    POST   /-/api/classes/{class}/sql        {"query", "object"?, "prefix"?}
    POST   /-/api/classes/{class}/migrate    {"script", "language", "migration"?, "prefix"?}
    POST   /-/api/classes/{class}/import?force=1                  an exported file
    GET    /-/api/classes/{class}/{object}?prefix=&cursor=&limit= what it stores
    DELETE /-/api/classes/{class}/{object}
    GET    /-/api/classes/{class}/{object}/export?salvage=1       a SQLite file
    POST   /-/api/classes/{class}/{object}/import?force=1         an exported file
    POST   /-/api/classes/{class}/{object}/copy   {"class"?, "object", "force"?}
    POST   /-/api/classes/{class}/{object}/restore {"to", "facet"?}   a bookmark or milliseconds since the epoch
    POST   /-/api/classes/{class}/{object}/vacuum

An object is its name or id. Answers in parts (``sql``, ``migrate``) are a JSON value a line; a failure after the first
line is a line ``{"failure": …}``. Errors are ``{"error": {"code", "message"}}``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from durabox.errors import (
    DuraboxError,
    InvalidObjectIdError,
    ModuleError,
    RefusedError,
    UnknownObjectClassError,
)
from durabox.objects.inventory import KEYS, Inventory
from durabox.objects.listing import PAGE, as_json
from durabox.objects.targets import BadArgumentError, NoSuchObjectError, ObjectExistsError
from durabox.server.admin import PREFIX
from durabox.server.bodies import Upload
from durabox.server.paths import Handler, Paths, in_json

#: Bytes of a JSON body; a migration's script is the largest.
_BODY: Final = 8 * 1024 * 1024
#: Bytes of one header.
_HEADER: Final = 32 * 1024
_CHUNK: Final = 256 * 1024
#: Around what is written: the client may have left.
_GONE: Final = suppress(ConnectionError)

_STATUS: Final = {
    UnknownObjectClassError: HTTPStatus.NOT_FOUND,
    NoSuchObjectError: HTTPStatus.NOT_FOUND,
    InvalidObjectIdError: HTTPStatus.BAD_REQUEST,
    BadArgumentError: HTTPStatus.BAD_REQUEST,
    ModuleError: HTTPStatus.BAD_REQUEST,
    RefusedError: HTTPStatus.BAD_REQUEST,
    ObjectExistsError: HTTPStatus.CONFLICT,
}

Parts = Mapping[str, str]


def add_inventory(paths: Paths, inventory: Inventory) -> None:
    """
    Hang the API on the admin surface.

    Args:
        paths: The surface's.
        inventory: What it shows and changes.
    """
    api = _Api(inventory)
    base = f"{PREFIX}api/classes"
    an_object = f"{base}/{{class}}/{{object}}"
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", base, api.classes),
        ("GET", f"{base}/{{class}}", api.list),
        ("POST", f"{base}/{{class}}/sql", api.sql),
        ("POST", f"{base}/{{class}}/migrate", api.migrate),
        ("POST", f"{base}/{{class}}/import", api.load),
        ("GET", an_object, api.show),
        ("DELETE", an_object, api.delete),
        ("GET", f"{an_object}/export", api.export),
        ("POST", f"{an_object}/import", api.load),
        ("POST", f"{an_object}/copy", api.copy),
        ("POST", f"{an_object}/restore", api.restore),
        ("POST", f"{an_object}/vacuum", api.vacuum),
    ]
    for method, path, handler in handlers:
        paths.add(method, path, _with_errors(handler))


def _with_errors(handler: Handler) -> Handler:
    async def handle(request: BaseRequest, parts: Parts) -> StreamResponse:
        try:
            return await handler(request, parts)
        except DuraboxError as error:
            status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
            return in_json({"error": {"code": error.code, "message": str(error)}}, status)

    return handle


class _Api:
    """The handlers."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def classes(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        return in_json({"classes": await self._inventory.classes()})

    async def list(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        page = await self._inventory.list(
            parts["class"],
            prefix=request.query.get("prefix", ""),
            cursor=request.query.get("cursor"),
            limit=_number(request, "limit", PAGE),
        )
        return in_json(as_json(page))

    async def show(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        return in_json(
            await self._inventory.show(
                parts["class"],
                parts["object"],
                prefix=request.query.get("prefix", ""),
                cursor=request.query.get("cursor"),
                limit=_number(request, "limit", KEYS),
                facet=request.query.getall("facet", []),
            )
        )

    async def sql(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        asked = await _asked(request, query=str, object=str | None, prefix=str | None, facet=list | None)
        rows = self._inventory.sql(
            parts["class"],
            asked["query"],
            target=asked["object"],
            prefix=asked["prefix"] or "",
            facet=_facet(asked),
        )
        return await _lines(request, rows)

    async def migrate(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        asked = await _asked(request, script=str, language=str, migration=str | None, prefix=str | None)
        if asked["language"] not in ("sql", "javascript"):
            raise BadArgumentError("language: expected sql or javascript")
        outcomes = self._inventory.migrate(
            parts["class"],
            asked["script"],
            javascript=asked["language"] == "javascript",
            migration=asked["migration"],
            prefix=asked["prefix"] or "",
        )
        return await _lines(request, outcomes)

    async def delete(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        await self._inventory.delete(parts["class"], parts["object"])
        return in_json({})

    async def vacuum(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        return in_json(await self._inventory.vacuum(parts["class"], parts["object"]))

    async def restore(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        asked = await _asked(request, to=str | int | float, facet=list | None)
        return in_json(
            await self._inventory.restore(parts["class"], parts["object"], asked["to"], facet=_facet(asked))
        )

    async def copy(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        asked = await _asked(request, object=str, force=bool | None, **{"class": str | None})
        return in_json(
            await self._inventory.copy(
                parts["class"],
                parts["object"],
                asked["class"] or parts["class"],
                asked["object"],
                force=bool(asked["force"]),
            )
        )

    async def export(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        async with self._file() as path:
            salvaged = request.query.get("salvage") == "1"
            write = self._inventory.salvage if salvaged else self._inventory.export
            written = await write(parts["class"], parts["object"], path)
            told = json.dumps(written)
            for longest in ("name", "rows", "errors"):
                if len(told) > _HEADER:
                    written.pop(longest, None)
                    told = json.dumps(written)
            answer = StreamResponse(
                headers={
                    "Content-Type": "application/vnd.sqlite3",
                    "Content-Length": str(written["bytes"]),
                    "X-Durabox-Written": told,
                }
            )
            with _GONE, path.open("rb") as file:
                await answer.prepare(request)
                while chunk := file.read(_CHUNK):
                    await answer.write(chunk)
                await answer.write_eof()
            return answer

    async def load(self, request: BaseRequest, parts: Parts) -> StreamResponse:
        async with self._file() as path:
            body = Upload(request)
            with path.open("wb") as file:
                while chunk := await body.read():
                    file.write(chunk)
            return in_json(
                await self._inventory.load(
                    parts["class"], parts.get("object"), path, force=request.query.get("force") == "1"
                )
            )

    @asynccontextmanager
    async def _file(self) -> AsyncIterator[Path]:
        """A file's path, until the block ends."""
        with tempfile.NamedTemporaryFile(dir=self._inventory.workshop, prefix="transfer.") as file:
            yield Path(file.name)


def _number(request: BaseRequest, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise BadArgumentError(f"{name}: expected a whole number")
    return int(text)


def _facet(asked: dict[str, Any]) -> list[str]:
    names = asked["facet"] or []
    if not all(isinstance(name, str) for name in names):
        raise BadArgumentError("facet: expected a list of names")
    return names


async def _asked(request: BaseRequest, **fields: Any) -> dict[str, Any]:
    """The JSON object in a request's body, with exactly these fields; those that may be ``None`` may be missing."""
    body = bytearray()
    upload = Upload(request)
    while chunk := await upload.read():
        body += chunk
        if len(body) > _BODY:
            raise BadArgumentError(f"The body is longer than {_BODY >> 20} MiB.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise BadArgumentError("The body is not JSON.") from None
    if not isinstance(asked, dict) or asked.keys() - fields.keys():
        raise BadArgumentError(f"The body has the fields {', '.join(fields)}.")
    for name, kind in fields.items():
        if not isinstance(asked.setdefault(name, None), kind):
            raise BadArgumentError(f"{name}: missing, or of the wrong type")
    return asked


async def _lines(request: BaseRequest, values: AsyncIterator[dict[str, Any]]) -> StreamResponse:
    """A JSON value a line, as fast as the client reads them."""
    answer = StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    with _GONE:
        async with aclosing(values) as each:  # type: ignore[type-var]
            try:
                async for value in each:
                    if not answer.prepared:
                        await answer.prepare(request)
                    await answer.write(json.dumps(value).encode() + b"\n")
            except DuraboxError as error:
                if not answer.prepared:
                    raise
                failure = {"failure": {"code": error.code, "message": str(error)}}
                await answer.write(json.dumps(failure).encode() + b"\n")
        if not answer.prepared:
            await answer.prepare(request)
        await answer.write_eof()
    return answer
