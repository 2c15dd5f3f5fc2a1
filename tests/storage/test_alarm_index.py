"""Pending alarms on disk: order, grouping, and what is left of them when files are lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.errors import StorageError
from durabox.storage.alarm_index import START, Pending
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.metadata import Key

SPACE = "worker-Class"
EVER = 2**62


def object_id(number: int) -> str:
    """The id of the object with that number."""
    return f"{number:064x}"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Where the state directory is."""
    return tmp_path / "state"


def opened(path: Path | None) -> StateDirectory:
    """The state directory, without waiting for the disk."""
    return StateDirectory(path, durability=Durability.OFF)


def pending(directory: StateDirectory) -> list[Pending]:
    """Everything, in order."""
    return directory.alarms.due(SPACE, START, EVER, 10_000).result()[0]


def store(directory: StateDirectory, number: int, time_ns: int, name: str | None = None) -> None:
    """What a live object would have committed."""
    database = directory.database(SPACE, object_id(number), name)
    database.metadata.put(Key.ALARM, time_ns)
    database.commit()
    database.close()


def test_alarms_come_in_order_and_page_by_page(state: Path) -> None:
    directory = opened(state)
    for number, time in enumerate([50, 10, 30, 30, 20]):
        directory.alarms.set(SPACE, object_id(number), f"n{number}\ud800", time)
    rows, following = directory.alarms.due(SPACE, START, 30, 2).result()
    assert rows == [Pending(object_id(1), "n1\ud800", 10), Pending(object_id(4), "n4\ud800", 20)]
    assert following == 30
    rows, following = directory.alarms.due(SPACE, (20, object_id(4)), 30, 9).result()
    assert [row.object_id for row in rows] == [object_id(2), object_id(3)]
    assert following == 50, "what is not due yet says when to look again"
    directory.close()


def test_a_change_is_seen_by_the_next_question_whether_it_may_wait_or_not(state: Path) -> None:
    directory = opened(state)
    directory.alarms.set(SPACE, object_id(1), "a", 10)
    directory.alarms.set_later(SPACE, object_id(1), None, 20)
    assert directory.alarms.get(SPACE, object_id(1)).result() == 20
    assert pending(directory) == [Pending(object_id(1), "a", 20)], "a name once known stays"
    directory.alarms.set_later(SPACE, object_id(1), None, None)
    assert pending(directory) == []
    assert directory.alarms.get(SPACE, object_id(1)).result() is None
    directory.close()


def test_who_waits_for_a_write_cannot_cancel_it_for_others(state: Path) -> None:
    directory = opened(state)
    waiting = [directory.alarms.set(SPACE, object_id(number), None, number) for number in range(100)]
    assert not any(future.cancel() for future in waiting)
    for future in waiting:
        future.result()
    assert len(pending(directory)) == 100
    directory.close()


def test_alarms_outlive_the_directory(state: Path) -> None:
    directory = opened(state)
    directory.alarms.set(SPACE, object_id(1), None, 10)
    directory.alarms.set_later(SPACE, object_id(2), None, 20)
    directory.close()
    directory = opened(state)
    assert [row.time_ns for row in pending(directory)] == [10, 20]
    directory.close()


def test_classes_do_not_see_each_others_alarms() -> None:
    directory = opened(None)
    directory.alarms.set("a-A", object_id(1), None, 1)
    directory.alarms.set("a-B", object_id(2), None, 2)
    assert directory.alarms.due("a-A", START, EVER, 9).result()[0] == [Pending(object_id(1), None, 1)]
    directory.close()


