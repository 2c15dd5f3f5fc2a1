"""Which of the platform's changes in behaviour a project has taken part in: its compatibility date and flags.

A change has a flag that turns it on, one that turns it off, and a date from which it is on by default. A project
without a date gets the newest behaviour. Only changes that make a difference here have a row.

Source: ``compatibility-date.capnp`` of workerd.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum


class Change(Enum):
    """A change: the flags that turn it on and off, and the date from which it is on."""

    DELETE_ALL_DELETES_ALARM = ("delete_all_deletes_alarm", "delete_all_preserves_alarm", date(2026, 2, 24))


@dataclass(frozen=True, slots=True)
class Compatibility:
    """
    What a project asks for.

    Args:
        day: Its compatibility date, ``None`` for the newest behaviour.
        flags: Its compatibility flags; those that are not known have no effect.
    """

    day: date | None = None
    flags: frozenset[str] = field(default_factory=frozenset)

    def has(self, change: Change) -> bool:
        """Whether the project has taken part in a change."""
        on, off, since = change.value
        if on in self.flags:
            return True
        return off not in self.flags and (self.day is None or self.day >= since)
