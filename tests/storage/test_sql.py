"""An object's own SQL on its database, without JavaScript: what runs, what it may touch, and what stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durabox import wire
from durabox.errors import StorageError
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.sql import Binding
from durabox.storage.sql_query import BATCH_BYTES, Query

KEY = "app-Thing"
ID = "ab" * 32


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    """A state directory on disk."""
    directory = StateDirectory(tmp_path, durability=Durability.OFF)
    yield directory
    directory.close()


@pytest.fixture
def database(state: StateDirectory) -> ObjectDatabase:
    """One object's database."""
    return state.database(KEY, ID)


def decoded(query: Query) -> list[list[Any]]:
    """All rows that are left."""
    rows: list[list[Any]] = []
    more = True
    while more:
        batch = query.batch()
        decoder = msgspec.msgpack.Decoder()
        rows += decoder.decode(b"\xdd" + batch.length.to_bytes(4, "big") + batch.rows)
        assert batch.error is None
        more = batch.more
    return rows


def run(database: ObjectDatabase, text: str, *bindings: Binding) -> list[list[Any]]:
    """Run a text to its end."""
    return decoded(database.sql.exec(text, bindings))


def fill(database: ObjectDatabase, rows: int) -> None:
    """A table ``n`` with that many rows."""
    run(database, "CREATE TABLE n (i INTEGER PRIMARY KEY)")
    counting = "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ?)"
    run(database, f"{counting} INSERT INTO n SELECT i FROM c", float(rows))


def test_reading_makes_no_file(database: ObjectDatabase, tmp_path: Path) -> None:
    assert run(database, "SELECT 1, ?", 2.5) == [[1, 2.5]]
    assert run(database, "SELECT count(*) FROM sqlite_schema") == [[0]]
    assert database.sql.size == 0
    assert not database.dirty
    database.commit()
    assert not (tmp_path / KEY).exists()


def test_only_writes_begin_the_transaction(database: ObjectDatabase) -> None:
    fill(database, 3)
    database.commit()
    for text in ("SELECT * FROM n", "PRAGMA foreign_keys = OFF", "SELECT random()"):
        run(database, text)
        assert not database.dirty, text
    run(database, "DELETE FROM n WHERE i = 99")
    assert database.dirty


def test_writes_of_sql_and_of_keys_are_one_transaction(
    state: StateDirectory, database: ObjectDatabase
) -> None:
    database.kv.put(b"k", b"v")
    fill(database, 3)
    database.rollback()
    assert database.kv.get(b"k") is None
    with pytest.raises(StorageError, match="no such table: n: SQLITE_ERROR"):
        run(database, "SELECT * FROM n")
    database.kv.put(b"k", b"v")
    fill(database, 3)
    database.commit()
    again = state.database(KEY, ID)
    assert (again.kv.get(b"k"), run(again, "SELECT count(*) FROM n")) == (b"v", [[3]])


def test_savepoints_undo_sql(database: ObjectDatabase) -> None:
    fill(database, 3)
    depth = database.savepoint()
    run(database, "DELETE FROM n")
    database.rollback_to(depth)
    assert run(database, "SELECT count(*) FROM n") == [[3]]


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(allow_nan=False),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.binary(),
        ),
        min_size=1,
        max_size=100,
    )
)
@settings(max_examples=60)
def test_values_come_back_as_they_were_bound(values: list[Binding]) -> None:
    directory = StateDirectory(None)
    database = directory.database(KEY, ID)
    assert run(database, f"SELECT {', '.join('?' * len(values))}", *values) == [values]
    directory.close()


def test_rows_come_in_batches_of_bounded_size(database: ObjectDatabase) -> None:
    fill(database, 30_000)
    query = database.sql.exec("SELECT i, 'some text' FROM n", ())
    sizes = []
    while True:
        batch = query.batch()
        sizes.append(len(batch.rows))
        if not batch.more:
            break
    assert len(sizes) > 3
    assert max(sizes) < BATCH_BYTES + 100


def test_the_last_batch_knows_that_it_is(database: ObjectDatabase) -> None:
    batch = database.sql.exec("SELECT zeroblob(?)", (float(2 * BATCH_BYTES),)).batch()
    assert (batch.length, batch.more) == (1, False)


def test_open_queries_outlive_the_birth_of_the_file(database: ObjectDatabase) -> None:
    fill(database, 20_000)
    query = database.sql.exec("SELECT i FROM n", ())
    first = query.batch()
    database.commit()
    assert first.length + len(decoded(query)) == 20_000


