"""What guests write to ``console``, and what nobody caught in them, on its way to the log."""

from __future__ import annotations

import logging
from typing import Final

logger = logging.getLogger("durabox.console")

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "log": logging.INFO,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
#: What each line counts beyond its text: the log writes time and source before it.
_LINE: Final = 64


class Console:
    """
    One isolate's console.

    Args:
        label: The source that its lines name.
        limit_kb: KiB that one event may write; the rest is dropped, after a line that says so.
    """

    __slots__ = ("_extra", "_most", "written")

    def __init__(self, label: str, limit_kb: int) -> None:
        self._extra = {"object": label}
        self._most = limit_kb << 10
        #: What the current event has written. Whoever begins an event sets it to 0.
        self.written = 0

    def write(self, level: str, text: str) -> None:
        """
        Log a line.

        Args:
            level: A name of the guest's; one that does not exist counts as ``info``.
            text: Any text.
        """
        number = _LEVELS.get(level, logging.INFO)
        if self.written > self._most or not logger.isEnabledFor(number):
            return
        room = self._most - self.written
        self.written += len(text) + _LINE
        if self.written <= self._most:
            logger.log(number, "%s", text, extra=self._extra)
            return
        if room > 0:
            logger.log(number, "%s", text[:room], extra=self._extra)
        logger.warning(
            "more than %d KiB in one event: the rest is dropped", self._most >> 10, extra=self._extra
        )
