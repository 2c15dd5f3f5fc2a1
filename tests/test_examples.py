"""Every example answers its README's commands the way the README says, and still does after a restart."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.served import serve
from tests.walkthrough import EXAMPLES, NAMES, steps


@pytest.mark.parametrize("example", NAMES)
def test_commands_of_the_readme_give_the_answers_it_promises(example: str, tmp_path: Path) -> None:
    with serve(EXAMPLES / example, tmp_path / "state", log_file=tmp_path / "log") as server:
        for step in steps(example):
            answer = server.request(step.method, step.target, step.body, step.headers)
            assert answer.text.strip() == step.expected, f"{step.line}\n{server.log}"
        assert server.stop() == 0


def test_state_outlives_the_process(tmp_path: Path) -> None:
    for value in range(1, 4):
        with serve(EXAMPLES / "counter", tmp_path / "state", log_file=tmp_path / "log") as server:
            assert server.request("POST", "/increment?name=a").text == f"{value}\n"
            assert server.stop() == 0


async def test_what_one_says_in_the_chat_all_hear(tmp_path: Path) -> None:
    with serve(EXAMPLES / "chat", tmp_path / "state", log_file=tmp_path / "log") as server:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            server.request("POST", "/lobby", b"early")
            sockets = [await session.ws_connect(f"/lobby?name={name}") for name in ("ann", "bob")]
            assert [await socket.receive_str(timeout=30) for socket in sockets] == ["curl: early"] * 2
            await sockets[0].send_str("hello")
            assert [await socket.receive_str(timeout=30) for socket in sockets] == ["ann: hello"] * 2
            assert server.request("GET", "/lobby").text == "2 here, 2 said\n"
            for socket in sockets:
                await socket.close()


def test_every_example_is_found() -> None:
    assert set(NAMES) >= {"bank", "chat", "counter", "guestbook", "multi", "rate-limiter", "reminder", "todo"}
