"""WebSockets with hibernation, on durabox and on workerd: `python -m bench.sockets [--rounds N]`.

Both sides run `sockets.js`, in turns, each round in fresh processes. The client is a few lines over plain sockets: it knows
how many bytes have to come, so that it costs the same for both sides and little.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench import peer, results, workerd

SOURCE = Path(__file__).with_name("sockets.js")
PEER_PROJECT = workerd.PeerProject(SOURCE.parent, SOURCE.name, {"ROOM": "Room"})

DURABOX = peer.Side("durabox", peer.starter(SOURCE), "/-/objects/Room/")
WORKERD = peer.Side("workerd", lambda port, state: workerd.start(PEER_PROJECT, port, state), "/")

ECHOES = 2_000
LISTENERS = 500
BROADCASTS = 40
SLEEPERS = 1_000
#: Both sides evict idle objects after 10 seconds, and look every few seconds.
ASLEEP = 16.0

ECHO = peer.Measure("echo round trip, p50", " µs", 1.3, False)
BROADCAST = peer.Measure(f"messages to {LISTENERS} sockets of one object", "/s", 0.7)
MEMORY = peer.Measure(
    f"private memory per idle hibernated socket ({SLEEPERS:,} of one object)", " B", 1.0, False
)
MEASURES = (ECHO, BROADCAST, MEMORY)

_EVERYBODY = len("to everybody") + 2


def _frame(text: str) -> bytes:
    """A text frame of a client, masked with nothing."""
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text.encode()


@contextmanager
def _client(port: int, path: str) -> Iterator[socket.socket]:
    """An open WebSocket."""
    with socket.create_connection(("127.0.0.1", port), peer.PATIENCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.recv(65536)
        if b" 101 " not in answer:
            raise RuntimeError(answer.decode(errors="replace"))
        yield client


def _exactly(client: socket.socket, size: int) -> None:
    while size:
        got = len(client.recv(size))
        if not got:
            raise RuntimeError("the server closed a connection")
        size -= got


def _echo(port: int, path: str) -> float:
    """Median microseconds."""
    message = _frame("hello")
    times = []
    with _client(port, path) as client:
        for _ in range(ECHOES):
            start = time.perf_counter()
            client.sendall(message)
            _exactly(client, 7)
            times.append(time.perf_counter() - start)
    return median(times[ECHOES // 4 :]) * 1e6


def _broadcast(port: int, path: str) -> float:
    """Messages per second that arrive."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(port, path)) for _ in range(LISTENERS)]
        selector = stack.enter_context(selectors.DefaultSelector())
        for client in clients:
            selector.register(client, selectors.EVENT_READ)

        def once() -> None:
            clients[0].sendall(_frame("all"))
            left = LISTENERS * _EVERYBODY
            while left:
                for key, _ in selector.select(peer.PATIENCE):
                    left -= len(os.read(key.fd, 65536))

        for _ in range(BROADCASTS // 4):
            once()
        start = time.perf_counter()
        for _ in range(BROADCASTS):
            once()
        return BROADCASTS * LISTENERS / (time.perf_counter() - start)


def _memory(server: peer.Running, path: str) -> float:
    """Bytes per socket, once the object has left memory."""
    before = server.private_kb
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(server.port, path)) for _ in range(SLEEPERS)]
        time.sleep(ASLEEP)
        bytes_each = (server.private_kb - before) * 1024 / SLEEPERS
        clients[-1].sendall(_frame("awake"))
        _exactly(clients[-1], 7)
        return bytes_each


def _round(side: peer.Side, states: Path) -> dict[peer.Measure, float]:
    with peer.running(side, states) as server:
        numbers = {
            ECHO: _echo(server.port, f"{side.prefix}echo"),
            BROADCAST: _broadcast(server.port, f"{side.prefix}broadcast"),
        }
    with peer.running(side, states) as server:
        with _client(server.port, f"{side.prefix}other"):
            pass  # what every first socket costs
        numbers[MEMORY] = _memory(server, f"{side.prefix}sleep")
    return numbers


def _report(
    ours: list[dict[peer.Measure, float]], theirs: list[dict[peer.Measure, float]], command: str
) -> str:
    rows = []
    for measure in MEASURES:
        ratio = median(a[measure] / b[measure] for a, b in zip(ours, theirs, strict=True))
        rows.append(
            [
                measure.title,
                f"{median(each[measure] for each in ours):,.0f}{measure.unit}",
                f"{median(each[measure] for each in theirs):,.0f}{measure.unit}",
                f"{ratio:.2f}",
                f"{'≥' if measure.more_is_better else '≤'} {measure.mark:g} "
                f"{'reached' if measure.reached(ratio) else '**missed**'}",
            ]
        )
    table = results.table(["measure", "durabox", "workerd", "ratio", "mark"], rows)
    return (
        f"## WebSockets\n\n`{command}` on {results.machine()}, beside workerd {workerd.VERSION}.\n\n{table}"
    )


def main() -> None:
    """Run all rounds, print the table and write it into RESULTS.md."""
    parser = argparse.ArgumentParser(description="Compare WebSockets with workerd's.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating runs")
    options = parser.parse_args()
    workerd.install()
    numbers: dict[str, list[dict[peer.Measure, float]]] = {DURABOX.name: [], WORKERD.name: []}
    with tempfile.TemporaryDirectory(prefix="states-", dir=workerd.CACHE) as states:
        for number in range(options.rounds):
            for side in (DURABOX, WORKERD):
                print(f"round {number + 1} of {options.rounds}: {side.name} …", file=sys.stderr)
                numbers[side.name].append(_round(side, Path(states)))
    text = _report(
        numbers[DURABOX.name], numbers[WORKERD.name], f"python -m bench.sockets --rounds {options.rounds}"
    )
    print(text)
    results.write("sockets", text)


if __name__ == "__main__":
    main()