def test_open_queries_outlive_the_connection(database: ObjectDatabase) -> None:
    fill(database, 20_000)
    database.commit()
    query = database.sql.exec("SELECT i FROM n", ())
    first = query.batch()
    assert database.rest()
    assert first.length + len(decoded(query)) == 20_000


def test_a_query_with_too_much_left_says_so_when_its_connection_goes(database: ObjectDatabase) -> None:
    run(database, "CREATE TABLE b (x)")
    for _ in range(8):
        run(database, "INSERT INTO b VALUES (zeroblob(2000000))")
    database.commit()
    query = database.sql.exec("SELECT x FROM b", ())
    query.batch()
    assert database.rest()
    with pytest.raises(StorageError, match="SQL cursor was closed"):
        query.batch()


def test_queries_share_the_room_for_what_is_kept(database: ObjectDatabase) -> None:
    run(database, "CREATE TABLE b (x)")
    for _ in range(4):
        run(database, "INSERT INTO b VALUES (zeroblob(2000000))")
    database.commit()
    queries = [database.sql.exec("SELECT x FROM b", ()) for _ in range(3)]
    assert database.rest()
    assert len(decoded(queries[0])) == 4
    for query in queries[1:]:
        with pytest.raises(StorageError, match="SQL cursor was closed"):
            query.batch()
    assert database.sql.queries.kept == 0


def test_an_open_query_does_not_keep_the_log_from_ending(database: ObjectDatabase) -> None:
    fill(database, 20_000)
    database.commit()
    query = database.sql.exec("SELECT i FROM n", ())
    first = query.batch()
    for i in range(300):
        run(database, "INSERT INTO n VALUES (?)", float(100_000 + i))
        database.commit()
    assert database.sql.queries.kept > 0, "it has ended, and what was left of it is kept"
    assert first.length + len(decoded(query)) >= 20_000


def test_a_query_whose_next_row_never_comes_does_not_hold_up_a_commit(database: ObjectDatabase) -> None:
    fill(database, 3)
    rows = "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT printf('%.70000c', 'x') FROM c WHERE i < 4"
    query = database.sql.exec(rows, ())
    assert query.batch().more
    database.commit()
    with pytest.raises(StorageError, match="SQL cursor was closed"):
        query.batch()
    assert run(database, "SELECT count(*) FROM n") == [[3]]


def test_a_commit_may_come_in_the_middle_of_a_writing_query(database: ObjectDatabase) -> None:
    fill(database, 20_000)
    database.commit()
    query = database.sql.exec("UPDATE n SET i = -i RETURNING i", ())
    first = query.batch()
    database.commit()
    assert first.length + len(decoded(query)) == 20_000
    database.rollback()
    assert run(database, "SELECT max(i) FROM n") == [[-1]]


def test_delete_all_ends_queries_and_forgets_tables(database: ObjectDatabase) -> None:
    fill(database, 20_000)
    database.commit()
    query = database.sql.exec("SELECT i FROM n", ())
    query.batch()
    database.delete_all()
    with pytest.raises(StorageError, match="SQLite query was canceled because the database was deleted"):
        query.batch()
    with pytest.raises(StorageError, match="no such table: n"):
        run(database, "SELECT * FROM n")
    fill(database, 2)
    database.commit()
    assert run(database, "SELECT count(*) FROM n") == [[2]]


def test_a_host_statement_of_the_same_text_stays_the_hosts(database: ObjectDatabase) -> None:
    database.kv.put(b"k", b"v")
    for text, bindings in (
        ("SELECT value FROM _cf_KV WHERE key = CAST(? AS TEXT)", ("k",)),
        ("SELECT 1 FROM sqlite_schema LIMIT 1", ()),
        ("COMMIT", ()),
        ("BEGIN IMMEDIATE", ()),
        ("SAVEPOINT _cf_savepoint_1", ()),
    ):
        if text.startswith("SELECT 1"):
            run(database, text)
            continue
        with pytest.raises(StorageError):
            run(database, text, *bindings)
    assert database.kv.get(b"k") == b"v"
    database.commit()
    assert database.kv.get(b"k") == b"v"


