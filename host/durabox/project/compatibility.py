"""Which of the platform's changes in behaviour a project has taken part in: its compatibility date and flags.

A change has a flag that turns it on, one that turns it off, and a date from which it is on by default. A project
without a date gets the newest behaviour. Only changes that make a difference here have a row.

Source: ``compatibility-date.capnp`` of workerd.
"""

from __future__ import annotations

from datetime import date
from enum import Enum

from msgspec import Struct, field


class Change(Enum):
    """A change: the flags that turn it on and off, and the date from which it is on."""

    #: Node's modules and what belongs to them.
    NODEJS_COMPAT = ("nodejs_compat", "no_nodejs_compat", date(2026, 8, 4))
    #: With these, `Buffer`, `process` and so on are globals.
    NODEJS_COMPAT_V2 = ("nodejs_compat_v2", "no_nodejs_compat_v2", date(2024, 9, 23))
    #: With both, timers are Node's objects.
    NODEJS_GLOBAL_TIMERS = ("enable_nodejs_global_timers", "no_nodejs_global_timers", date(2026, 2, 10))
    #: `process.env` has the variables.
    NODEJS_PROCESS_ENV = (
        "nodejs_compat_populate_process_env",
        "nodejs_compat_do_not_populate_process_env",
        date(2025, 4, 1),
    )
    DELETE_ALL_DELETES_ALARM = ("delete_all_deletes_alarm", "delete_all_preserves_alarm", date(2026, 2, 24))


class Compatibility(Struct, frozen=True):
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

    @property
    def changes(self) -> dict[str, bool]:
        """Which of the changes the project has taken part in, by the flags that turn them on."""
        return {change.value[0]: self.has(change) for change in Change} | {
            Change.NODEJS_COMPAT_V2.value[0]: self.node_globals
        }

    @property
    def node_globals(self) -> bool:
        """Whether Node's globals exist: with the second version of its modules, which comes of the first by date."""
        on, off, since = Change.NODEJS_COMPAT_V2.value
        if on in self.flags:
            return True
        return (
            self.has(Change.NODEJS_COMPAT)
            and off not in self.flags
            and (self.day is None or self.day >= since)
        )
