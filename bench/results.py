"""The file of results: every benchmark rewrites its own section and leaves the rest of the page alone."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def machine() -> str:
    """What the numbers were taken on, in one line."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, wasmtime {version('wasmtime')}"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is left-aligned, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(section: str, text: str) -> None:
    """
    Replace a section of RESULTS.md.

    Args:
        section: Its name, in the markers around it.
        text: Its new content.
    """
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    page = RESULTS.read_text()
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    block = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    RESULTS.write_text(block.sub(lambda _: f"{begin}\n{text.strip()}\n{end}", page))
