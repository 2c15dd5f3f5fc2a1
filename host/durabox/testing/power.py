"""Power loss: what may be left on a disk when the machine stops at any moment.

`RecordedFiles` notes every change to files and every sync, with marks of the test's own in between.
`RecordedFiles.after_crash` then writes out what a disk may hold if everything stopped after some of those steps:

* *the process was killed*: all that was done is there;
* *the power went*: what was synced is there. Of later writes any may be there, whole, in part (in sectors of 512 bytes) or
  not at all, and in any order; the same holds for names in folders, each change of which is whole. A synced file whose
  name was not is lost.

That is harsher than any file system in use, which keep their own changes of names in order.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from durabox.testing.files import Call, WatchedFiles

T = TypeVar("T")

_SECTOR: Final = 512


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the test did between two calls, such as seeing an answer."""

    value: object


class RecordedFiles(WatchedFiles):
    """
    The real file system, recorded from an empty folder on.

    Args:
        root: The folder; nothing outside of it is recorded.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = f"{root}/"
        self._lock = threading.Lock()
        self.steps: list[Call | Mark] = []

    def mark(self, value: object) -> None:
        """Note something of the test's own."""
        self.steps.append(Mark(value))

    def marks(self, steps: int) -> list[object]:
        """The marks among the first steps."""
        return [step.value for step in self.steps[:steps] if isinstance(step, Mark)]

    def carry_out(self, call: Call, really: Callable[[], T], half: Callable[[], object] | None = None) -> T:
        """See `WatchedFiles`."""
        # Done and noted in one go, so that two threads are noted in the order in which they changed something.
        with self._lock:
            result = really()
            if call.operation in ("write", "truncate"):
                call = replace(call, modified_ns=os.stat(call.path).st_mtime_ns)
            # What was not there was not removed, what existed was not made.
            if result is not False:
                self.steps.append(call)
        return result

    def after_crash(self, steps: int, target: Path, chance: random.Random | None = None) -> None:
        """
        Write out what a crash may leave.

        Args:
            steps: How many of the steps were done.
            target: The folder to make.
            chance: Decides what of the unsynced changes is there; ``None`` for all, as when only the process ended.
        """
        disk = _Disk(chance)
        for step in self.steps[:steps]:
            if isinstance(step, Call):
                disk.apply(step)
        target.mkdir(parents=True)
        for path, content, modified_ns in disk.left():
            place = target / path.removeprefix(self._root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            os.utime(place, ns=(modified_ns, modified_ns))


class _File:
    """One file's content, by what is certain and what was done since."""

    def __init__(self) -> None:
        self.synced = bytearray()
        self.modified_ns = 0
        self.changes: list[Call] = []

    def sync(self) -> None:
        for change in self.changes:
            _change(self.synced, change)
            self.modified_ns = change.modified_ns
        self.changes.clear()

    def left(self, chance: random.Random | None) -> tuple[bytes, int]:
        content = bytearray(self.synced)
        modified_ns = self.modified_ns
        for change in self.changes:
            if chance is None or chance.random() < 0.5:
                _change(content, change)
            elif change.operation == "write" and chance.random() < 0.5:
                _change(content, _torn(change, chance))
            else:
                continue
            modified_ns = change.modified_ns
        return bytes(content), modified_ns


class _Disk:
    """Names and files; a change of names is a set of names with what they stand for from then on."""

    def __init__(self, chance: random.Random | None) -> None:
        self._chance = chance
        self._names: dict[str, _File] = {}
        self._synced: dict[str, _File] = {}
        self._changes: list[dict[str, _File | None]] = []

    def apply(self, call: Call) -> None:
        names = self._names
        match call.operation:
            case "create":
                self._rename({call.path: _File()})
            case "rename":
                self._rename({call.path: None, call.target: names[call.path]})
            case "link":
                self._rename({call.target: names[call.path]})
            case "remove":
                self._rename({call.path: None})
            case "write" | "truncate" | "date":
                names[call.path].changes.append(call)
            case "sync":
                names[call.path].sync()
            case "sync_folder":
                self._sync_folder(call.path)
            case _:
                # Opening changes nothing. A new folder is taken for granted: a file in it needs a name of its own.
                pass

    def left(self) -> list[tuple[str, bytes, int]]:
        chance = self._chance
        names = dict(self._synced)
        for change in self._changes:
            if chance is None or chance.random() < 0.5:
                _assign(names, change)
        return [(path, *file.left(chance)) for path, file in names.items()]

    def _rename(self, change: dict[str, _File | None]) -> None:
        _assign(self._names, change)
        self._changes.append(change)

    def _sync_folder(self, folder: str) -> None:
        """A move between folders is certain with the sync of the one it went to."""
        later = []
        for change in self._changes:
            if os.path.dirname(next(reversed(change))) == folder:
                _assign(self._synced, change)
            else:
                later.append(change)
        self._changes = later


def _assign(names: dict[str, _File], change: dict[str, _File | None]) -> None:
    for path, file in change.items():
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file


def _change(content: bytearray, change: Call) -> None:
    if change.operation == "date":
        return
    if change.operation == "truncate":
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
    else:
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : change.offset + len(change.data)] = change.data


def _torn(change: Call, chance: random.Random) -> Call:
    """Some sectors at the start or at the end of a write."""
    cut = chance.randint(0, len(change.data) // _SECTOR) * _SECTOR
    if chance.random() < 0.5:
        return replace(change, data=change.data[:cut])
    return replace(change, data=change.data[cut:], offset=change.offset + cut)
