"""Transactions inside transactions of an object that never stored anything before."""

from __future__ import annotations

from durabox.storage.directory import StateDirectory


def test_a_rolled_back_savepoint_does_not_forget_the_table_made_before_it() -> None:
    state = StateDirectory(None)
    database = state.database("demo-C", "ab" * 32)
    outer = database.savepoint()
    database.kv.put(b"a", b"1")
    for key in (b"b", b"c"):
        inner = database.savepoint()
        database.kv.put(key, b"2")
        database.rollback_to(inner)
    database.release(outer)
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"a", b"1"]
    state.close()


def test_a_table_made_in_a_rolled_back_savepoint_is_made_again() -> None:
    state = StateDirectory(None)
    database = state.database("demo-C", "cd" * 32)
    outer = database.savepoint()
    inner = database.savepoint()
    database.kv.put(b"a", b"1")
    database.rollback_to(inner)
    database.kv.put(b"b", b"2")
    database.release(outer)
    database.commit()
    assert database.kv.list(None, None, None, False, -1) == [b"b", b"2"]
    state.close()


def test_a_virtual_table_made_in_a_rolled_back_savepoint_leaves_nothing_behind() -> None:
    state = StateDirectory(None)
    database = state.database("demo-C", "ef" * 32)
    database.kv.put(b"a", b"1")
    for table in ("f", "g"):
        outer = database.savepoint()
        inner = database.savepoint()
        database.sql.exec(f"CREATE VIRTUAL TABLE {table} USING fts5(x)", ())
        database.sql.exec(f"INSERT INTO {table} VALUES ('text')", ())
        database.release(inner)
        unread = database.sql.exec(f"INSERT INTO {table} VALUES ('more') RETURNING x", ())
        database.rollback_to(outer)
        assert unread.batch().length == 1, "what was read before is not in the way"
    database.sql.exec("CREATE TABLE t (a)", ())
    depth = database.savepoint()
    database.kv.put(b"b", b"2")
    database.release(depth)
    database.commit()
    names = database.sql.exec("SELECT name FROM sqlite_schema WHERE name IN ('f', 'g', 't')", ()).batch()
    assert names.length == 1
    assert database.kv.list(None, None, None, False, -1) == [b"a", b"1", b"b", b"2"]
    state.close()
