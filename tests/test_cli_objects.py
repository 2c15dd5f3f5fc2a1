"""``durabox objects``: real processes, with a server that owns the state directory and without one."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.served import PATIENCE, command, environment, run, serve
from tests.server.test_inventory import NEST
from tests.walkthrough import EXAMPLES

COUNTER = EXAMPLES / "counter"


def objects(*arguments: str | Path, state: Path) -> subprocess.CompletedProcess[str]:
    return run("objects", *arguments, "--state", state)


def lines(*arguments: str | Path, state: Path) -> list[Any]:
    result = objects(*arguments, "--json", state=state)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_same_is_seen_with_a_server_and_without(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        for name in ("a", "b"):
            server.request("POST", f"/increment?name={name}")
        (live,) = lines("list", "Counter", "--prefix", "b", state=state)
        assert (live["name"], live["awake"]) == ("b", True)
        assert objects("list", "COUNTER", state=state).stdout.splitlines()[1].startswith("a ")
        shown = lines("show", "Counter", "a", state=state)
        rows = lines("sql", "Counter", "SELECT count(*) AS keys FROM _cf_KV", state=state)
        assert server.stop() == 0
    (asleep,) = lines("list", "Counter", "--prefix", "b", state=state)
    assert asleep == live | {"awake": False, "used": asleep["used"], "size": asleep["size"]}
    (again,) = lines("show", "Counter", "a", state=state)
    assert again == shown[0] | {"awake": False}
    assert [each["value"] for each in again["keys"]] == [1]
    assert lines("sql", "Counter", "SELECT count(*) AS keys FROM _cf_KV", state=state) == rows
    assert [(row["name"], row["row"]) for row in rows] == [("a", {"keys": 1}), ("b", {"keys": 1})]


@pytest.mark.parametrize("served", [True, False], ids=["served", "not served"])
def test_an_object_is_exported_imported_copied_vacuumed_and_deleted(tmp_path: Path, served: bool) -> None:
    state, file = tmp_path / "state", tmp_path / "a.sqlite"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        server.request("POST", "/increment?name=a")
        if not served:
            server.stop()
        assert objects("export", "Counter", "a", file, state=state).returncode == 0
        tool = sqlite3.connect(file)
        assert tool.execute("SELECT value FROM _cf_METADATA WHERE key = 1000").fetchone() == ("a",)
        tool.close()
        refused = objects("import", "Counter", file, state=state)
        assert (refused.returncode, "--force" in refused.stderr) == (1, True)
        assert objects("import", "Counter", file, "--force", state=state).returncode == 0
        assert objects("import", "Counter", file, "--object", "b/c ☺", state=state).returncode == 0
        assert objects("copy", "Counter", "a", "copy", state=state).returncode == 0
        assert objects("vacuum", "Counter", "copy", state=state).returncode == 0
        assert objects("delete", "Counter", "a", state=state).returncode == 0
        gone = objects("delete", "Counter", "a", state=state)
        assert (gone.returncode, "stores nothing" in gone.stderr) == (1, True)
        assert [each["name"] for each in lines("list", "Counter", state=state)] == ["b/c ☺", "copy"]
        elsewhere = tmp_path / "elsewhere"
        for name in ("Counter", "other-Class"):
            assert objects("import", name, file, state=elsewhere).returncode == 0
            assert [each["name"] for each in lines("list", name, state=elsewhere)] == ["a"]
        if served:
            assert server.request("POST", "/increment?name=copy").text == "2\n"
            assert server.stop() == 0
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        assert server.request("POST", "/increment?name=copy").text == ("3\n" if served else "2\n")
        assert server.request("GET", "/?name=a").text == "0\n"


SCRIPTS = {
    "migrate.js": """export default async ({ sql }) => {
        sql.exec("CREATE TABLE IF NOT EXISTS touched (how TEXT)");
        sql.exec("INSERT INTO touched VALUES ('by a script')");
    }""",
    "migrate.sql": "CREATE TABLE IF NOT EXISTS touched (how TEXT); INSERT INTO touched VALUES ('by SQL')",
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_migration_killed_midway_goes_on_and_touches_each_object_once(tmp_path: Path, kind: str) -> None:
    state, script = tmp_path / "state", tmp_path / kind
    script.write_text(SCRIPTS[kind])
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        for number in range(40):
            server.request("POST", f"/increment?name=n{number}")
        assert server.stop() == 0
    with subprocess.Popen(
        command("objects", "migrate", "Counter", script, "--json", "--state", state),
        stdout=subprocess.PIPE,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.kill()
    outcomes = [each["outcome"] for each in lines("migrate", "Counter", script, state=state)]
    assert len(outcomes) == 40
    assert outcomes.count("already") >= 5
    assert "failed" not in outcomes
    rows = lines("sql", "Counter", "SELECT count(*) AS times FROM touched", state=state)
    assert [row["row"]["times"] for row in rows] == [1] * 40


def test_what_fails_on_many_objects_is_told_of_a_few(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        for number in range(25):
            server.request("POST", f"/increment?name=n{number:02}")
    failed = objects("sql", "Counter", "SELECT * FROM absent", state=state)
    assert failed.returncode == 1
    *told, rest, last = failed.stderr.splitlines()
    assert told == [f"durabox: n{number:02}: no such table: absent: SQLITE_ERROR" for number in range(10)]
    assert rest == "durabox: … and 15 others"
    assert last.endswith("the query failed on 25 objects")
    failed = objects("sql", "Counter", "SELECT * FROM absent", "--json", state=state)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
    assert {json.loads(line)["error"] for line in failed.stdout.splitlines()} == {
        "no such table: absent: SQLITE_ERROR"
    }
    script = tmp_path / "migrate.sql"
    script.write_text("INSERT INTO absent VALUES (1)")
    failed = objects("migrate", "Counter", script, state=state)
    assert failed.stdout == "0 done, 0 already, 25 failed\n"
    assert len(failed.stderr.splitlines()) == 12


def test_a_server_with_a_token_is_asked_with_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, "--admin-token", "secret", log_file=tmp_path / "log") as server:
        server.request("POST", "/increment?name=a")
        refused = objects("list", "Counter", state=state)
        assert (refused.returncode, "token" in refused.stderr) == (1, True)
        assert objects("list", "Counter", "--admin-token", "secret", state=state).returncode == 0


def test_what_takes_over_a_second_shows_on_a_terminal_for_how_long(tmp_path: Path) -> None:
    state, project = tmp_path / "state", tmp_path / "busy.js"
    # An object that is busy is waited for, two seconds.
    project.write_text(
        'import { DurableObject } from "cloudflare:workers"; export class Busy extends DurableObject {'
        " async fetch() { await this.ctx.storage.put('a', 1); await scheduler.wait(1e6); } }"
    )
    with serve(project, state, log_file=tmp_path / "log") as server:
        waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        waiting.request("GET", "/-/objects/Busy/a/")
        while not lines("list", "Busy", state=state):
            pass
        terminal, end = pty.openpty()
        done = subprocess.run(
            command("objects", "vacuum", "Busy", "a", "--state", state),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=end,
            timeout=PATIENCE,
        )
        os.close(end)
        seen = os.read(terminal, 65_536).decode()
        os.close(terminal)
        waiting.close()
    assert done.returncode == 0, seen
    assert "vacuuming … 1 s" in seen
    assert seen.endswith("\r\x1b[K"), "the line goes away"


def test_a_name_that_no_path_can_carry_is_refused_by_a_server_and_known_without(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        assert server.request("POST", "/increment?name=..").text == "1\n"
        (found,) = lines("list", "Counter", state=state)
        assert found["name"] == ".."
        refused = objects("show", "Counter", "..", state=state)
        assert (refused.returncode, "by its id" in refused.stderr) == (1, True)
        assert lines("show", "Counter", found["id"], state=state)[0]["name"] == ".."
        assert server.stop() == 0
    assert lines("show", "Counter", "..", state=state)[0]["id"] == found["id"]


def test_what_is_kept_of_the_past_without_a_server_is_an_option(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        server.request("POST", "/increment?name=a")
        assert server.stop() == 0
    assert objects("vacuum", "Counter", "a", "--history", "400d,2GB", state=state).returncode == 0
    off = objects("restore", "Counter", "a", "--to", "2026-01-01", "--history", "off", state=state)
    assert off.returncode == 1
    assert "does not implement point-in-time recovery" in off.stderr
    wrong = objects("vacuum", "Counter", "a", "--history", "always", state=state)
    assert (wrong.returncode, "no bound of a history" in wrong.stderr) == (2, True)
    neither = objects("restore", "Counter", "a", "--to", "yesterday", state=state)
    assert (neither.returncode, "'yesterday' is neither a time" in neither.stderr) == (2, True)


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for arguments in (
        ("list", "Nobody"),
        ("show", "Nobody", "a"),
        ("import", "Nobody", tmp_path / "nothing"),
    ):
        failed = objects(*arguments, state=state)
        assert failed.returncode == 1
        assert failed.stderr.count("\n") == 1
        assert failed.stderr.startswith("durabox: ")
    for nowhere in (tmp_path / "none", ""):
        failed = run("objects", "list", "Counter", "--state", nowhere)
        assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("served", [True, False], ids=["served", "not served"])
def test_every_command_can_answer_in_json(tmp_path: Path, served: bool) -> None:
    state, file = tmp_path / "state", tmp_path / "a.sqlite"
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        server.request("POST", "/increment?name=a")
        if not served:
            server.stop()
        (exported,) = lines("export", "Counter", "a", file, state=state)
        assert (exported["name"], exported["bytes"]) == ("a", file.stat().st_size)
        assert lines("import", "Counter", file, "--object", "b", state=state)[0]["name"] == "b"
        (copied,) = lines("copy", "Counter", "a", "c", state=state)
        assert copied["name"] == "c"
        assert lines("vacuum", "Counter", "c", state=state)[0].keys() == {"before", "after"}
        assert lines("delete", "Counter", "c", state=state) == [{}]
        (seen,) = lines("show", "Counter", "a", state=state)
        (restored,) = lines("restore", "Counter", "a", "--to", datetime.now(UTC).isoformat(), state=state)
        assert restored.keys() == {"undo"}
        assert lines("show", "Counter", "a", state=state)[0]["keys"] == seen["keys"]
        (salvaged,) = lines("export", "Counter", "a", file, "--salvage", state=state)
        assert salvaged["errors"] == {}


@pytest.mark.parametrize("served", [True, False], ids=["served", "not served"])
def test_files_and_names_that_are_odd_are_no_surprise(tmp_path: Path, served: bool) -> None:
    state, long, file = tmp_path / "state", "long" * 2500, tmp_path / "out.sqlite"
    text = tmp_path / "text"
    text.write_text("no database")
    with serve(COUNTER, state, log_file=tmp_path / "log") as server:
        for name in ("a", long):
            server.request("POST", f"/increment?name={name}")
        if not served:
            server.stop()
        for arguments in (
            ("export", "Counter", "a", "."),
            ("export", "Counter", "a", tmp_path / "no" / "folder"),
            ("import", "Counter", tmp_path / "nothing", "--object", "b"),
            ("import", "Counter", tmp_path, "--object", "b"),
            ("import", "Counter", text, "--object", "b"),
            ("import", "Counter", "/dev/null", "--object", "b"),
            ("list", ".."),
            ("show", "Counter", "nobody" * 1000),
        ):
            failed = objects(*arguments, state=state)
            assert failed.returncode == 1
            assert re.fullmatch(r"durabox: .{1,250}\n", failed.stderr)
        assert objects("export", "Counter", long, file, state=state).returncode == 0
        assert objects("import", "Counter", file, "--object", "b", state=state).returncode == 0
        assert len(lines("list", "Counter", state=state)) == 3


@pytest.mark.parametrize("served", [True, False], ids=["served", "not served"])
def test_a_facet_is_looked_into_and_goes_where_its_object_goes(tmp_path: Path, served: bool) -> None:
    project, state, file = tmp_path / "main.js", tmp_path / "state", tmp_path / "file"
    project.write_text(NEST)
    with serve(project, state, log_file=tmp_path / "log") as server:
        server.request("GET", "/-/objects/Nest/n/a/b")
        if not served:
            server.stop()
        lead = ("--facet", "a", "--facet", "b")
        assert 'facet  ["a", "b"]' in objects("show", "Nest", "n", state=state).stdout
        (shown,) = lines("show", "Nest", "n", *lead, state=state)
        assert [each["key"] for each in shown["keys"]] == ["value"]
        query = "SELECT count(*) AS keys FROM _cf_KV"
        assert [row["row"] for row in lines("sql", "Nest", query, "--object", "n", *lead, state=state)] == [
            {"keys": 1}
        ]
        assert objects("export", "Nest", "n", file, state=state).returncode == 0
        assert objects("import", "Nest", file, "--object", "m", state=state).returncode == 0
        assert objects("copy", "Nest", "m", "o", state=state).returncode == 0
        assert objects("delete", "Nest", "m", state=state).returncode == 0
        assert {each["name"] for each in lines("list", "Nest", state=state)} <= {None, "n", "o"}
        (copied,) = lines("show", "Nest", "o", *lead, state=state)
        assert copied["keys"] == shown["keys"]
        gone = objects("show", "Nest", "m", *lead, state=state)
        assert (gone.returncode, "stores nothing" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "serve"),
        (("serve",), "--durability"),
        (("objects",), "vacuum"),
        (("objects", "list"), "--prefix"),
    ],
    ids=str,
)
def test_every_command_has_help(arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert told in result.stdout
    assert not re.search(r"default: (None|\[\])", result.stdout), "no words of Python's"
