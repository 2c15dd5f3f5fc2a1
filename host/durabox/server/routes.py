"""Which object a request is for: by the path of its own that each object has."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final
from urllib.parse import unquote

from durabox.errors import DuraboxError
from durabox.objects.host import Host
from durabox.objects.namespace import Stub
from durabox.server.admin import OBJECTS
from durabox.server.targets import BadRequestError

_ID: Final = re.compile(r"[0-9a-fA-F]{64}")
#: Stubs kept by the part of the path that names them, so that ids are not computed for every request.
_KEPT: Final = 16_384


class BadPathError(DuraboxError):
    """A path that names no object."""

    code = "bad-path"


class Routes:
    """
    Finds objects by path.

    Args:
        host: Where they live.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stubs: OrderedDict[str, Stub] = OrderedDict()

    def object_at(self, path: str) -> tuple[Stub, str]:
        """
        The object that ``<Class or binding>/<name or id>/<path…>`` names, and the path that it sees.

        Args:
            path: Percent-encoded, without the leading slash; may end with a query.
        Raises:
            BadPathError: Class or name is missing.
            BadRequestError: They are not UTF-8.
            UnknownObjectClassError: No such class or binding.
            InvalidObjectIdError: 64 hex digits that are no id of that namespace.
        """
        query = path.find("?")
        length = query if query >= 0 else len(path)
        end = path.find("/", 0, length)
        end = path.find("/", end + 1, length) if end >= 0 else -1
        if end < 0:
            end = length
        key, rest = path[:end], path[end:]
        stub = self._stubs.get(key)
        if stub is None:
            stub = self._find(key)
            self._stubs[key] = stub
            if len(self._stubs) > _KEPT:
                self._stubs.popitem(last=False)
        return stub, rest if rest.startswith("/") else "/" + rest

    def _find(self, key: str) -> Stub:
        class_name, _, name = key.partition("/")
        try:
            class_name, name = unquote(class_name, errors="strict"), unquote(name, errors="strict")
        except UnicodeDecodeError:
            raise BadRequestError("The class and the name in an object's path must be UTF-8.") from None
        if not class_name or not name:
            raise BadPathError(
                f"The path of an object is {OBJECTS}<Class or binding>/<name or id>/<path>; "
                f"classes and bindings: {', '.join(self._host.binding_names) or 'none'}."
            )
        namespace = self._host.namespace(class_name)
        return namespace.get(name) if _ID.fullmatch(name) else namespace.get_by_name(name)
