"""An id cannot be turned back: the name it was made from is kept with what the object stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from durabox.storage.directory import StateDirectory
from durabox.storage.metadata import Key

ID = "ab" * 32
SPACE = "demo-C"


def stored_name(state: Path) -> object:
    """What any SQLite tool finds in the object's file."""
    connection = sqlite3.connect(state / SPACE / f"{ID}.sqlite")
    try:
        has = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = '_cf_METADATA'").fetchone()
        row = has and connection.execute("SELECT value FROM _cf_METADATA WHERE key = 1000").fetchone()
        return row[0] if row else None
    finally:
        connection.close()


def test_the_name_is_in_the_file_that_the_first_commit_makes(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(SPACE, ID, "ann ☺")
    database.kv.put(b"a", b"1")
    database.commit()
    state.close()
    assert stored_name(tmp_path) == "ann ☺"


def test_an_object_that_stores_nothing_gets_no_file_for_its_name(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(SPACE, ID, "ann")
    database.kv.put(b"a", b"1")
    database.delete_all(keep_alarm=False)
    database.commit()
    state.close()
    assert not (tmp_path / SPACE / f"{ID}.sqlite").exists()


def test_an_object_made_by_its_id_gets_its_name_with_the_first_write_after_it_was_reached_by_name(
    tmp_path: Path,
) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(SPACE, ID)
    database.kv.put(b"a", b"1")
    database.commit()
    database.close()
    again = state.database(SPACE, ID, "ann")
    assert again.kv.get(b"a") == b"1"
    again.kv.put(b"a", b"2")
    again.rollback()
    again.kv.put(b"a", b"3")
    again.commit()
    state.close()
    assert stored_name(tmp_path) == "ann"


@pytest.mark.parametrize("known", ["ann", None], ids=["by name", "by id"])
def test_delete_all_takes_everything_but_the_name(tmp_path: Path, known: str | None) -> None:
    state = StateDirectory(tmp_path)
    first = state.database(SPACE, ID, "ann")
    first.kv.put(b"a", b"1")
    first.commit()
    first.close()
    database = state.database(SPACE, ID, known)
    database.delete_all(keep_alarm=False)
    database.commit()
    database.kv.put(b"b", b"2")
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"b", b"2"]
    state.close()
    assert stored_name(tmp_path) == "ann"


def test_a_name_that_is_no_valid_unicode_is_kept(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(SPACE, ID, "lone \ud800 surrogate")
    database.kv.put(b"a", b"1")
    database.commit()
    assert database.metadata.name() == "lone \ud800 surrogate"
    assert database.metadata.get(Key.ALARM) is None
    state.close()
