"""What the documentation shows is what happens."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from durabox.testing.plugin import OpenHost
from durabox.testing.plugin import durabox_host as durabox_host
from tests.served import serve
from tests.walkthrough import EXAMPLES, files_shown, tour

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]


def _python_blocks() -> list[Any]:
    return [
        pytest.param(block, id=f"{page}-{number}")
        for page in PAGES
        if page != "docs/internals.md"  # interfaces, not programs
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
        )
    ]


@pytest.mark.parametrize("block", _python_blocks())
async def test_python_shown_runs(block: str, monkeypatch: pytest.MonkeyPatch, durabox_host: OpenHost) -> None:
    monkeypatch.chdir(ROOT)
    code = compile("from durabox import Host\n" + block, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {}
    await _awaited(eval(code, names))
    for name, value in names.items():
        if name.startswith("test_"):
            await _awaited(value(durabox_host) if inspect.signature(value).parameters else value())


async def _awaited(value: Any) -> None:
    if inspect.isawaitable(value):
        await value


def test_tour_of_the_readme_gives_the_output_it_shows(tmp_path: Path) -> None:
    with serve(EXAMPLES / "counter", tmp_path / "state", log_file=tmp_path / "log") as server:
        for step in tour():
            answer = server.request(step.method, step.target, step.body, step.headers)
            assert answer.text.strip() == step.expected, step.line
    assert [
        path.name for path in sorted((tmp_path / "state" / "counter-Counter").glob("*.sqlite"))
    ] == files_shown()


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_to_files_of_the_repository(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []
