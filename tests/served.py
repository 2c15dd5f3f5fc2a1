"""Real processes under test: `durabox serve` and its peer, started on a project and spoken to over HTTP."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import durabox

#: Seconds after which a process that should be up, or down, counts as hanging.
PATIENCE = 60.0


@dataclass
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def header(self, name: str) -> str | None:
        """The first header of that name, in whatever case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass
class Server:
    """A process that answers HTTP on 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def log(self) -> str:
        """What it has written on stderr so far."""
        return self.log_file.read_text(errors="replace")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def kill(self) -> None:
        """``kill -9``, as a crash would end it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


def command(*arguments: str | Path) -> list[str]:
    """The command line of `durabox`, run by this very interpreter."""
    return [sys.executable, "-c", "from durabox.cli import main; main()", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment in which `command` finds this durabox."""
    return {**os.environ, "PYTHONPATH": str(Path(durabox.__file__).parents[1])}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a durabox command that ends by itself."""
    return subprocess.run(
        command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def serve(project: Path, state: Path, *arguments: str | Path, log_file: Path) -> Iterator[Server]:
    """
    Run ``durabox serve`` on a free port until the block ends.

    Args:
        project: File or folder to serve.
        state: State directory.
        arguments: Further options.
        log_file: Where stderr goes; appended to.
    """
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command("serve", project, "--port", "0", "--state", state, *arguments),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        yield Server(process, _port_of_ready_line(process.stdout, log_file), log_file)
    finally:
        _end(process)
        process.stdout.close()


@contextmanager
def peer(process: subprocess.Popen[bytes], port: int, log_file: Path) -> Iterator[Server]:
    """
    Wait until a started server accepts connections; end it with the block.

    Args:
        process: The process.
        port: Its port.
        log_file: Where its stderr goes.
    """
    try:
        _await_port(process, port)
        yield Server(process, port, log_file)
    finally:
        _end(process)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_of_ready_line(stdout: IO[bytes], log_file: Path) -> int:
    ready, _, _ = select.select([stdout], [], [], PATIENCE)
    line = stdout.readline().decode() if ready else ""
    found = re.search(r"listening on http://[^ ]*:(\d+)", line)
    assert found, f"no ready line but {line!r}; stderr:\n{log_file.read_text(errors='replace')}"
    return int(found[1])


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"the process ended with code {process.wait(0.01)}")
    raise AssertionError(f"nothing listens on port {port}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
