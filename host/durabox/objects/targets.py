"""Objects that are asked for from outside: which ones they are, and what is wrong with the asking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from durabox.errors import DuraboxError
from durabox.objects.ids import IdFactory

_ID: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
#: Characters of a name in messages.
_SHOWN: Final = 100


class NoSuchObjectError(DuraboxError):
    """
    The object stores nothing.

    Args:
        class_name: The class or folder asked for.
        target: The name or id asked for.
    """

    code = "no-such-object"

    def __init__(self, class_name: str, target: str) -> None:
        super().__init__(f"{class_name} {shown(target)!r} stores nothing.")
        self.class_name = class_name
        self.target = target


class ObjectExistsError(DuraboxError):
    """
    The object that would be overwritten stores something.

    Args:
        class_name: Its class or folder.
        target: Its name or id.
    """

    code = "object-exists"

    def __init__(self, class_name: str, target: str) -> None:
        super().__init__(
            f"{class_name} {shown(target)!r} stores something already; with --force (force) it is overwritten."
        )
        self.class_name = class_name
        self.target = target


class BadArgumentError(DuraboxError):
    """An argument that makes no sense; the text says which and why."""

    code = "bad-argument"


@dataclass(frozen=True, slots=True)
class Target:
    """An object that was asked for: where it is, and what it was called."""

    class_name: str
    unique_key: str
    id: str
    name: str | None

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.id if self.name is None else shown(self.name)


def shown(name: str) -> str:
    """A name in messages: nobody reads thousands of characters."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def target_of(class_name: str, unique_key: str, target: str) -> Target:
    """
    The object that a name or an id stands for.

    Args:
        class_name: What its class was called.
        unique_key: The namespace's.
        target: A name, or the 64 digits of an id.
    Raises:
        InvalidObjectIdError: The id is one of another class.
    """
    ids = IdFactory(unique_key)
    if _ID.fullmatch(target):
        return Target(class_name, unique_key, ids.check(target), None)
    return Target(class_name, unique_key, ids.from_name(target), target)
