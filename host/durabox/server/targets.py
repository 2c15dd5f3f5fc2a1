"""Where a request goes: its target and its Host header, checked, since together they become the URL that a guest sees."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import hdrs
from aiohttp.web_request import BaseRequest

from durabox.errors import DuraboxError

_ABSOLUTE: Final = re.compile(r"https?://[^/?#]+(?P<path>/?[^#]*)", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=-]*)(?::(?P<port>[0-9]{0,5}))?")


class BadRequestError(DuraboxError):
    """A request that cannot be understood; the text says why, to the client."""

    code = "bad-request"


def path_of(request: BaseRequest) -> str:
    """
    The path with the query that a request asks for, percent-encoded, without a fragment.

    Raises:
        BadRequestError: Its target is no path (``OPTIONS *``, ``CONNECT host:port``).
    """
    target: str = request.raw_path
    if target.startswith("/"):
        return target.partition("#")[0] if "#" in target else target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise BadRequestError("This server answers requests for http URLs and paths only.")
    path = absolute["path"]
    return path if path.startswith("/") else f"/{path}"


def origin_of(request: BaseRequest) -> str:
    """
    Scheme and host of the URL that a request asks for, by its Host header.

    Raises:
        BadRequestError: The header names no host.
    """
    return _origin(request.scheme, request.headers.get(hdrs.HOST) or "localhost")


@lru_cache(1024)
def _origin(scheme: str, host: str) -> str:
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > 65535:
        raise BadRequestError("The request's Host header names no host.")
    return f"{scheme}://{host}"
