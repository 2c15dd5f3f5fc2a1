"""A value larger than the memory that the process may take goes in and out as a stream."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import PATIENCE, Server, serve

FILES = Path(__file__).with_name("files.js")
MIB = 1 << 20
#: What the process may take beyond what it took before.
HOST_BYTES = 64 * MIB
PATH = "/-/objects/Files/a/large"


def test_a_large_value_takes_little_memory(tmp_path: Path) -> None:
    _stream(tmp_path, 96 * MIB)


@pytest.mark.torture
def test_a_value_of_a_gibibyte_takes_little_memory(tmp_path: Path) -> None:
    _stream(tmp_path, 1024 * MIB)


def _stream(tmp_path: Path, size: int) -> None:
    with serve(FILES, tmp_path / "state", "--durability", "off", log_file=tmp_path / "log") as server:
        assert server.request("PUT", PATH, b"small").text == "stored"
        assert server.request("GET", PATH).text == "small"
        before = _peak(server)
        expected = hashlib.sha256()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10 * PATIENCE)
        connection.request("PUT", PATH, _chunks(size, expected), encode_chunked=True)
        assert connection.getresponse().read() == b"stored"
        connection.request("GET", PATH)
        response = connection.getresponse()
        found = hashlib.sha256()
        length = 0
        while chunk := response.read(MIB):
            found.update(chunk)
            length += len(chunk)
        assert length == size
        assert found.digest() == expected.digest()
        # The guest has 128 MiB; that it needs none of it shows in the whole process's peak.
        connection.request("POST", PATH)
        assert connection.getresponse().read() == str(size).encode()
        connection.close()
        grown = _peak(server) - before
        print(f"{size // MIB} MiB streamed, {grown / MIB:.1f} MiB of memory")
        assert grown < HOST_BYTES
        assert server.stop() == 0


def _chunks(size: int, digest: hashlib._Hash) -> Iterator[bytes]:
    block = hashlib.shake_128(b"durabox").digest(MIB)
    for number in range(size // MIB):
        chunk = number.to_bytes(8, "big") + block[8:]
        digest.update(chunk)
        yield chunk


def _peak(server: Server) -> int:
    """The most memory that the process has had, in bytes."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    pytest.skip("the system does not tell a process's memory")
