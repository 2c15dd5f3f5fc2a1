"""A load generator in a process of its own: keep-alive connections, each sending its next request at once.

`python -m bench.load` is that process; `load()` starts it, or `wrk` where that is installed, so that
the measuring side never competes with what is measured for one interpreter. Request number k goes to
``prefix`` + (first + k mod spread): spread 1 is one object, 64 are 64, one without end makes a new one
each time.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

#: More requests than any run sends.
EVERY_TIME_ANOTHER = 1_000_000_000


@dataclass(frozen=True)
class Load:
    """
    What to send.

    Args:
        port: Port on 127.0.0.1.
        method: HTTP method.
        prefix: Path up to the object's number.
        spread: How many different objects.
        first: Number of the first of them.
        connections: How many connections; one request is under way on each.
        seconds: How long.
        requests: End after that many requests instead, 0 for no such end.
    """

    port: int
    method: str
    prefix: str
    spread: int = 1
    first: int = 0
    connections: int = 64
    seconds: float = 2.0
    requests: int = 0


def load(what: Load) -> float:
    """
    Send it from another process; answers per second.

    Raises:
        RuntimeError: An answer was not a success, or the generator failed.
    """
    wrk = shutil.which("wrk")
    if wrk and not what.requests:
        return _wrk(wrk, what)
    options = [f"--{name}={value}" for name, value in asdict(what).items()]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", *options],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return float(json.loads(done.stdout))


def _wrk(wrk: str, what: Load) -> float:
    script = f"""
local n = -1
request = function()
  n = n + 1
  return wrk.format("{what.method}", "{what.prefix}" .. string.format("%d", {what.first} + n % {what.spread}))
end
"""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                wrk,
                "-t1",
                f"-c{what.connections}",
                f"-d{max(1, round(what.seconds))}s",
                f"-s{Path(file.name)}",
                f"http://127.0.0.1:{what.port}/",
            ],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None or "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(rate[1])


class _Connection:
    """One connection with at most one request under way."""

    __slots__ = ("buffer", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""

    def receive(self) -> bool:
        """Take what has arrived; whether the answer is whole."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise RuntimeError("the server closed a connection")
        data = self.buffer + chunk if self.buffer else chunk
        if not _whole(data):
            self.buffer = data
            return False
        self.buffer = b""
        if data[9:10] != b"2":
            raise RuntimeError(f"not a success: {data[:500]!r}")
        return True


def _whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return data.endswith(b"0\r\n\r\n")
    stop = head.find(b"\r\n", at)
    length = int(head[at + 15 : stop if stop >= 0 else None])
    return len(data) >= end + 4 + length


def _generate(what: Load) -> float:
    """Answers per second, measured here."""
    selector = selectors.DefaultSelector()
    connections = [_Connection(what.port) for _ in range(what.connections)]
    tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{what.port}\r\n"
    tail += "Content-Length: 0\r\n\r\n" if what.method == "POST" else "\r\n"
    sent = answers = 0

    def send(connection: _Connection) -> None:
        nonlocal sent
        target = what.first + sent % what.spread
        connection.socket.send(f"{what.method} {what.prefix}{target}{tail}".encode())
        sent += 1

    most = what.requests or EVERY_TIME_ANOTHER
    started = time.perf_counter()
    deadline = started + what.seconds
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        if sent < most:
            send(connection)
    while answers < sent:
        for key, _ in selector.select():
            connection = key.data
            if connection.receive():
                answers += 1
                if sent < most and (what.requests or time.perf_counter() < deadline):
                    send(connection)
    return answers / (time.perf_counter() - started)


def main() -> None:
    """The generator process: the fields of `Load` as options; prints answers per second."""
    parser = argparse.ArgumentParser()
    for name, value in asdict(Load(0, "", "")).items():
        parser.add_argument(f"--{name}", type=type(value), required=True)
    print(json.dumps(_generate(Load(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
