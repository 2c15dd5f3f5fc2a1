"""kill -9 under load: what was acknowledged stays, nothing is half applied, a restart needs no repair.

Clients increment a few objects as fast as they can; after a random number of acknowledgements the server is
killed. The next start must find every acknowledged increment. All choices come from a seed, which is
printed; DURABOX_SEED repeats it (the kernel's scheduling stays its own).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.served import PATIENCE, Server, serve

LEDGER = Path(__file__).with_name("ledger.js")
SLOTS = 8
OBJECTS = 4
CLIENTS = 24


@dataclass
class Account:
    """What the clients know of one object."""

    name: str
    #: Highest number that an answer carried.
    acknowledged: int = 0
    #: Requests sent since the last restart; some may have been carried out without an answer.
    sent: int = 0
    #: Count found at the last restart.
    floor: int = 0
    #: Every number that was answered; no number may be given out twice.
    answered: set[int] = field(default_factory=set)


async def test_no_acknowledged_increment_is_lost_by_kill(tmp_path: Path) -> None:
    await _kills(tmp_path, kills=50, seed=int(os.environ.get("DURABOX_SEED", "1")))


@pytest.mark.torture
async def test_no_acknowledged_increment_is_lost_by_a_thousand_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("DURABOX_SEED", "0")) or random.SystemRandom().getrandbits(32)
    await _kills(tmp_path, kills=1000, seed=seed)


async def _kills(tmp_path: Path, *, kills: int, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    accounts = [Account(f"ledger-{number}") for number in range(OBJECTS)]
    log = tmp_path / "log"
    for number in range(kills):
        if number % 50 == 0:
            print(
                f"{number} kills, {sum(len(account.answered) for account in accounts):,} increments",
                flush=True,
            )
        with serve(LEDGER, tmp_path / "state", log_file=log) as server:
            for account in accounts:
                _check(server, account)
            await _load_until_killed(server, accounts, chance)
    with serve(LEDGER, tmp_path / "state", log_file=log) as server:
        for account in accounts:
            _check(server, account)
        assert server.stop() == 0
    acknowledged = sum(len(account.answered) for account in accounts)
    print(f"{kills} kills, {acknowledged:,} acknowledged increments")
    assert acknowledged >= kills
    said = [line for line in log.read_text().splitlines() if " info " not in line]
    assert said == [], "a start after a crash had something to say"
    databases = list((tmp_path / "state").rglob("*.sqlite"))
    assert len(databases) >= OBJECTS
    for database in databases:
        with sqlite3.connect(database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def _check(server: Server, account: Account) -> None:
    """Compare an object, just restarted, with what its clients know."""
    answer = server.request("GET", _path(account))
    assert answer.status == 200, answer.text
    found = json.loads(answer.text)
    count = found["count"]
    assert account.acknowledged <= count, (
        f"{account.name}: acknowledged {account.acknowledged}, found {count}"
    )
    assert count <= account.floor + account.sent, f"{account.name}: more than was ever asked for"
    assert found["slots"] == list(range(max(1, count - SLOTS + 1), count + 1)), (
        f"{account.name}: half applied"
    )
    account.floor = count
    account.sent = 0


async def _load_until_killed(server: Server, accounts: list[Account], chance: random.Random) -> None:
    """Increment from many connections; kill the server in the middle of it."""
    remaining = chance.randint(1, 400)
    delay = chance.uniform(0, 0.005)
    loop = asyncio.get_running_loop()

    def acknowledged() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            # Not at once: most of the time between two answers is spent in the middle of something.
            loop.call_later(delay, server.kill)

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as clients,
    ):
        for number in range(CLIENTS):
            account = accounts[number % OBJECTS]
            clients.create_task(_increment(session, server, account, acknowledged))


async def _increment(
    session: aiohttp.ClientSession, server: Server, account: Account, acknowledged: Callable[[], None]
) -> None:
    url = f"http://127.0.0.1:{server.port}{_path(account)}"
    while True:
        account.sent += 1
        try:
            async with session.post(url) as response:
                text = await response.text()
        except aiohttp.ClientError:
            assert server.process.poll() is not None, "a connection broke although nobody killed the server"
            return
        assert response.status == 200, text
        number = int(text)
        assert number not in account.answered, f"{account.name}: {number} was answered twice"
        account.answered.add(number)
        account.acknowledged = max(account.acknowledged, number)
        acknowledged()


def _path(account: Account) -> str:
    return f"/-/objects/Ledger/{account.name}/"
