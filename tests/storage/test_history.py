"""What an object held after any commit can be had back, whatever happened since."""

from __future__ import annotations

import errno
import os
import pickle
import random
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.errors import StorageError
from durabox.storage.database import Durability, ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.files import Files
from durabox.storage.history.retention import Retention
from durabox.storage.metadata import Key
from durabox.testing import Call, RecordedFiles

KEY = "demo-C"
OBJECT = "ab" * 32


class Clock:
    """Time that moves by a second with every reading."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000.0

    def __call__(self) -> float:
        self.now += 1000
        return self.now


class Rig:
    """An object's database and the contents that it should have had after each commit."""

    def __init__(self, path: Path, **options: object) -> None:
        self.path = path
        self.options = options
        self.clock = Clock()
        self.contents: dict[bytes, bytes] = {}
        self.alarm: int | None = None
        #: By bookmark: what it stands for, and a time when it was so.
        self.past: list[tuple[str, float, tuple[dict[bytes, bytes], int | None]]] = []
        self.open()

    def open(self) -> None:
        options: dict[str, Any] = {"durability": Durability.OFF, "clock": self.clock, **self.options}
        self.state = StateDirectory(self.path, **options)
        self.database: ObjectDatabase = self.state.database(KEY, OBJECT)

    def reopen(self) -> None:
        self.state.close()
        self.open()

    def note(self) -> None:
        self.past.append((self.database.bookmarks.current(), self.clock.now, self.expected()))

    def expected(self) -> tuple[dict[bytes, bytes], int | None]:
        return dict(self.contents), self.alarm

    def found(self) -> tuple[dict[bytes, bytes], int | None]:
        flat = self.database.kv.list(None, None, None, False, -1)
        return dict(zip(flat[::2], flat[1::2], strict=True)), self.database.metadata.alarm()

    def put(self, key: bytes, value: bytes) -> None:
        self.database.kv.put(key, value)
        self.database.commit()
        self.contents[key] = value

    def delete_all(self) -> None:
        self.database.delete_all(keep_alarm=True)
        self.database.commit()
        self.contents.clear()

    def restore(self, to: str | float) -> str:
        self.database.close()
        self.database = self.state.database(KEY, OBJECT)
        bookmarks = self.database.bookmarks
        undo = bookmarks.restore_next(to if isinstance(to, str) else bookmarks.at(to))
        self.database.restore()
        self.contents, self.alarm = self.found()
        return undo


