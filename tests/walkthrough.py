"""The commands that the READMEs show, read so that tests can do what a reader would do."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLES = Path(__file__).parents[1] / "js-examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "README.md").exists())


@dataclass
class Step:
    """One curl command and the body that the README promises."""

    line: str
    method: str = "GET"
    target: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expected: str = ""

    @property
    def portable(self) -> bool:
        """Whether the Worker itself is asked; below ``/-/`` only durabox answers."""
        return not self.target.startswith("/-/")


def steps(example: str) -> list[Step]:
    """The curl commands of that example's README, in order."""
    readme = (EXAMPLES / example / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    found = [_step(line) for block in blocks for line in block.splitlines() if line.startswith("curl ")]
    assert found, f"the README of {example} has no curl command"
    return found


def tour() -> list[Step]:
    """The curl commands of the main README's console sessions, with the output printed below each."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    found = []
    for session in re.findall(r"^```console\n(.*?)^```", readme, re.DOTALL | re.MULTILINE):
        for line, output in re.findall(r"^\$ (curl .*)\n((?:[^$\n].*\n)*)", session, re.MULTILINE):
            found.append(_step(f"{line} # {output}"))
    assert found, "the README shows no curl command"
    return found


def files_shown() -> list[str]:
    """Names of the databases that the main README lists."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    return [path.rpartition("/")[2] for path in re.findall(r"^\.durabox/.*\.sqlite$", readme, re.MULTILINE)]


def _step(line: str) -> Step:
    command, _, expected = line.partition(" # ")
    step = Step(command.strip(), expected=expected.strip())
    words = iter(shlex.split(command)[1:])
    posts = False
    for word in words:
        if word == "-X":
            step.method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            step.headers[name] = value.strip()
        elif word == "-d":
            posts = True
            step.body = next(words).encode()
            step.headers.setdefault("content-type", "application/x-www-form-urlencoded")
        else:
            assert not word.startswith("-"), f"curl option {word} is not known here"
            url = urlsplit(f"http://{word}")
            step.target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if posts and step.method == "GET":
        step.method = "POST"
    return step
