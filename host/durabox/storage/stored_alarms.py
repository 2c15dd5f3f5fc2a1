"""Pending alarms as the databases of a class's objects tell them: what an index of alarms that is not there is made from.

The host waits for that as it starts, so many files are looked at at once: waiting for the disk is what they share.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from durabox.errors import StorageError
from durabox.storage.alarm_index import Pending, UnfinishedIndexError
from durabox.storage.database import ObjectDatabase
from durabox.storage.homes import Home
from durabox.storage.open_files import OpenFiles
from durabox.storage.shelves import FolderShelf

logger = logging.getLogger("durabox.storage")

#: Threads that look, and how many files each takes at a time.
_LOOKERS: Final = 4
_GROUP: Final = 250


def stored_alarms(
    unique_key: str, shelf: FolderShelf, home_of: Callable[[str], Home], is_closed: Callable[[], bool]
) -> Iterator[Pending]:
    """
    The alarms of a class's objects, some files at a time.

    Args:
        unique_key: Names the class in messages.
        shelf: The objects' files.
        home_of: Where the database with that id is.
        is_closed: Whether nobody wants to know any more.
    Raises:
        UnfinishedIndexError: `is_closed` said so.
    """
    ids = list(shelf.ids())
    if not ids:
        return
    logger.info("%s: looking for alarms in the databases of %s objects", unique_key, f"{len(ids):,}")
    groups = [ids[start : start + _GROUP] for start in range(0, len(ids), _GROUP)]
    with ThreadPoolExecutor(_LOOKERS, thread_name_prefix="durabox-glances") as threads:
        try:
            for pending in threads.map(partial(_alarms_of, shelf, home_of), groups):
                if is_closed():
                    raise UnfinishedIndexError
                yield from pending
        finally:
            threads.shutdown(cancel_futures=True)


def _alarms_of(shelf: FolderShelf, home_of: Callable[[str], Home], group: list[str]) -> list[Pending]:
    found: list[Pending] = []
    open_files = OpenFiles(1)
    for object_id in group:
        try:
            seen = shelf.glance(object_id)
            due, name = seen.alarm, seen.name
            if not seen.whole:
                database = ObjectDatabase(home_of(object_id), open_files, lambda: None)
                try:
                    due, name = database.metadata.alarm(), database.metadata.name()
                finally:
                    database.close()
        except StorageError as error:
            logger.warning("%s: its alarm cannot be read: %s", object_id, error)
        else:
            if due is not None:
                found.append(Pending(object_id, name, due))
    return found