def test_columns_of_all_tables_can_be_listed_but_not_those_of_the_host(database: ObjectDatabase) -> None:
    database.kv.put(b"k", b"v")
    run(database, "CREATE TABLE mine (x, y)")
    listed = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c"
    assert run(database, listed) == [["mine", "x"], ["mine", "y"]]
    for text, *bindings in (
        ("PRAGMA table_info(_cf_KV)",),
        ("SELECT name FROM pragma_table_info('_cf_KV')",),
        ("SELECT name FROM pragma_table_info(?)", "_CF_kv"),
        ("SELECT name FROM pragma_table_info('_cf' || ?)", "_KV"),
        (f"{listed} WHERE c.arg = ?", "_cf_KV"),
    ):
        with pytest.raises(StorageError, match="not authorized"):
            run(database, text, *bindings)


def test_columns_are_those_of_the_schema_as_it_is(database: ObjectDatabase) -> None:
    def columns(text: str = "SELECT * FROM t") -> list[str]:
        query = database.sql.exec(text, ())
        rows = decoded(query)
        assert all(len(row) == len(query.columns) for row in rows)
        return query.columns

    run(database, "CREATE TABLE t (a)")
    assert columns() == ["a"]
    run(database, "ALTER TABLE t ADD COLUMN b")
    assert columns() == ["a", "b"], "without rows"
    run(database, "INSERT INTO t VALUES (1, 2)")
    run(database, "ALTER TABLE t RENAME COLUMN a TO z")
    assert columns() == ["z", "b"]
    assert columns("DELETE FROM t WHERE z = 5 RETURNING *") == ["z", "b"]
    run(database, "ALTER TABLE t DROP COLUMN z")
    assert columns("DELETE FROM t WHERE b = 5 RETURNING *") == ["b"]
    depth = database.savepoint()
    run(database, "DELETE FROM t; ALTER TABLE t ADD COLUMN c")
    assert columns() == ["b", "c"]
    database.rollback_to(depth)
    assert columns() == ["b"]
    run(database, "DELETE FROM t")
    assert columns() == ["b"]
    assert columns("ALTER TABLE t ADD COLUMN d; SELECT * FROM t") == ["b", "d"]
    database.delete_all()
    run(database, "CREATE TABLE t (e)")
    assert columns() == ["e"]
    assert columns("EXPLAIN DELETE FROM t")[:2] == ["addr", "opcode"]


def test_an_error_says_where_also_when_the_statement_was_compiled_before(database: ObjectDatabase) -> None:
    for _ in range(2):
        run(database, "CREATE TABLE t (a)")
        assert run(database, "SELECT a FROM t") == []
        with pytest.raises(StorageError, match=r"^table t already exists at offset 13: SQLITE_ERROR$"):
            run(database, "CREATE TABLE t (a)")
        run(database, "ALTER TABLE t RENAME COLUMN a TO b")
        with pytest.raises(StorageError, match=r"^no such column: a at offset 7: SQLITE_ERROR$"):
            run(database, "SELECT a FROM t")
        run(database, "DROP TABLE t")


def test_all_statements_of_a_text_count_for_its_length(database: ObjectDatabase) -> None:
    with pytest.raises(StorageError, match="statement too long: SQLITE_TOOBIG"):
        run(database, "CREATE TABLE t (a);" + "/*" + "€" * 33_400 + "*/ SELECT 1")
    with pytest.raises(StorageError, match="no such table: t"):
        run(database, "SELECT * FROM t")
    assert run(database, "CREATE TABLE t (a);" + "/*" + "€" * 33_300 + "*/ SELECT 1") == [[1]]


def test_a_cursor_in_the_way_is_no_passing_failure(database: ObjectDatabase) -> None:
    fill(database, 50_000)
    query = database.sql.exec("SELECT * FROM n", ())
    with pytest.raises(StorageError, match="database table is locked") as caught:
        run(database, "DROP TABLE n")
    assert not caught.value.retryable
    query.close()


def test_a_statement_compiled_anew_in_the_middle_is_still_checked(database: ObjectDatabase) -> None:
    fill(database, 3)
    assert run(database, "SELECT * FROM n LIMIT 1") == [[1]]
    run(database, "ALTER TABLE n ADD COLUMN extra")
    assert run(database, "SELECT * FROM n LIMIT 1") == [[1, None]]
    run(database, "DROP TABLE n; CREATE VIEW n AS SELECT * FROM _cf_KV")
    database.kv.put(b"k", b"v")
    with pytest.raises(StorageError, match="prohibited"):
        run(database, "SELECT * FROM n LIMIT 1")


