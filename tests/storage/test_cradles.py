"""First transactions that use a database which others have used before: nobody can tell."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.errors import StorageError
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.metadata import Key
from durabox.testing import Fault, FaultyFiles

KEY = "demo-C"
KEYS = st.binary(min_size=1, max_size=3).map(bytes.hex).map(str.encode)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=9000)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("alarm"), st.integers(1, 1 << 60)),
        st.just(("roll back",)),
        st.just(("savepoint",)),
        st.just(("sql",)),
    ),
    max_size=12,
)


#: A key that is no UTF-8.
LONE_SURROGATE = b"\xed\xa0\x80"


def _id(number: int) -> str:
    return f"{number:064x}"


def _path(folder: Path, number: int) -> Path:
    return folder / KEY / f"{_id(number)}.sqlite"


def _content(path: Path) -> list[str] | None:
    """All that is in a file, which is sound."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [*connection.iterdump()]
    finally:
        connection.close()


def _go(database: ObjectDatabase, steps: list[tuple[object, ...]]) -> None:
    for step in steps:
        match step:
            case ("put", bytes(key), bytes(value)):
                database.kv.put(key, value)
            case ("delete", bytes(key)):
                database.kv.delete(key)
            case ("alarm", int(time)):
                database.metadata.put(Key.ALARM, time)
            case ("roll back",):
                database.rollback()
            case ("savepoint",):
                database.kv.put(b"kept", b"1")
                depth = database.savepoint()
                database.kv.put(b"undone", b"1")
                database.rollback_to(depth)
            case ("sql",):
                database.to_write("exec").execute(
                    "CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)"
                )
    database.commit()


@given(lives=st.lists(STEPS, min_size=1, max_size=4))
def test_a_file_is_the_same_whether_it_began_in_a_cradle_or_not(
    tmp_path_factory: pytest.TempPathFactory, lives: list[list[tuple[object, ...]]]
) -> None:
    contents = []
    for cradles in (True, False):
        folder = tmp_path_factory.mktemp("state")
        state = StateDirectory(folder, durability=Durability.OFF, history=None)
        if not cradles:
            state._cradles = None
        for number, steps in enumerate(lives):
            database = state.database(KEY, _id(number), f"object {number}")
            _go(database, steps)
            database.close()
        state.close()
        contents.append([_content(_path(folder, number)) for number in range(len(lives))])
    assert contents[0] == contents[1]


def test_nothing_of_an_object_is_left_for_the_next(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF)
    secret = b"a secret that is nobody else's business"
    first = state.database(KEY, _id(1), secret.decode())
    for number in range(50):
        first.kv.put(b"%d" % number, secret * 40)
    for number in range(0, 50, 2):
        first.kv.delete(b"%d" % number)
    first.commit()
    given_up = state.database(KEY, _id(2), "b")
    given_up.kv.put(b"key", secret * 1000)
    given_up.rollback()
    second = state.database(KEY, _id(3), "c")
    assert second.kv.get(b"1") is None
    second.kv.put(b"large", bytes(9000))
    assert second.kv.list(None, None, None, False, -1) == [b"large", bytes(9000)]
    second.commit()
    state.close()
    assert secret in _path(tmp_path, 1).read_bytes()
    assert secret not in _path(tmp_path, 3).read_bytes()


def test_objects_that_are_born_at_once_do_not_share_one(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF)
    databases = [state.database(KEY, _id(number), str(number)) for number in range(40)]
    for number, database in enumerate(databases):
        database.kv.put(b"number", b"%d" % number)
    for number, database in enumerate(databases):
        assert database.kv.get(b"number") == b"%d" % number
        database.commit()
    assert [database.kv.get(b"number") for database in databases] == [b"%d" % n for n in range(40)]
    assert state._cradles is not None
    assert 0 < len(state._cradles._spare) <= 32
    state.close()


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(lambda database: database.kv.put(b"large", bytes(2_000_000)), id="large"),
        pytest.param(lambda database: database.to_write("exec"), id="sql"),
        pytest.param(lambda database: database.savepoint(), id="savepoint"),
        pytest.param(lambda database: database.streams.begin(), id="stream"),
    ],
)
@pytest.mark.parametrize("alarm", [7, None])
def test_an_object_that_wants_more_moves_out(
    more: Callable[[ObjectDatabase], object], alarm: int | None, tmp_path: Path
) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF)
    database = state.database(KEY, _id(1), "a\ud800")
    database.kv.put(b"before", b"1")
    database.kv.put(LONE_SURROGATE, b"3")
    database.metadata.put(Key.ALARM, alarm)
    more(database)
    database.kv.put(b"after", b"2")
    database.commit()
    assert [database.kv.get(key) for key in (b"before", b"after", LONE_SURROGATE)] == [b"1", b"2", b"3"]
    assert (database.metadata.alarm(), database.metadata.name()) == (alarm, "a\ud800")
    state.close()
    assert _path(tmp_path, 1).exists()


def test_an_object_without_a_name_has_no_table_that_it_does_not_need(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF)
    database = state.database(KEY, _id(1))
    database.kv.put(b"key", b"1")
    database.commit()
    state.close()
    assert "_cf_METADATA" not in "".join(_content(_path(tmp_path, 1)) or [])


def test_a_birth_that_fails_leaves_a_cradle_that_is_empty(tmp_path: Path) -> None:
    files = FaultyFiles()
    state = StateDirectory(tmp_path, files=files)
    first = state.database(KEY, _id(1), "a")
    first.kv.put(b"lost", b"1")
    files.fail(Fault(1, errno.ENOSPC, lasting=True))
    with pytest.raises(StorageError):
        first.commit()
    files.mend()
    assert first.kv.get(b"lost") is None
    second = state.database(KEY, _id(2), "b")
    second.kv.put(b"kept", b"1")
    assert second.kv.get(b"lost") is None
    second.commit()
    state.close()
    assert not _path(tmp_path, 1).exists()


def test_an_object_may_take_no_more_in_a_cradle(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF, max_object_bytes=100_000)
    database = state.database(KEY, _id(1), "a")
    with pytest.raises(StorageError):
        for number in range(100):
            database.kv.put(b"%d" % number, bytes(4000))
    database.rollback()
    database.kv.put(b"small", b"1")
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"small", b"1"]
    state.close()


def test_cradles_are_given_back_by_threads_that_commit(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF)
    for number in range(20):
        database = state.database(KEY, _id(number), "a")
        database.kv.put(b"key", b"1")
        thread = threading.Thread(target=database.commit)
        thread.start()
        thread.join()
        assert database.kv.get(b"key") == b"1"
    assert state._cradles is not None
    assert len(state._cradles._spare) == 1
    state.close()
