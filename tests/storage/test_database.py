"""An object's database against a plain model, in files and in memory; and what becomes of its files."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from durabox.errors import InvalidObjectIdError, StateLockedError, StorageError
from durabox.storage.connection import MAX_ROW, open_newborn
from durabox.storage.database import MAX_DEPTH, ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.history.retention import Retention
from durabox.storage.metadata import Key
from durabox.storage.statements import CREATE_KV

KEY = "demo-C"
ID = "ab" * 32
NAME = f"{ID}.sqlite"

KEYS = st.one_of(
    st.sampled_from(
        [b"", b"a", b"b", b"ab", b"a\x00", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xff", b"z" * 300]
    ),
    st.binary(max_size=6),
)
VALUES = st.one_of(st.binary(max_size=30), st.integers(0, 20_000).map(lambda size: b"v" * size))
BOUNDS = st.none() | KEYS


class DatabaseMachine(RuleBasedStateMachine):
    """Any sequence of what an actor does to its database, across commits, rests and restarts."""

    in_memory: ClassVar[bool] = False

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="durabox-"))
        self.state = self._open()
        self.database = self.state.database(KEY, ID)
        #: What is committed, what every open savepoint began with, and what is there now.
        self.committed: dict[bytes, bytes] = {}
        self.savepoints: list[dict[bytes, bytes]] = []
        self.now: dict[bytes, bytes] = {}

    def _open(self) -> StateDirectory:
        return StateDirectory(
            None if self.in_memory else self.folder / "state", durability=Durability.OFF, max_open=1
        )

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.state.close()
            shutil.rmtree(self.folder)

    @rule(key=KEYS, value=VALUES)
    def put(self, key: bytes, value: bytes) -> None:
        self.database.kv.put(key, value)
        self.now[key] = value

    @rule(entries=st.dictionaries(KEYS, VALUES, max_size=5))
    def put_many(self, entries: dict[bytes, bytes]) -> None:
        self.database.kv.put_many([part for pair in entries.items() for part in pair])
        self.now |= entries

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        assert self.database.kv.delete(key) == (self.now.pop(key, None) is not None)

    @rule(keys=st.lists(KEYS, max_size=5))
    def delete_many(self, keys: list[bytes]) -> None:
        assert self.database.kv.delete_many(keys) == len(self.now.keys() & set(keys))
        for key in keys:
            self.now.pop(key, None)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        assert self.database.kv.get(key) == self.now.get(key)

    @rule(keys=st.lists(KEYS, max_size=5))
    def get_many(self, keys: list[bytes]) -> None:
        found = self.database.kv.get_many(keys)
        assert found == [part for key in sorted({*keys} & self.now.keys()) for part in (key, self.now[key])]

    @rule(start=BOUNDS, end=BOUNDS, prefix=BOUNDS, reverse=st.booleans(), limit=st.integers(-1, 4))
    def list(
        self, start: bytes | None, end: bytes | None, prefix: bytes | None, reverse: bool, limit: int
    ) -> None:
        keys = [
            key
            for key in sorted(self.now, reverse=reverse)
            if (start is None or start <= key)
            and (end is None or key < end)
            and (prefix is None or key.startswith(prefix))
        ]
        if limit >= 0:
            keys = keys[:limit]
        found = self.database.kv.list(start, end, prefix, reverse, limit)
        assert found == [part for key in keys for part in (key, self.now[key])]

    @rule()
    def savepoint(self) -> None:
        assert self.database.savepoint() == len(self.savepoints) + 1
        self.savepoints.append(dict(self.now))

    @precondition(lambda self: self.savepoints)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        depth = data.draw(st.integers(1, len(self.savepoints)))
        self.database.release(depth)
        del self.savepoints[depth - 1 :]

    @precondition(lambda self: self.savepoints)
    @rule(data=st.data())
    def rollback_to(self, data: st.DataObject) -> None:
        depth = data.draw(st.integers(1, len(self.savepoints)))
        self.database.rollback_to(depth)
        self.now = dict(self.savepoints[depth - 1])
        del self.savepoints[depth - 1 :]

    @rule()
    def no_such_savepoint(self) -> None:
        for depth in (-1, 0, len(self.savepoints) + 1):
            with pytest.raises(StorageError):
                self.database.release(depth)

    @rule()
    def delete_all(self) -> None:
        if self.savepoints:
            with pytest.raises(StorageError, match="within a transaction"):
                self.database.delete_all()
        else:
            self.database.delete_all()
            self.now = {}

    @rule()
    def commit(self) -> None:
        if self.database.dirty:
            self.savepoints.clear()
        self.database.commit()
        self.committed = dict(self.now)

    @rule()
    def rollback(self) -> None:
        self.database.rollback()
        self.now = dict(self.committed)
        self.savepoints.clear()

    @rule()
    def rest(self) -> None:
        if self.database.dirty:
            assert not self.database.rest()
        else:
            self.database.rest()

    @rule()
    def another_object_is_used(self) -> None:
        other = self.state.database(KEY, "cd" * 32)
        other.kv.put(b"k", b"v")
        other.commit()
        assert other.kv.get(b"k") == b"v"
        other.close()

    @rule()
    def the_object_starts_again(self) -> None:
        self.database.close()
        with pytest.raises(StorageError, match="no longer accessible"):
            self.database.kv.get(b"a")
        self.database = self.state.database(KEY, ID)
        self.now = dict(self.committed)
        self.savepoints.clear()

    @precondition(lambda self: not self.in_memory)
    @rule()
    def the_process_starts_again(self) -> None:
        self.state.close()
        self._start()

    def _start(self) -> None:
        self.state = self._open()
        self.database = self.state.database(KEY, ID)
        self.now = dict(self.committed)
        self.savepoints.clear()

    @precondition(lambda self: not self.in_memory)
    @rule()
    def the_process_is_killed(self) -> None:
        crashed = self.folder / "crashed"
        shutil.copytree(self.folder / "state", crashed)
        self.state.close()
        shutil.rmtree(self.folder / "state")
        crashed.rename(self.folder / "state")
        self._start()

    @invariant()
    def uncommitted_writes_are_known(self) -> None:
        if self.now != self.committed:
            assert self.database.dirty


class MemoryMachine(DatabaseMachine):
    """The same, in memory."""

    in_memory = True


DatabaseMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
MemoryMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestDatabaseInFiles = DatabaseMachine.TestCase
TestDatabaseInMemory = MemoryMachine.TestCase


def _state(tmp_path: Path, **options: object) -> StateDirectory:
    return StateDirectory(tmp_path / "state", durability=Durability.OFF, **options)  # type: ignore[arg-type]


def _committed(state: StateDirectory, object_id: str = ID) -> ObjectDatabase:
    database = state.database(KEY, object_id)
    database.kv.put(b"k", b"v")
    database.commit()
    return database


def _names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "state").rglob("*") if path.is_file()} - {"lock"}


def test_an_object_has_no_file_until_its_first_write_is_committed(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    assert database.kv.get(b"k") is None
    assert database.kv.delete(b"k") is False
    database.kv.put(b"k", b"v")
    assert _names(tmp_path) == set()
    database.commit()
    assert _names(tmp_path) == {NAME}
    state.close()


def test_an_object_that_wrote_and_took_it_back_has_no_file(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    database.kv.put(b"k", b"v")
    database.rollback()
    database.kv.put(b"k", b"v")
    database.delete_all()
    database.commit()
    assert _names(tmp_path) == set()
    state.close()


def test_an_emptied_object_has_no_file_any_more(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    database.delete_all()
    assert database.kv.get(b"k") is None
    database.commit()
    assert NAME not in _names(tmp_path)
    assert state.database(KEY, ID).kv.list(None, None, None, False, -1) == []
    state.close()


def test_an_alarm_outlives_delete_all(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    database.metadata.put(Key.ALARM, 5)
    database.commit()
    database.delete_all()
    database.commit()
    database.close()
    database = state.database(KEY, ID)
    assert (database.metadata.get(Key.ALARM), database.kv.get(b"k")) == (5, None)
    state.close()


def test_delete_all_is_undone_by_rollback(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    database.delete_all()
    database.kv.put(b"other", b"v")
    database.rollback()
    assert database.kv.list(None, None, None, False, -1) == [b"k", b"v"]
    state.close()


def test_a_large_newborn_is_written_page_by_page(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    for number in range(20):
        database.kv.put(b"%d" % number, bytes([number]) * 200_000)
    database.commit()
    database.close()
    database = state.database(KEY, ID)
    assert all(database.kv.get(b"%d" % number) == bytes([number]) * 200_000 for number in range(20))
    state.close()


def test_a_batch_of_which_one_value_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    with pytest.raises(StorageError, match="string or blob too big: SQLITE_TOOBIG"):
        database.kv.put_many([b"a", b"1", b"large", bytes(MAX_ROW), b"z", b"1"])
    database.kv.put(b"b", b"2")
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"b", b"2", b"k", b"v"]
    state.close()


@pytest.mark.parametrize("count", [1, 3, 4, 5, 31, 32, 33, 71, 135])
def test_as_many_keys_as_one_likes_are_written_read_and_deleted_at_once(tmp_path: Path, count: int) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    # From here on the connection has the limits of the object's own SQL.
    assert database.sql.exec("SELECT 1", ()).columns == ["1"]
    keys = [b"%03d" % number for number in range(count)]
    random.Random(count).shuffle(keys)
    flat = [part for key in keys for part in (key, b"old", key, key[::-1])]
    database.kv.put_many(flat)
    assert database.kv.get_many([*keys, b"none", *keys]) == [
        part for key in sorted(keys) for part in (key, key[::-1])
    ]
    database.commit()
    half = keys[::2]
    assert database.kv.delete_many([b"none", *half, b"nor this", *half]) == len(half)
    assert database.kv.delete_many(half) == 0
    left = [part for key in sorted(keys[1::2]) for part in (key, key[::-1])]
    assert database.kv.list(None, None, None, False, -1) == [*left, b"k", b"v"]
    state.close()


def test_keys_that_do_not_exist_are_deleted_without_a_transaction(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    assert database.kv.delete_many([b"%d" % number for number in range(100)]) == 0
    assert not database.dirty
    state.close()


def test_of_many_values_the_last_one_of_which_is_too_large_none_is_left(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    database.kv.put(b"b", b"2")
    flat = [part for number in range(99) for part in (b"%d" % number, b"1")]
    with pytest.raises(StorageError, match="string or blob too big: SQLITE_TOOBIG"):
        database.kv.put_many([*flat, b"large", bytes(MAX_ROW)])
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"b", b"2", b"k", b"v"]
    state.close()


def test_a_wal_left_without_its_file_does_not_become_part_of_another(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    database.kv.put(b"k", b"in the WAL")
    database.commit()
    state.close()
    folder = tmp_path / "state" / KEY
    assert (folder / f"{NAME}-wal").stat().st_size > 0
    (folder / NAME).unlink()
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    assert database.kv.get(b"k") is None
    database.kv.put(b"new", b"v")
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"new", b"v"]
    state.close()


@pytest.mark.parametrize("history", [Retention(), None], ids=["history", "no history"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_damaged_file_that_can_still_be_opened_can_be_replaced(
    tmp_path: Path, how: str, history: Retention | None
) -> None:
    state = _state(tmp_path, history=history)
    database = state.database(KEY, ID)
    for number in range(300):
        database.kv.put(b"%03d" % number, bytes(3000))
    database.commit()
    # In the WAL with the first page: that the file is too short is found by who copies the WAL into it.
    database.kv.put(b"999", bytes(9000))
    database.commit()
    database.close()
    file = tmp_path / "state" / KEY / f"{ID}.sqlite"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 4 // 4096 * 4096])
    database = state.database(KEY, ID)
    with pytest.raises(StorageError, match=r"CORRUPT|SHORT_READ"):
        database.kv.get(b"299")
    match how:
        case "removed":
            database.replace(None)
        case "replaced":
            content = open_newborn()
            content.execute(CREATE_KV)
            database.replace(content)
    database.kv.put(b"new", b"1")
    database.commit()
    database.close()
    database = state.database(KEY, ID)
    assert (database.kv.get(b"new"), database.kv.get(b"050")) == (b"1", None)
    state.close()


def test_births_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    births = tmp_path / "state" / ".durabox" / "births"
    births.mkdir(parents=True)
    (births / f"{KEY}.7").write_bytes(b"half a file")
    state = _state(tmp_path)
    assert list(births.iterdir()) == []
    state.close()


def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    state = _state(tmp_path, max_open=3)
    databases = [_committed(state, f"{number:064x}") for number in range(12)]
    for _ in range(2):
        for database in databases:
            assert database.kv.get(b"k") == b"v"
            assert len(state._open_files) <= 3
    state.close()


def test_what_is_uncommitted_keeps_its_file_open_beyond_the_bound(tmp_path: Path) -> None:
    state = _state(tmp_path, max_open=2)
    databases = [_committed(state, f"{number:064x}") for number in range(6)]
    for number, database in enumerate(databases):
        database.kv.put(b"k", b"%d" % number)
    for number, database in enumerate(databases):
        database.commit()
        assert database.kv.get(b"k") == b"%d" % number
    state.close()


@contextmanager
def _stranger(path: Path, statement: str) -> Iterator[str]:
    """Another process that runs a statement on a file, without waiting, and keeps what it got; its answer."""
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "try: print(connection.execute(sys.argv[2]).fetchall(), flush=True)\n"
        "except sqlite3.Error as error: print(error, flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, path, statement],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def test_a_file_in_use_is_closed_to_other_programs(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = _committed(state)
    assert database.kv.get(b"k") == b"v"
    with _stranger(tmp_path / "state" / KEY / NAME, "SELECT * FROM _cf_KV") as answer:
        assert answer == "database is locked"
    database.close()
    with _stranger(tmp_path / "state" / KEY / NAME, "SELECT value FROM _cf_KV") as answer:
        assert answer == "[(b'v',)]"
    state.close()


def test_a_file_that_another_program_holds_is_a_clear_error_that_passes(tmp_path: Path) -> None:
    state = _state(tmp_path)
    _committed(state).close()
    database = state.database(KEY, ID)
    with (
        _stranger(tmp_path / "state" / KEY / NAME, "BEGIN EXCLUSIVE"),
        pytest.raises(StorageError, match="database is locked: SQLITE_BUSY") as caught,
    ):
        database.kv.get(b"k")
    assert caught.value.retryable
    assert database.kv.get(b"k") == b"v"
    state.close()


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    state = _state(tmp_path)
    with pytest.raises(StateLockedError, match="in use by this very process"):
        _state(tmp_path)
    state.close()
    _state(tmp_path).close()


def test_a_second_database_of_an_object_ends_the_first(tmp_path: Path) -> None:
    state = _state(tmp_path)
    first = _committed(state)
    second = state.database(KEY, ID)
    with pytest.raises(StorageError, match="no longer accessible"):
        first.kv.get(b"k")
    assert second.kv.get(b"k") == b"v"
    state.close()


def test_savepoints_have_a_limit(tmp_path: Path) -> None:
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    for depth in range(1, MAX_DEPTH + 1):
        assert database.savepoint() == depth
    with pytest.raises(StorageError, match="too deeply"):
        database.savepoint()
    database.kv.put(b"k", b"v")
    database.rollback_to(MAX_DEPTH)
    database.release(1)
    database.commit()
    assert database.kv.get(b"k") is None
    state.close()


@pytest.mark.parametrize("object_id", ["", "ab", "AB" * 32, "../" + "ab" * 30, "g" * 64, "ab" * 32 + "\n"])
def test_only_ids_name_files(object_id: str, tmp_path: Path) -> None:
    state = _state(tmp_path)
    with pytest.raises(InvalidObjectIdError):
        state.database(KEY, object_id)
    state.close()


@pytest.mark.parametrize("key", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "a\n", "x" * 256])
def test_unique_keys_that_lead_elsewhere_are_refused(key: str, tmp_path: Path) -> None:
    state = _state(tmp_path)
    with pytest.raises(StorageError, match="cannot name a folder"):
        state.database(key, ID)
    state.close()


# Files that are not as they should be


def _damaged(tmp_path: Path) -> tuple[StateDirectory, Path]:
    """A state with an object that has much in it and one that has little; the path of the former."""
    state = _state(tmp_path)
    database = state.database(KEY, ID)
    for number in range(200):
        database.kv.put(b"%05d" % number, bytes(300))
    database.commit()
    database.close()
    _committed(state, "cd" * 32).close()
    return state, tmp_path / "state" / KEY / NAME


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"This is not a database." * 500)


def _truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 17)


def _header_zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def _pages_zeroed(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:4096] + bytes(size - 4096))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_not_a_database, _truncated, _header_zeroed, _pages_zeroed, _folder])
def test_a_damaged_file_is_its_objects_clear_error_and_nobody_elses(damage: object, tmp_path: Path) -> None:
    state, path = _damaged(tmp_path)
    damage(path)  # type: ignore[operator]
    database = state.database(KEY, ID)
    with pytest.raises(StorageError, match=r"SQLITE_(NOTADB|CORRUPT|CANTOPEN)") as caught:
        for _ in range(2):
            database.kv.list(None, None, None, False, -1)
            database.kv.put(b"00100x", bytes(3000))
            database.commit()
    assert caught.value.message.startswith(f"{KEY}/{NAME}: "), (
        "the message names the file, relative to the state"
    )
    other = state.database(KEY, "cd" * 32)
    other.kv.put(b"k", b"still")
    other.commit()
    assert other.kv.get(b"k") == b"still"
    state.close()


def test_an_empty_file_is_an_object_that_stored_nothing(tmp_path: Path) -> None:
    state, path = _damaged(tmp_path)
    path.write_bytes(b"")
    database = state.database(KEY, ID)
    assert database.kv.list(None, None, None, False, -1) == []
    database.kv.put(b"k", b"v")
    database.commit()
    database.close()
    assert state.database(KEY, ID).kv.get(b"k") == b"v"
    state.close()


def test_flipped_bytes_never_do_worse_than_an_error(tmp_path: Path) -> None:
    state, path = _damaged(tmp_path)
    whole = path.read_bytes()
    chance = random.Random(1)
    errors = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 20)):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        for leftover in ("-wal", "-shm"):
            path.with_name(NAME + leftover).unlink(missing_ok=True)
        path.write_bytes(content)
        database = state.database(KEY, ID)
        try:
            database.kv.list(None, None, None, False, -1)
            database.kv.put(b"00100x", bytes(3000))
            database.commit()
        except StorageError as error:
            errors += 1
            assert error.message
        database.close()
    assert errors
    other = state.database(KEY, "cd" * 32)
    assert other.kv.get(b"k") == b"v"
    state.close()
