"""`durabox serve --allow-net`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.origin import origin
from tests.served import run, serve

SOURCE = """
export class Nothing {}
export default {
  async fetch(request) {
    try {
      return await fetch(new URL(request.url).searchParams.get("to"));
    } catch (error) {
      return new Response(error.message, { status: 502 });
    }
  },
};
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A Worker that passes requests on."""
    path = tmp_path / "main.js"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--allow-net"),
        (["--allow-net"], "it has no public address"),
        (["--allow-net", "localhost"], "only servers that were named are allowed"),
        (["--allow-net=127.0.0.1:1"], "only servers that were named are allowed"),
    ],
)
def test_a_server_that_is_not_allowed_is_not_reached(
    options: list[str], told: str, main: Path, tmp_path: Path
) -> None:
    with (
        origin() as beside,
        serve(main, tmp_path / "state", *options, log_file=tmp_path / "log") as server,
    ):
        answer = server.request("GET", f"/?to={beside.url}/status/200")
        assert answer.status == 502
        assert told in answer.text
        assert beside.connections == 0


def test_a_server_that_is_named_is_reached_and_its_body_passes_as_it_came(main: Path, tmp_path: Path) -> None:
    with (
        origin() as beside,
        serve(
            main,
            tmp_path / "state",
            "--allow-net",
            f"127.0.0.1:{beside.port}",
            "--allow-net",
            log_file=tmp_path / "log",
        ) as server,
    ):
        answer = server.request("GET", f"/?to={beside.url}/coded/gzip")
        assert answer.status == 200
        assert answer.body[:2] == b"\x1f\x8b"


def test_what_is_no_host_is_one_message(main: Path) -> None:
    done = run("serve", main, "--port", "0", "--state", ":memory:", "--allow-net", "http://example.com")
    assert done.returncode == 1
    assert "'http://example.com' is no host" in done.stderr
    assert "Traceback" not in done.stderr
