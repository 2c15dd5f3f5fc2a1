"""What can be read of a damaged file is read, and nothing breaks on what cannot."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.storage.salvage import Salvaged, salvage

PAGE = 4096
KEYS = 400


def make(path: Path) -> bytes:
    """A database with keys, some of them large, and a numbered table."""
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    connection.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("CREATE INDEX by_name ON person (name)")
    with connection:
        for number in range(KEYS):
            value = b"\xff\x0f" + bytes([number % 250]) * (9000 if number % 50 == 0 else 100)
            connection.execute("INSERT INTO _cf_KV VALUES (?, ?)", (f"key{number:04}", value))
        connection.executemany(
            "INSERT INTO person VALUES (?, ?)", ((number, f"name {number}" * 10) for number in range(2000))
        )
    connection.close()
    return path.read_bytes()


def salvaged(path: Path) -> tuple[Salvaged, apsw.Connection]:
    target = apsw.Connection(":memory:")
    return salvage(path, target), target


def test_an_undamaged_file_is_read_whole(tmp_path: Path) -> None:
    make(tmp_path / "a")
    found, target = salvaged(tmp_path / "a")
    assert found == Salvaged({"_cf_KV": KEYS, "person": 2000}, 0, {})
    assert (
        target.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").get == 1
    )


def test_every_page_but_the_damaged_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = make(path)
    for page in range(1, len(whole) // PAGE, 7):
        path.write_bytes(whole[: page * PAGE] + b"\xaa" * PAGE + whole[(page + 1) * PAGE :])
        found, target = salvaged(path)
        kept = target.execute("SELECT (SELECT count(*) FROM _cf_KV) + (SELECT count(*) FROM person)").get
        # A leaf holds 36 of the rows, and the root of the persons' tree the way to all of them.
        assert kept >= KEYS + 2000 - 60 or "person" in found.errors, page
        assert target.execute("SELECT count(*) FROM _cf_KV").get >= KEYS - 60, page


@pytest.mark.parametrize("lost", [100, PAGE], ids=["header", "first page"])
def test_keys_are_found_without_the_beginning_of_the_file(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\0" * lost + make(path)[lost:])
    found, target = salvaged(path)
    assert found.errors
    assert found.loose == KEYS
    value = target.execute("SELECT value FROM _cf_KV WHERE key = 'key0050'").get
    assert value == b"\xff\x0f" + bytes([50]) * 9000


def test_a_header_that_says_the_file_is_shorter_takes_no_page_away(tmp_path: Path) -> None:
    path = tmp_path / "a"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.close()
    make(path)
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    # A commit that says so, waiting in the WAL.
    connection.execute("INSERT INTO _cf_KV VALUES ('last', x'ff0f')")
    connection.close()
    wal = bytearray((tmp_path / "a-wal").read_bytes())
    assert wal
    size = path.stat().st_size
    frames = [*range(32, len(wal), 24 + PAGE)]
    wal[frames[-1] + 4 : frames[-1] + 8] = (3).to_bytes(4, "big")
    _seal(wal, frames)
    (tmp_path / "a-wal").write_bytes(wal)
    _, target = salvaged(path)
    assert path.stat().st_size == size
    assert target.execute("SELECT count(*) FROM _cf_KV").get >= KEYS


def _seal(wal: bytearray, frames: list[int]) -> None:
    """Sums over the frames of a WAL, as SQLite checks them."""
    order: Literal["little", "big"] = "big" if wal[3] & 1 else "little"
    sums = [int.from_bytes(wal[24:28], "big"), int.from_bytes(wal[28:32], "big")]
    for frame in frames:
        for part in (wal[frame : frame + 8], wal[frame + 24 : frame + 24 + PAGE]):
            for at in range(0, len(part), 8):
                sums[0] = sums[0] + int.from_bytes(part[at : at + 4], order) + sums[1] & 0xFFFFFFFF
                sums[1] = sums[1] + int.from_bytes(part[at + 4 : at + 8], order) + sums[0] & 0xFFFFFFFF
        wal[frame + 16 : frame + 20] = sums[0].to_bytes(4, "big")
        wal[frame + 20 : frame + 24] = sums[1].to_bytes(4, "big")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), cut=st.one_of(st.none(), st.integers(0, 300_000)))
def test_no_damage_breaks_it(tmp_path: Path, seed: int, cut: int | None) -> None:
    path = tmp_path / "a"
    if not (tmp_path / "whole").exists():
        (tmp_path / "whole").write_bytes(make(path))
    content = bytearray((tmp_path / "whole").read_bytes()[:cut])
    chance = random.Random(seed)
    for _ in range(chance.randrange(40)):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)
    for suffix in ("-wal", "-journal", "-shm"):
        path.with_name("a" + suffix).unlink(missing_ok=True)
    path.write_bytes(content)
    salvaged(path)