class Failing(Files):
    """A file system under which the process dies, or gets an error, at the n-th change that we make beside SQLite."""

    def __init__(self, at: int, fail: Callable[[], None]) -> None:
        self._left = at
        self._fail = fail

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._fail()

    def write(self, path: str, data: bytes | bytearray, *, sync: bool) -> None:
        self._count()
        super().write(path, data, sync=sync)

    def append(self, path: str, data: bytes, *, at: int, sync: bool) -> None:
        self._count()
        super().append(path, data[: len(data) // 2], at=at, sync=sync)
        self._count()
        super().append(path, data, at=at, sync=sync)

    def truncate(self, path: str, size: int) -> None:
        self._count()
        super().truncate(path, size)

    def link(self, source: str, target: str) -> None:
        self._count()
        super().link(source, target)

    def rename(self, source: str, target: str) -> None:
        self._count()
        super().rename(source, target)

    def remove(self, path: str) -> bool:
        self._count()
        return super().remove(path)

    def make_folders(self, path: str) -> None:
        self._count()
        super().make_folders(path)


def value(size: int, seed: int) -> bytes:
    """Bytes that do not compress, so that a page is a page."""
    return random.Random(seed).randbytes(size)


Step = Callable[[Rig], None]


def _put(key: int, size: int, seed: int) -> Step:
    return lambda rig: rig.put(b"%d" % key, value(size, seed))


def _delete(key: int) -> Step:
    def run(rig: Rig) -> None:
        rig.database.kv.delete(b"%d" % key)
        rig.database.commit()
        rig.contents.pop(b"%d" % key, None)

    return run


def _alarm(time: int) -> Step:
    def run(rig: Rig) -> None:
        rig.database.metadata.put(Key.ALARM, time)
        rig.database.commit()
        rig.alarm = time

    return run


def _rollback(key: int) -> Step:
    def run(rig: Rig) -> None:
        rig.database.kv.put(b"%d" % key, value(400_000, key))
        rig.database.rollback()

    return run


def _restore(which: int) -> Step:
    def run(rig: Rig) -> None:
        if rig.past:
            bookmark, _, expected = rig.past[which % len(rig.past)]
            before = rig.expected()
            undo = rig.restore(bookmark)
            assert rig.found() == expected
            assert undo > bookmark
            rig.past.append((undo, 0, before))

    return run


KEYS = st.integers(0, 5)
STEPS = st.one_of(
    st.builds(_put, KEYS, st.sampled_from([10, 3000, 60_000, 900_000]), st.integers(0, 9)),
    st.builds(_put, KEYS, st.just(10), st.integers(0, 9)),
    st.builds(_delete, KEYS),
    st.builds(_alarm, st.integers(1, 2**60)),
    st.builds(_rollback, KEYS),
    st.builds(_restore, st.integers(0, 100)),
    st.just(Rig.delete_all),
    st.just(Rig.reopen),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.data_too_large])
@given(steps=st.lists(STEPS, min_size=1, max_size=30))
def test_every_state_comes_back(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder) / "state")
        rig.put(b"first", b"1")
        rig.note()
        for step in steps:
            step(rig)
            assert rig.found() == rig.expected()
            rig.note()
        bookmarks = [bookmark for bookmark, time, _ in rig.past if time]
        assert bookmarks == sorted(bookmarks)
        for bookmark, time, expected in list(rig.past):
            undo = rig.restore(bookmark)
            assert rig.found() == expected
            if time:
                rig.restore(time)
                assert rig.found() == expected
            rig.restore(undo)
        rig.state.close()


def _work(rig: Rig, tell: Callable[[], None]) -> None:
    """A bit of everything that writes to a history."""
    rig.put(b"a", value(3000, 1))
    for number in range(3):
        rig.put(b"b", value(600_000, number))
        rig.note()
        tell()
        rig.put(b"c", value(10, number))
    rig.reopen()
    rig.put(b"b", value(900_000, 7))
    rig.put(b"b", value(900_000, 8))
    rig.note()
    tell()
    rig.delete_all()
    rig.put(b"a", value(10, 9))
    rig.note()
    tell()
    rig.restore(rig.past[1][0])
    rig.note()
    tell()
    rig.put(b"b", value(1_200_000, 3))
    rig.note()
    tell()


def _dies(path: Path, at: int) -> bool:
    """Run the work in a process that ends at that step; whether it got there."""
    child = os.fork()
    if child == 0:
        rig = Rig(path, files=Failing(at, lambda: os._exit(9)))

        def tell() -> None:
            # The stand-in writes nothing of this.
            (path.parent / "past").write_bytes(pickle.dumps(rig.past))

        _work(rig, tell)
        rig.state.close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 9)
    return os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.torture)])
def test_a_process_that_dies_at_any_step_leaves_every_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stride: int
) -> None:
    at = 0
    while True:
        at += stride
        folder = tmp_path / str(at)
        folder.mkdir()
        died = _dies(folder / "state", at)
        rig = Rig(folder / "state")
        told = folder / "past"
        past: list[tuple[str, float, tuple[dict[bytes, bytes], int | None]]] = (
            pickle.loads(told.read_bytes()) if told.exists() else []
        )
        rig.contents, rig.alarm = rig.found()
        rig.put(b"after", value(1_200_000, 5))
        for bookmark, _, expected in past[at % 3 :: 3]:
            rig.restore(bookmark)
            assert rig.found() == expected, f"step {at}"
        rig.state.close()
        assert not caplog.records, f"step {at}"
        if not died:
            break
    assert at > 40


