"""The WAL stays short, whatever is written and read meanwhile, with a history and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.history.retention import Retention

KEY = "demo-C"
OBJECT = "ab" * 32
FRAME = 4096 + 24
HISTORIES = [pytest.param(Retention(), id="history"), pytest.param(None, id="no history")]


def state_with(path: Path, history: Retention | None) -> tuple[StateDirectory, Path]:
    state = StateDirectory(path, durability=Durability.OFF, history=history)
    return state, path / KEY / f"{OBJECT}.sqlite-wal"


@pytest.mark.parametrize("history", HISTORIES)
def test_the_wal_is_bounded_while_an_object_writes_without_a_pause(
    tmp_path: Path, history: Retention | None
) -> None:
    state, wal = state_with(tmp_path, history)
    database = state.database(KEY, OBJECT)
    longest = 0
    for number in range(3000):
        database.kv.put(b"%d" % (number % 50), b"%0500d" % number)
        database.commit()
        longest = max(longest, wal.stat().st_size if wal.exists() else 0)
    assert 400 * FRAME < longest < 560 * FRAME
    state.close()


@pytest.mark.parametrize("history", HISTORIES)
def test_the_wal_of_a_large_transaction_is_cut_again(tmp_path: Path, history: Retention | None) -> None:
    state, wal = state_with(tmp_path, history)
    database = state.database(KEY, OBJECT)
    database.kv.put(b"first", b"1")
    database.commit()
    for number in range(10):
        database.kv.put(b"%d" % number, bytes(4_000_000))
    database.commit()
    assert wal.stat().st_size > 40_000_000
    database.kv.put(b"last", b"1")
    database.commit()
    assert wal.stat().st_size <= 4 * 1024 * 1024 + 32
    state.close()


def test_the_wal_does_not_grow_from_one_life_of_an_object_to_the_next(tmp_path: Path) -> None:
    state, wal = state_with(tmp_path, Retention())
    for number in range(600):
        database = state.database(KEY, OBJECT)
        database.kv.put(b"key", b"%d" % number)
        database.commit()
        database.close()
        assert not wal.exists() or wal.stat().st_size < 560 * FRAME
    state.close()


def test_a_reader_holds_the_wal_only_as_long_as_it_reads(tmp_path: Path) -> None:
    state, wal = state_with(tmp_path, Retention())
    database = state.database(KEY, OBJECT)
    database.kv.put_many([b"a", b"1", b"b", b"2"])
    database.commit()
    connection = database.to_read("test")
    assert connection is not None
    reading = connection.execute("SELECT key FROM _cf_KV")
    next(reading)
    for number in range(1200):
        database.kv.put(b"a", b"%d" % number)
        database.commit()
    assert wal.stat().st_size > 1000 * FRAME
    reading.close()
    for number in range(10):
        database.kv.put(b"a", b"%d" % number)
        database.commit()
    bookmark = database.bookmarks.current()
    database.close()
    opened = state.database(KEY, OBJECT)
    assert opened.bookmarks.current() == bookmark
    for number in range(10):
        opened.kv.put(b"a", b"%d" % number)
        opened.commit()
    assert wal.stat().st_size <= 4 * 1024 * 1024 + 32
    state.close()