@pytest.mark.parametrize("loss", ["missing", "damaged", "empty", "damaged with a WAL"])
def test_a_lost_index_is_made_anew_from_the_objects(state: Path, loss: str) -> None:
    directory = opened(state)
    store(directory, 1, 5, "one")
    store(directory, 1, 10)  # is in the WAL only
    store(directory, 2, 20)
    directory.database(SPACE, object_id(3)).kv.put(b"k", b"no alarm here")
    directory.alarms.open(SPACE).result()
    directory.close()
    index = state / SPACE / "metadata.sqlite"
    match loss:
        case "missing":
            index.unlink()
        case "empty":
            index.write_bytes(b"")
        case "damaged":
            index.write_bytes(b"nonsense" * 1000)
        case "damaged with a WAL":
            directory = opened(state)
            directory.alarms.set(SPACE, object_id(9), "is no more", 1).result()
            directory.close()
            assert index.with_name("metadata.sqlite-wal").stat().st_size > 0
            index.write_bytes(b"nonsense" * 1000)
    directory = opened(state)
    directory.alarms.open(SPACE).result()
    assert pending(directory) == [Pending(object_id(1), "one", 10), Pending(object_id(2), None, 20)]
    directory.close()


def test_an_index_that_turns_out_to_be_damaged_is_made_anew_by_the_next_start(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = opened(state)
    for number in range(200):
        store(directory, number, number + 1, f"n{number}")
    directory.alarms.open(SPACE).result()
    directory.close()
    index = state / SPACE / "metadata.sqlite"
    content = bytearray(index.read_bytes())
    # The header and the schema stay.
    content[4096:] = b"\xaa" * (len(content) - 4096)
    index.write_bytes(content)
    directory = opened(state)
    directory.alarms.open(SPACE).result()
    for _ in range(2):
        with pytest.raises(StorageError, match="CORRUPT"):
            pending(directory)
    directory.close()
    assert len([record for record in caplog.records if "next start makes it anew" in record.message]) == 1
    directory = opened(state)
    assert [row.time_ns for row in pending(directory)] == list(range(1, 201))
    directory.close()


def test_an_object_that_cannot_be_read_does_not_keep_the_others_from_being_found(state: Path) -> None:
    directory = opened(state)
    store(directory, 1, 10)
    directory.close()
    (state / SPACE / f"{object_id(2)}.sqlite").write_bytes(b"nonsense" * 1000)
    directory = opened(state)
    assert [row.time_ns for row in pending(directory)] == [10]
    directory.close()


def test_a_table_without_names_gets_them(state: Path) -> None:
    folder = state / SPACE
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "metadata.sqlite") as connection:
        connection.execute(
            "CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO _cf_ALARM VALUES (?, 5)", (object_id(1),))
    connection.close()
    directory = opened(state)
    directory.alarms.set(SPACE, object_id(2), "two", 6)
    assert pending(directory) == [Pending(object_id(1), None, 5), Pending(object_id(2), "two", 6)]
    directory.close()


def test_a_key_that_names_no_folder_is_refused(state: Path) -> None:
    directory = opened(state)
    with pytest.raises(StorageError, match="cannot name a folder"):
        directory.alarms.set("../outside", object_id(1), None, 1).result()
    directory.close()


def test_the_order_is_found_without_looking_at_all_of_them(state: Path) -> None:
    directory = opened(state)
    directory.alarms.set(SPACE, object_id(1), None, 5)
    directory.close()
    with sqlite3.connect(state / SPACE / "metadata.sqlite") as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT actor_id FROM _cf_ALARM WHERE (scheduled_time, actor_id) > (1, 'x') "
            "AND scheduled_time <= 9 ORDER BY scheduled_time, actor_id LIMIT 5"
        ).fetchall()
    connection.close()
    text = " ".join(row[3] for row in plan)
    assert "SEARCH" in text
    assert "TEMP B-TREE" not in text


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.one_of(st.none(), st.integers(0, 9)),
            st.sampled_from(["now", "later", "read"]),
        )
    )
)
def test_the_index_says_what_was_set_last(changes: list[tuple[int, int | None, str]]) -> None:
    directory = opened(None)
    model: dict[str, int] = {}
    for number, time, how in changes:
        key = object_id(number)
        if how == "read":
            assert directory.alarms.get(SPACE, key).result() == model.get(key)
            continue
        if how == "now":
            directory.alarms.set(SPACE, key, None, time)
        else:
            directory.alarms.set_later(SPACE, key, None, time)
        if time is None:
            model.pop(key, None)
        else:
            model[key] = time
    wanted = sorted((time, key) for key, time in model.items())
    assert [(row.time_ns, row.object_id) for row in pending(directory)] == wanted
    directory.close()