class StampedFiles(RecordedFiles):
    """A file looks as it did exactly when it holds what it did: on a disk made after the fact nothing else can be told."""

    def stat(self, path: str) -> os.stat_result:
        return _stamped(super().stat(path), path)

    def sync_file(self, path: str) -> None:
        """A restored state was made without its knowledge; until it is synced nobody knows of it."""
        content = Path(path).read_bytes()
        self.carry_out(Call("create", path), lambda: None)
        self.carry_out(Call("write", path, data=content), lambda: None)
        super().sync_file(path)


class RestoredFiles(Files):
    """The real file system, for a disk that `StampedFiles` wrote out."""

    def stat(self, path: str) -> os.stat_result:
        return _stamped(super().stat(path), path)


def _stamped(found: os.stat_result, path: str) -> os.stat_result:
    content = zlib.crc32(Path(path).read_bytes())
    return os.stat_result(found, {"st_mtime_ns": content})  # type: ignore[call-overload]


@pytest.mark.parametrize("seed", range(3))
def test_after_a_power_cut_every_state_is_right_or_refused(tmp_path: Path, seed: int) -> None:
    files = StampedFiles(tmp_path / "state")
    rig = Rig(tmp_path / "state", durability=Durability.FULL, files=files)
    marked: list[int] = []

    def tell() -> None:
        files.mark(len(rig.past))
        marked.append(len(files.steps))

    _work(rig, tell)
    past = rig.past
    rig.state.close()
    chance = random.Random(seed)
    # Until the first block is synced nothing but the very first commits' bookmarks is at stake.
    begun = next(
        number
        for number, step in enumerate(files.steps)
        if isinstance(step, Call) and step.operation == "sync_folder" and "/history/" in step.path
    )
    for number in range(12):
        steps = chance.randrange(marked[0], len(files.steps))
        disk = tmp_path / f"disk-{number}"
        files.after_crash(steps, disk, chance)
        told = max((mark for mark in files.marks(steps) if isinstance(mark, int)), default=0)
        after = Rig(disk, files=RestoredFiles())
        for bookmark, _, expected in past[:told]:
            try:
                after.restore(bookmark)
            except StorageError as error:
                assert "given up" in error.message
                assert steps <= begun, f"{steps} of {len(files.steps)}"
            else:
                assert after.found() == expected
        after.state.close()


