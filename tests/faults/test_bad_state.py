"""State that cannot be used, in whole or for one object: clear errors, and all others go on. And ends that lose nothing."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from durabox.errors import DuraboxError, JavaScriptError
from durabox.objects.host import Host
from durabox.testing import Fault, FaultyFiles, VirtualClock
from tests.faults.bank import SOURCE, after
from tests.served import environment, run, serve
from tests.walkthrough import EXAMPLES

LEDGER = Path(__file__).with_name("ledger.js")


def _truncate(path: Path) -> None:
    os.truncate(path, 5000)


def _overwrite(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(byte ^ 0xA5 for byte in content[4096:])
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_truncate, _overwrite, _flip, _folder])
async def test_a_damaged_file_is_its_own_objects_error_only(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    async with Host.open(SOURCE, tmp_path) as host:
        space = host.namespace("Bank")
        for name in ("damaged", "whole"):
            for step in ("birth", "tables", "large"):
                await space.get_by_name(name).fetch(f"/{step}")
        damaged = space.get_by_name("damaged").id
    (path,) = tmp_path.rglob(f"{damaged}.sqlite")
    # The file has everything, so that the damage hides nothing behind a WAL.
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    damage(path)
    async with Host.open(SOURCE, tmp_path) as host:
        space = host.namespace("Bank")
        # By keys and by SQL.
        for step in ("", "rows", "", "rows"):
            with pytest.raises(
                JavaScriptError, match=rf"{damaged}\.sqlite: .*SQLITE_(CORRUPT|NOTADB|CANTOPEN)"
            ) as caught:
                await space.get_by_name("damaged").fetch(f"/{step}")
            assert str(tmp_path) not in caught.value.message
        await space.get_by_name("whole").fetch("/rows")
        content = json.loads(await (await space.get_by_name("whole").fetch("/")).text())
        assert content == after("rows", after("tables", {"a": 1, "b": 2, "large": 1_100_000}))


async def test_an_object_that_would_take_more_than_it_may_loses_nothing(tmp_path: Path) -> None:
    async with Host.open(SOURCE, tmp_path, max_object_bytes=600_000) as host:
        stub = host.namespace("Bank").get_by_name("a")
        for step in ("birth", "tables"):
            await stub.fetch(f"/{step}")
        for _ in range(2):
            with pytest.raises(JavaScriptError, match="database or disk is full: SQLITE_FULL"):
                await stub.fetch("/large")
        await stub.fetch("/rows")
        expected = after("rows", after("tables", {"a": 1, "b": 2}))
        assert json.loads(await (await stub.fetch("/")).text()) == expected


LOG = """
import { DurableObject } from "cloudflare:workers";
export class Log extends DurableObject {
  async fetch(request) {
    const { sql } = this.ctx.storage, { searchParams } = new URL(request.url);
    sql.exec("CREATE TABLE IF NOT EXISTS log (line)");
    for (let left = Number(searchParams.get("lines")); left > 0; left--) sql.exec("INSERT INTO log VALUES (?)", "x".repeat(100));
    return new Response(sql.exec("SELECT count(*) AS n FROM log").one().n);
  }
}
"""


@pytest.mark.parametrize("at", [1, 2, 5, 20, 100])
async def test_rows_added_in_a_loop_that_do_not_fit_are_lost_with_all_of_their_event(
    tmp_path: Path, at: int
) -> None:
    (tmp_path / "log.js").write_text(LOG)
    files = FaultyFiles()
    async with Host.open(
        tmp_path / "log.js", tmp_path / "state", files=files, max_object_bytes=at * 40_000
    ) as host:
        stub = host.namespace("Log").get_by_name("a")
        await stub.fetch("/?lines=1")
        for _ in range(2):
            # More than the object may have, and more than the disk takes.
            with pytest.raises(DuraboxError, match="database or disk is full: SQLITE_FULL"):
                await stub.fetch("/?lines=50000")
            files.fail(Fault(at, errno.ENOSPC, lasting=True))
            with pytest.raises(DuraboxError, match="database or disk is full: SQLITE_FULL"):
                await stub.fetch("/?lines=50000")
            files.mend()
            assert await (await stub.fetch("/?lines=0")).text() == "1"


async def test_a_file_that_cannot_be_opened_is_used_again_when_it_can(tmp_path: Path) -> None:
    files = FaultyFiles()
    clock = VirtualClock()
    async with Host.open(SOURCE, tmp_path, files=files, clock=clock) as host:
        stub = host.namespace("Bank").get_by_name("a")
        await stub.fetch("/birth")
        # The first look puts the file in place.
        await stub.fetch("/")
        await clock.advance(60_000)
        files.fail(Fault(1, lasting=True))
        with pytest.raises(JavaScriptError, match="unable to open database file: SQLITE_CANTOPEN"):
            await stub.fetch("/")
        files.mend()
        assert json.loads(await (await stub.fetch("/")).text()) == {"a": 1, "b": 2}


@pytest.mark.parametrize("now", [1_600_000_000_000.0, 0.0, 1_900_000_000_000.0])
async def test_a_clock_that_jumps_loses_nothing(now: float, tmp_path: Path) -> None:
    clock = VirtualClock()
    async with Host.open(SOURCE, tmp_path, clock=clock) as host:
        stub = host.namespace("Bank").get_by_name("a")
        await stub.fetch("/birth")
        clock.set(now)
        await stub.fetch("/change")
        await clock.advance(60_000)
        await stub.fetch("/transaction")
        await clock.advance(60_000)
        assert host.live == 0, "objects leave memory as ever"
        assert json.loads(await (await stub.fetch("/")).text()) == {"a": 2, "c": 3, "d": 4}


def test_a_state_directory_that_cannot_be_made_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run("serve", EXAMPLES / "counter", "--port", "0", "--state", tmp_path / "file" / "state")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "cannot be used" in done.stderr


async def test_sigterm_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with serve(LEDGER, tmp_path / "state", log_file=tmp_path / "log") as server:
        highest = dict.fromkeys("abcd", 0)
        enough = asyncio.Event()

        async def client(session: aiohttp.ClientSession, name: str) -> None:
            while True:
                try:
                    async with session.post(
                        f"http://127.0.0.1:{server.port}/-/objects/Ledger/{name}/"
                    ) as answer:
                        text = await answer.text()
                except aiohttp.ClientError:
                    return
                if answer.status == 200:
                    highest[name] = max(highest[name], int(text))
                if sum(highest.values()) > 300:
                    enough.set()

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            clients = [asyncio.ensure_future(client(session, name)) for name in "abcd" * 6]
            await enough.wait()
            server.process.terminate()
            await asyncio.gather(*clients)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
    with serve(LEDGER, tmp_path / "state", log_file=tmp_path / "log") as server:
        for name, acknowledged in highest.items():
            found = json.loads(server.request("GET", f"/-/objects/Ledger/{name}/").text)
            assert found["count"] >= acknowledged
            assert found["slots"] == list(range(max(1, found["count"] - 7), found["count"] + 1))
    assert "Traceback" not in (tmp_path / "log").read_text()


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-Urm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs user namespaces, to mount a small file system")
def test_a_disk_that_is_really_full_loses_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    program = f"""
import asyncio, json, os
from pathlib import Path
from durabox.errors import DuraboxError, JavaScriptError
from durabox.objects.host import Host

