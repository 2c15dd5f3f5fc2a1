"""Bounds the number of files that are open at once: each takes two file handles and 70 KB.

Databases that went unused since they were last looked at give up their connection first (the second-chance
form of "least recently used": a use only sets a flag, so it costs a read or write next to nothing). What has
uncommitted writes or is being committed keeps its connection, even past the bound.
"""

from __future__ import annotations

import threading
from typing import Protocol


class Rests(Protocol):
    """What holds a connection and can do without."""

    recent: bool

    def rest(self) -> bool:
        """Give up the connection if nothing is uncommitted; whether it did."""
        ...


class OpenFiles:
    """
    The databases whose file is open.

    Made by the thread that uses the databases: only that one closes those that are too many.

    Args:
        most: How many may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._thread = threading.get_ident()
        # Commits close connections in their threads.
        self._lock = threading.Lock()
        #: In the order in which they will be looked at.
        self._open: dict[Rests, None] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def opened(self, database: Rests) -> None:
        """
        Note it, and close others that are too many.

        Another thread has some work with one database, while those others may be in use: it leaves them alone, and
        the next that is opened by the thread that uses them closes them.
        """
        own = threading.get_ident() == self._thread
        with self._lock:
            candidates = list(self._open) * 2 if own and len(self._open) >= self._most else []
            self._open[database] = None
        for candidate in candidates:
            if len(self._open) <= self._most:
                break
            if candidate.recent or not candidate.rest():
                candidate.recent = False
                with self._lock:
                    if candidate in self._open:
                        del self._open[candidate]
                        self._open[candidate] = None

    def closed(self, database: Rests) -> None:
        """Note that it no longer holds a connection."""
        with self._lock:
            self._open.pop(database, None)