def test_a_full_database_fails_the_write_and_nothing_else(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, durability=Durability.OFF, max_object_bytes=200_000)
    database = directory.database(KEY, ID)
    run(database, "CREATE TABLE t (x)")
    database.kv.put(b"k", b"v")
    database.commit()
    with pytest.raises(StorageError, match="database or disk is full: SQLITE_FULL"):
        for _ in range(100):
            run(database, "INSERT INTO t VALUES (zeroblob(10000))")
    database.rollback()
    with pytest.raises(StorageError, match="database or disk is full: SQLITE_FULL"):
        database.kv.put(b"large", bytes(300_000))
    database.rollback()
    assert (database.kv.get(b"k"), run(database, "SELECT count(*) FROM t")) == (b"v", [[0]])
    directory.close()


def test_a_runaway_statement_is_interrupted(database: ObjectDatabase) -> None:
    asked = 0

    def overdue() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    database.sql.overdue = overdue
    for text in (
        "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c",
        "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i FROM c) SELECT i FROM c WHERE i > 1",
    ):
        asked = 0
        with pytest.raises(StorageError, match="interrupted: SQLITE_INTERRUPT"):
            run(database, text)
        assert asked == 6


def table(database: ObjectDatabase) -> None:
    """A table ``t``."""
    run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX by_name ON t (name)")
    run(database, "INSERT INTO t VALUES (1, 'a'), (3, 'c'), (4, 'a'), (2, 'b')")


def number_of(database: ObjectDatabase, text: str, *bindings: Binding) -> int:
    """The number of a text that is run again and again; 0 for none."""
    for _ in range(3):
        query = database.sql.exec(text, bindings)
        query.batch()
        number = database.sql.number_to_read(text, len(bindings))
    return number


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t WHERE id = 1",
        "SELECT * FROM t WHERE id > 1 AND id < 4",
        "SELECT id FROM t WHERE name = 'a' LIMIT 1 OFFSET 1",
        "SELECT count(*) FROM t",
    ],
)
def test_a_query_that_finds_its_rows_by_an_index_is_a_lookup(database: ObjectDatabase, text: str) -> None:
    table(database)
    number = number_of(database, text)
    assert number > 0
    batch = database.sql.exec(text, ()).batch()
    assert database.sql.look_up(number, []) == wire.array_header(batch.length) + batch.rows


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t",
        "SELECT * FROM t LIMIT 1",
        "SELECT * FROM t WHERE id > 1 ORDER BY name || 'x'",
        "SELECT upper(name) FROM t WHERE id = 1",
        "SELECT group_concat(name) FROM t WHERE id > 1",
        "SELECT * FROM t WHERE name || 'x' = 'ax' AND id = 1",
        "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 9) SELECT i FROM c, t WHERE id = i",
        "SELECT 1",
        "SELECT " + ", ".join(["name"] * 31) + " FROM t WHERE id = 1",
        "SELECT id FROM t WHERE id = 1; SELECT id FROM t WHERE id = 2",
        "UPDATE t SET name = 'b' WHERE id = 2 RETURNING id",
        "PRAGMA table_info(t)",
    ],
)
def test_no_other_query_is(database: ObjectDatabase, text: str) -> None:
    table(database)
    assert number_of(database, text) == 0


def test_a_lookup_ends_with_the_schema_and_with_the_connection(database: ObjectDatabase) -> None:
    table(database)
    text = "SELECT name FROM t WHERE id = 2"
    number = number_of(database, text)
    assert database.sql.look_up(number, []) is not None
    assert database.sql.look_up(number + 1, []) is None
    run(database, "CREATE TABLE other (a)")
    assert database.sql.look_up(number, []) is None
    number = number_of(database, text)
    database.commit()
    assert database.sql.look_up(number, []) is None
    number = number_of(database, text)
    assert database.rest()
    assert database.sql.look_up(number, []) is None


def test_a_lookup_of_more_than_fits_one_answer_is_none_any_more(database: ObjectDatabase) -> None:
    table(database)
    text = "SELECT name FROM t WHERE id >= ?"
    number = number_of(database, text, 2)
    run(database, "UPDATE t SET name = ? WHERE id = 2", "x" * 100_000)
    assert database.sql.look_up(number, [2]) is None
    assert database.sql.look_up(number, [4]) is None
    assert number_of(database, text, 4) == 0


@pytest.mark.parametrize("bindings", [[], [1, 2], [[1]], [{}], [10**30], [None, None]])
def test_what_cannot_be_looked_up_is_left_to_exec(database: ObjectDatabase, bindings: list[Any]) -> None:
    table(database)
    number = number_of(database, "SELECT name FROM t WHERE id = ?", 1)
    assert database.sql.look_up(number, bindings) is None
    assert database.sql.look_up(number, [1]) == wire.array_header(1) + b"\x91\xa1a"