def test_the_oldest_is_dropped_when_there_is_too_much(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state", history=Retention(size=40_000_000))
    for number in range(40):
        rig.put(b"a", value(1_100_000, number))
        rig.note()
    history = next((tmp_path / "state/.durabox/history" / KEY).iterdir())
    assert sum(file.stat().st_size for file in history.iterdir()) < 60_000_000
    with pytest.raises(StorageError, match="before the beginning"):
        rig.restore(rig.past[1][0])
    found = rig.database = rig.state.database(KEY, OBJECT)
    oldest, newest = found.bookmarks.range() or pytest.fail("no history")
    assert newest.bookmark == rig.past[-1][0]
    left = [past for past in rig.past if past[0] >= oldest.bookmark]
    assert 5 < len(left) < 40
    for bookmark, _, expected in (left[0], left[-1]):
        rig.restore(bookmark)
        assert rig.found() == expected
    rig.state.close()


def test_what_is_too_old_is_dropped(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state", history=Retention(age_ms=15_000))
    for number in range(40):
        rig.put(b"a", value(2_200_000, number))
        rig.note()
    with pytest.raises(StorageError, match="before the beginning"):
        rig.restore(rig.past[1][0])
    rig.database = rig.state.database(KEY, OBJECT)
    rig.restore(rig.past[-4][0])
    assert rig.found() == rig.past[-4][2]
    rig.state.close()


def test_a_file_that_another_program_changed_begins_a_new_history(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path / "state")
    for number in range(3):
        rig.put(b"a", value(1_100_000, number))
    rig.note()
    rig.state.close()
    with closing(sqlite3.connect(tmp_path / "state" / KEY / f"{OBJECT}.sqlite")) as other:
        other.execute("DELETE FROM _cf_KV")
        other.commit()
    rig.open()
    with pytest.raises(StorageError, match="of a history that was given up"):
        rig.restore(rig.past[0][0])
    assert "was changed by another program" in caplog.text
    rig.database = rig.state.database(KEY, OBJECT)
    rig.contents.clear()
    rig.note()
    rig.put(b"b", b"1")
    rig.restore(rig.past[1][0])
    assert rig.found() == ({}, None)
    rig.state.close()


def test_a_file_that_durabox_did_not_write_has_a_history_from_its_first_use_on(tmp_path: Path) -> None:
    folder = tmp_path / "state" / KEY
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / f"{OBJECT}.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        other.executemany("INSERT INTO _cf_KV VALUES (?, ?)", [("a", b"1"), ("b", value(900_000, 1))])
        # A WAL of which a part is in the file already.
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    rig = Rig(tmp_path / "state")
    rig.contents = {b"a": b"1", b"b": value(900_000, 1)}
    rig.note()
    for number in range(3):
        rig.put(b"a", value(800_000, number))
        rig.note()
    for bookmark, _, expected in rig.past:
        rig.restore(bookmark)
        assert rig.found() == expected
    rig.state.close()


def test_a_history_that_cannot_be_written_costs_no_commit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Files):
        full = False

        def append(self, path: str, data: bytes, *, at: int, sync: bool) -> None:
            if self.full:
                super().append(path, data[:10], at=at, sync=sync)
                raise OSError(errno.ENOSPC, "No space left on device")
            super().append(path, data, at=at, sync=sync)

    files = Full()
    rig = Rig(tmp_path / "state", files=files)
    rig.put(b"a", b"1")
    rig.note()
    files.full = True
    for number in range(5):
        rig.put(b"b", value(900_000, number))
    files.full = False
    rig.put(b"b", value(900_000, 9))
    rig.note()
    assert "cannot be written yet" in caplog.text
    for bookmark, _, expected in rig.past:
        rig.restore(bookmark)
        assert rig.found() == expected
    caplog.clear()
    files.full = True
    for number in range(30):
        rig.put(b"b", value(900_000, number))
    files.full = False
    assert "its history begins anew" in caplog.text
    wal = tmp_path / "state" / KEY / f"{OBJECT}.sqlite-wal"
    rig.put(b"c", b"1")
    rig.reopen()
    assert rig.found() == rig.expected()
    assert wal.stat().st_size < 20_000_000
    with pytest.raises(StorageError, match="of a history that was given up"):
        rig.restore(rig.past[0][0])
    rig.state.close()


def test_a_damaged_block_is_an_error_and_the_object_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path / "state")
    rig.put(b"a", b"1")
    rig.note()
    for number in range(4):
        rig.put(b"b", value(1_100_000, number))
    rig.database.close()
    (log,) = (tmp_path / "state/.durabox/history" / KEY / OBJECT).glob("*.log")
    data = bytearray(log.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    log.write_bytes(data)
    expected = rig.expected()
    rig.restore(rig.past[0][0])
    assert "not restored, the object stays as it is" in caplog.text
    assert rig.found() == expected
    rig.state.close()


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("30d", Retention(30 * 86_400_000)),
        ("12h,500MB", Retention(12 * 3_600_000, 500e6)),
        ("2.5GB", Retention(size=2.5e9)),
        ("off", None),
    ],
)
def test_bounds_are_written_as_ages_and_sizes(text: str, bounds: Retention | None) -> None:
    assert Retention.parse(text) == bounds


@pytest.mark.parametrize("text", ["", "30", "forever", "1d;2GB", "-1d"])
def test_other_bounds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no bound of a history"):
        Retention.parse(text)


def test_the_index_of_alarms_hears_of_the_one_that_comes_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state")
    rig.put(b"a", b"1")
    without = rig.database.bookmarks.current()
    _alarm(5_000_000)(rig)
    bookmark = rig.database.bookmarks.current()
    _alarm(7_000_000)(rig)
    rig.state.alarms.set(KEY, OBJECT, None, 7_000_000).result()
    rig.restore(bookmark)
    assert rig.state.alarms.get(KEY, OBJECT).result() == rig.alarm == 5_000_000
    rig.restore(without)
    assert rig.state.alarms.get(KEY, OBJECT).result() is rig.alarm is None
    rig.state.close()