async def main():
    state = Path({str(state)!r})
    async with Host.open({str(SOURCE)!r}, state) as host:
        space = host.namespace("Bank")
        await space.get_by_name("a").fetch("/birth")
        await space.get_by_name("a").fetch("/tables")
        ballast = state / "ballast"
        file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(file, bytes(4096)): pass
        except OSError:
            os.close(file)
        failed = []
        for name, step in [("a", "large"), ("a", "rows"), ("b", "large"), ("c", "birth"), ("d", "tables")]:
            try: await space.get_by_name(name).fetch("/" + step)
            except JavaScriptError as error: failed.append(error.message)
        print(json.dumps(failed))
        print(await (await space.get_by_name("a").fetch("/")).text())
        ballast.unlink()
        for name in "abcd": await space.get_by_name(name).fetch("/tables")
        for name in "abcd": print(await (await space.get_by_name(name).fetch("/")).text())

asyncio.run(main())
"""
    script = tmp_path / "full.py"
    script.write_text(program)
    done = subprocess.run(
        [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            f'mount -t tmpfs -o size=3m none "{state}" && exec "{sys.executable}" "{script}"',
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines[0]) == 5
    assert all("database or disk is full: SQLITE_FULL" in message for message in lines[0])
    tables = after("tables", {})
    assert lines[1:] == [{"a": 1, "b": 2, **tables}] * 2 + [tables] * 3