def test_a_row_of_too_many_large_values_fails(database: ObjectDatabase) -> None:
    for function in ("randomblob", "zeroblob"):
        values = ", ".join([f"{function}(8000000)"] * 60)
        with pytest.raises(StorageError, match="out of memory: SQLITE_NOMEM"):
            run(database, f"SELECT {values}")
    assert run(database, "SELECT length(zeroblob(8000000))") == [[8000000]]


def test_a_violated_constraint_is_found_by_the_commit(database: ObjectDatabase) -> None:
    run(database, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    run(database, "CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)")
    database.commit()
    run(database, "INSERT INTO b VALUES (7)")
    with pytest.raises(
        StorageError, match=r"Durable Object was reset .* FOREIGN KEY constraint failed: SQLITE_CONSTRAINT"
    ):
        database.commit()
    assert run(database, "SELECT count(*) FROM b") == [[0]]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT load_extension('/lib/x.so')",
        "ATTACH DATABASE '/etc/passwd' AS p",
        "VACUUM INTO '/tmp/copy'",
        "PRAGMA writable_schema = ON",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA mmap_size = 1000000",
        "PRAGMA main.journal_mode",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        "CREATE VIRTUAL TABLE c USING csv(filename='/etc/passwd')",
        "CREATE VIRTUAL TABLE c USING geopoly(x)",
        "UPDATE sqlite_schema SET rootpage = 1",
        "DELETE FROM f_data",
        "DROP TABLE f_data",
        "ALTER TABLE f_data RENAME TO g",
        "CREATE TRIGGER r AFTER INSERT ON f_data BEGIN SELECT 1; END",
        "ALTER TABLE t RENAME TO _cf_KV2",
        "ALTER TABLE t RENAME TO [_CF_KV2]",
        "CREATE TEMP TABLE x (a)",
        "SELECT fts3_tokenizer('simple')",
        "SELECT geopoly_json('x')",
    ],
)
def test_hostile_sql_is_refused(database: ObjectDatabase, text: str) -> None:
    run(database, "CREATE TABLE t (a)")
    run(database, "CREATE VIRTUAL TABLE f USING fts5(x)")
    run(database, "INSERT INTO f VALUES ('a')")
    database.kv.put(b"k", b"v")
    with pytest.raises(StorageError):
        run(database, text)
    assert database.kv.get(b"k") == b"v"
    assert run(database, "SELECT count(*) FROM f WHERE f MATCH 'a'") == [[1]]
    assert run(database, "PRAGMA quick_check") == [["ok"]]


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=64))
@settings(max_examples=40)
def test_text_of_any_bytes_ends_in_rows_or_an_error(noise: bytes, word: bytes) -> None:
    directory = StateDirectory(None)
    database = directory.database(KEY, ID)
    text = noise.decode("utf-8", "replace")
    for attempt in (
        text,
        f"SELECT {text}",
        f"SELECT 1; {text}",
        f"CREATE TABLE t ({word.decode('latin-1')})",
    ):
        try:
            run(database, attempt)
        except StorageError as error:
            assert error.message
    directory.close()


def test_entries_of_indexes_count_as_written(database: ObjectDatabase) -> None:
    run(database, "CREATE TABLE t (a PRIMARY KEY, b); CREATE INDEX i ON t (b)")
    insert = "INSERT INTO t VALUES (?, 2)"
    assert database.sql.exec(insert, (1.0,)).changes * database.sql.entries_per_row(insert, 1) == 3
    assert database.sql.entries_per_row("SELECT 1; DELETE FROM t WHERE a = ?", 1) == 1
    assert database.sql.entries_per_row("UPDATE t SET b = 5", 0) == 2
    assert database.sql.entries_per_row("not SQL", 0) == 1


def test_no_more_texts_have_a_number_than_are_known(database: ObjectDatabase) -> None:
    run(database, "CREATE TABLE t (a)")

    def numbered(column: int) -> int:
        text = f"INSERT INTO t VALUES ({column})"
        database.sql.exec(text, ())
        database.sql.exec_again(text, ())
        statement = database.sql.repeated(text)
        assert statement is not None
        return statement.number

    first = numbered(0)
    assert database.sql.run(first, ()) == 1
    numbers = [numbered(column) for column in range(1, 200)]
    assert database.sql.run(first, ()) is None
    assert sum(database.sql.run(number, ()) is not None for number in numbers) <= 64
    assert database.sql.run(numbers[-1], ()) == 1
