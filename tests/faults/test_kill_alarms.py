"""kill -9 while alarms are set and fire: every alarm that was acknowledged fires, with or without the index.

The choices come from a seed, which is printed; DURABOX_SEED repeats it.
"""

from __future__ import annotations

import json
import os
import random
import threading
from pathlib import Path

from tests.served import PATIENCE, Server, serve

BELL = Path(__file__).with_name("bell.js")
OBJECTS = 6
KILLS = 8


def test_no_acknowledged_alarm_is_lost_by_kill(tmp_path: Path) -> None:
    seed = int(os.environ.get("DURABOX_SEED", "1"))
    print(f"seed {seed}")
    chance = random.Random(seed)
    acknowledged = [0] * OBJECTS
    log = tmp_path / "log"
    state = tmp_path / "state"
    for kill in range(KILLS):
        with serve(BELL, state, log_file=log) as server:
            _all_fire(server, acknowledged)
            if kill % 2:
                _set_until_killed(server, chance, acknowledged)
            else:
                _set_once_and_kill(server, acknowledged)
        if kill % 4 == 3:
            for file in (state / "bell-Bell").glob("metadata.sqlite*"):
                file.unlink()
    with serve(BELL, state, log_file=log) as server:
        _all_fire(server, acknowledged)
        assert all(acknowledged)
        assert server.stop() == 0
    assert "ERROR" not in log.read_text()


def _all_fire(server: Server, acknowledged: list[int]) -> None:
    """Whatever was set before the kill fires after it. Waiting for that does not set the alarm again."""
    for number in range(OBJECTS):
        answer = server.request("GET", f"/-/objects/Bell/{number}/")
        assert answer.status == 200, answer.text
        assert json.loads(answer.text)["set"] >= acknowledged[number]


def _set_once_and_kill(server: Server, acknowledged: list[int]) -> None:
    """Set one alarm on each object and kill the server before any of them is due."""
    for number in range(OBJECTS):
        answer = server.request("POST", f"/-/objects/Bell/{number}/?in=400")
        acknowledged[number] = int(answer.text)
    server.kill()


def _set_until_killed(server: Server, chance: random.Random, acknowledged: list[int]) -> None:
    """Set alarms for now and soon on all objects at once; kill the server in the middle of it."""
    delays = [[chance.choice([0, 1, 5, 40, 300]) for _ in range(1000)] for _ in range(OBJECTS)]
    answered = threading.Semaphore(0)

    def client(number: int) -> None:
        for delay in delays[number]:
            try:
                answer = server.request("POST", f"/-/objects/Bell/{number}/?in={delay}")
            except OSError:
                return
            assert answer.status == 200, answer.text
            acknowledged[number] = max(acknowledged[number], int(answer.text))
            answered.release()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(OBJECTS)]
    for thread in clients:
        thread.start()
    for _ in range(chance.randint(10, 150)):
        assert answered.acquire(timeout=PATIENCE)
    server.kill()
    for thread in clients:
        thread.join()
