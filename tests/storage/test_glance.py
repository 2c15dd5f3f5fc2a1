"""Name and alarm of objects that are not taken into use: what is told is true, or said to be doubtful."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from durabox.errors import StorageError
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.glance import Glance, glance
from durabox.storage.metadata import Key

SPACE = "demo-C"
ID = "ab" * 32


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path, durability=Durability.OFF)


def seen(tmp_path: Path) -> Glance:
    return glance(str(tmp_path / SPACE / f"{ID}.sqlite"), None)


def test_a_file_without_a_wal_tells_everything(state: StateDirectory, tmp_path: Path) -> None:
    database = state.database(SPACE, ID, "ann ? # % \ud800")
    database.metadata.put(Key.ALARM, 5)
    database.commit()
    assert seen(tmp_path) == Glance("ann ? # % \ud800", 5, whole=True)
    state.close()


def test_what_waits_in_a_wal_makes_it_doubtful(state: StateDirectory, tmp_path: Path) -> None:
    database = state.database(SPACE, ID, "ann")
    database.kv.put(b"a", b"1")
    database.commit()
    database.metadata.put(Key.ALARM, 5)
    database.commit()
    assert seen(tmp_path) == Glance("ann", None, whole=False)
    database.close()
    assert seen(tmp_path) == Glance("ann", None, whole=False)
    state.close()


def test_a_database_of_another_program_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / SPACE).mkdir()
    tool = sqlite3.connect(tmp_path / SPACE / f"{ID}.sqlite")
    tool.execute("CREATE TABLE other (a)")
    tool.close()
    assert seen(tmp_path) == Glance(None, None, whole=True)


def test_a_damaged_file_is_an_error_unless_something_beside_it_may_mend_it(
    state: StateDirectory, tmp_path: Path
) -> None:
    database = state.database(SPACE, ID, "ann")
    database.kv.put(b"a", b"1")
    database.commit()
    state.close()
    file = tmp_path / SPACE / f"{ID}.sqlite"
    file.write_bytes(b"nonsense" * 1024)
    with pytest.raises(StorageError, match="NOTADB"):
        seen(tmp_path)
    file.with_name(f"{ID}.sqlite-wal").write_bytes(b"frames")
    assert seen(tmp_path) == Glance(None, None, whole=False)
    file.unlink()
    with pytest.raises(StorageError, match="CANTOPEN"):
        glance(str(tmp_path / "nothing.sqlite"), None)


def test_looking_at_a_file_in_use_does_not_open_it_to_other_programs(
    state: StateDirectory, tmp_path: Path
) -> None:
    database = state.database(SPACE, ID, "ann")
    database.kv.put(b"a", b"1")
    database.commit()
    assert database.kv.get(b"a") == b"1"
    assert seen(tmp_path).name == "ann"
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM _cf_KV')"
    other = subprocess.run(
        [sys.executable, "-c", program, tmp_path / SPACE / f"{ID}.sqlite"], capture_output=True, text=True
    )
    assert "database is locked" in other.stderr
    state.close()
