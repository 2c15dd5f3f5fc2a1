"""However many objects are touched, few files are open: those of idle objects, and beyond a bound, are closed."""

from __future__ import annotations

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from tests.served import environment

SPACE = "demo-C"


def open_files(folder: Path) -> int:
    """Files of a folder that this process has open."""
    links = list(Path("/proc/self/fd").iterdir())
    return sum(link.is_symlink() and link.readlink().is_relative_to(folder) for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts in /proc")
def test_files_beyond_the_bound_are_closed_and_opened_again(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF, max_open=10)
    databases = [state.database(SPACE, f"{number:064x}") for number in range(100)]
    for repeat in range(2):
        for number, database in enumerate(databases):
            database.kv.put(b"value", b"%d" % (number + repeat))
            database.commit()
        assert open_files(tmp_path / SPACE) <= 2 * 11
    assert [database.kv.get(b"value") for database in databases] == [b"%d" % (n + 1) for n in range(100)]
    for database in databases:
        database.close()
    assert open_files(tmp_path / SPACE) == 0
    state.close()


def test_another_thread_closes_no_file_that_may_be_in_use(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path, durability=Durability.OFF, max_open=2)
    databases = [state.database(SPACE, f"{number:064x}") for number in range(6)]
    for database in databases:
        database.kv.put(b"value", b"1")
        database.commit()
        database.kv.get(b"value")
    with ThreadPoolExecutor(1) as thread:
        for database in databases[1:4]:
            before = open_files(tmp_path / SPACE)
            assert thread.submit(database.metadata.name).result() is None
            assert open_files(tmp_path / SPACE) > before
    assert databases[0].kv.get(b"value") == b"1"
    assert open_files(tmp_path / SPACE) <= 2 * 3
    for database in databases:
        database.close()
    state.close()


def test_a_process_that_may_open_few_files_serves_many_objects(tmp_path: Path) -> None:
    script = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
from durabox import Durability, Host
async def main():
    async with Host.open(sys.argv[1], sys.argv[2], durability=Durability.OFF) as host:
        space = host.namespace("Counter")
        for expected in ("1\\n", "2\\n"):
            for start in range(0, 200, 40):
                answers = [space.get_by_name(str(n)).fetch("/increment", method="POST") for n in range(start, start + 40)]
                for answer in await asyncio.gather(*answers):
                    assert await answer.text() == expected
        page = await host.objects.list("Counter")
        assert len(page.objects) == 200
        counts = [part["rows"] async for part in host.objects.sql("Counter", "SELECT count(*) FROM _cf_KV")]
        assert counts == [[[1]]] * 200, counts
asyncio.run(main())
"""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 96
    counter = Path(__file__).parents[2] / "js-examples" / "counter"
    done = subprocess.run(
        [sys.executable, "-c", script, counter, tmp_path / "state"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
