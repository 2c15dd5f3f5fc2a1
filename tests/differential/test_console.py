"""What `console.log` prints of every kind of value is what workerd prints."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from bench import workerd
from durabox import Host
from tests.served import free_port, peer

PROBE = Path(__file__).parent / "probes" / "console.js"

#: Cases that are known to differ.
KNOWN = {
    # An older version of Node's inspect.
    "typed arrays",
    # Nothing in JavaScript tells what is left in an iterator.
    "iterators",
    # workerd also shows what no property tells: whether headers are immutable, the state of a stream.
    "headers",
    "request",
    "response",
}


async def test_values_are_printed_as_by_workerd(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.js").write_text(PROBE.read_text())
    binding = {"name": "PRINTER", "class_name": "Printer"}
    config = {"name": "probe", "main": "index.js", "durable_objects": {"bindings": [binding]}}
    (project / "wrangler.json").write_text(json.dumps(config))
    with caplog.at_level(logging.DEBUG, logger="durabox.console"):
        async with Host.open(project, ":memory:") as host:
            await host.namespace("PRINTER").get_by_name("printer").fetch("/")
    ours = _cases("\n".join(record.getMessage() for record in caplog.records))
    theirs = _cases(_printed_by_workerd(project, tmp_path))
    assert ours.keys() == theirs.keys()
    assert len(ours) > 50
    assert {
        case: (ours[case], theirs[case]) for case in ours.keys() - KNOWN if ours[case] != theirs[case]
    } == {}
    assert [case for case in KNOWN if ours[case] == theirs[case]] == []


def _printed_by_workerd(project: Path, folder: Path) -> str:
    port = free_port()
    described = workerd.PeerProject(
        root=project, main="index.js", bindings={"PRINTER": "Printer"}, vars={}, name="probe"
    )
    with (folder / "printed").open("wb") as printed:
        process = workerd.start(described, port, folder / "workerd", stdout=printed)
        with peer(process, port, folder / "peer.log") as server:
            assert server.request("GET", "/").status == 200
    return (folder / "printed").read_text()


def _cases(printed: str) -> dict[str, str]:
    return dict(re.findall(r"^<<<(.*?)>>>\n(.*?)\n(?=<<<)", printed, re.DOTALL | re.MULTILINE))
