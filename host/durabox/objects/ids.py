"""Durable Object ids, byte for byte as the open-source runtime makes them (reference §1)."""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from typing import Final

from durabox.errors import InvalidObjectIdError

#: Bytes of UTF-8; the platform drops a longer name on the way into the object.
_NAME_BYTES: Final = 1024
#: Answers kept for each namespace, since a Worker asks the same again and again, and the longest question.
_KEPT: Final = 4096
_KEPT_LENGTH: Final = 128


def name_inside(name: str | None) -> str | None:
    """The name by which an object knows itself: what its caller used, unless that is too long."""
    if name is None or len(name.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
        return None
    return name


class IdFactory:
    """
    Makes and checks the ids of one namespace.

    Args:
        unique_key: The namespace's key, ``<script>-<Class>`` in a wrangler project.
    """

    __slots__ = ("_checked", "_key", "_named")

    def __init__(self, unique_key: str) -> None:
        self._key = hmac.new(hashlib.sha256(unique_key.encode()).digest(), digestmod=hashlib.sha256)
        self._named = lru_cache(_KEPT)(self._from_name)
        self._checked = lru_cache(_KEPT)(self._check)

    def _mac(self, data: bytes) -> bytes:
        mac = self._key.copy()
        mac.update(data)
        return mac.digest()[:16]

    def _with_mac(self, base: bytes) -> str:
        return (base + self._mac(base)).hex()

    def from_name(self, name: str) -> str:
        """The id of a name: 64 lowercase hex digits, the same on every machine."""
        return self._named(name) if len(name) <= _KEPT_LENGTH else self._from_name(name)

    def new(self) -> str:
        """A random id."""
        return self._with_mac(os.urandom(16))

    def check(self, text: str) -> str:
        """
        The id in its canonical form.

        Raises:
            InvalidObjectIdError: Malformed, or of another namespace.
        """
        if len(text) != 64 or not text.isascii():
            raise InvalidObjectIdError("Invalid Durable Object ID: must be 64 hex digits")
        return self._checked(text)

    def _from_name(self, name: str) -> str:
        return self._with_mac(self._mac(name.encode("utf-8", "surrogatepass")))

    def _check(self, text: str) -> str:
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise InvalidObjectIdError("Invalid Durable Object ID: must be 64 hex digits")
        if not hmac.compare_digest(self._mac(raw[:16]), raw[16:]):
            raise InvalidObjectIdError("Durable Object ID is not valid for this namespace.")
        return text.lower()
