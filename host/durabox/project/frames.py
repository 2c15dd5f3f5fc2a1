"""From an error's stack to the place in the user's own file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from durabox.errors import ModuleError, ProjectError
from durabox.project.modules import UnusableImportError

if TYPE_CHECKING:
    from durabox.project.project import Project

#: ``at name (file:line:column)`` or ``at file:line:column``.
_PLACE: Final = re.compile(
    r"^\s*at (?:.*\()?(?P<file>[^()\n]+?):(?P<line>\d+)(?::(?P<column>\d+))?\)?\s*$", re.MULTILINE
)
_AROUND: Final = 2
_WIDEST: Final = 160


def code_frame(source: str, line: int, column: int) -> str:
    """
    A few lines of source with a marker.

    Args:
        source: The file's text.
        line: 1-based line to mark.
        column: 1-based column, 0 for none.
    """
    lines = source.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    width = len(str(last))
    out = []
    for number in range(first, last + 1):
        text = lines[number - 1].expandtabs(4)[:_WIDEST]
        out.append(f"{'>' if number == line else ' '} {number:>{width}} | {text}".rstrip())
        if number == line and column:
            offset = len(lines[number - 1][: column - 1].expandtabs(4))
            if offset <= _WIDEST:
                out.append(f"  {' ' * width} | {' ' * offset}^")
    return "\n".join(out)


def module_error(project: Project, name: str, message: str, stack: str) -> ModuleError:
    """
    The error of a module graph that does not load, with position and code frame where the stack tells them.

    Args:
        project: Whose modules they are.
        name: The JavaScript error's class.
        message: Its message.
        stack: Its stack.
    """
    text = f"{name}: {message}" if name else message
    for place in _PLACE.finditer(stack):
        file = place["file"].removeprefix("file:///")
        try:
            source = project.modules.source(file).decode("utf-8", "replace")
        except ProjectError:
            continue
        line, column = int(place["line"]), int(place["column"] or 0)
        return ModuleError(text, file, line, column, code_frame(source, line, column))
    return ModuleError(text, project.main)


def import_error(project: Project, unusable: UnusableImportError) -> ModuleError:
    """
    The error of an import that cannot be followed, at the place where the import is written.

    Args:
        project: Whose modules they are.
        unusable: The import.
    """
    file = unusable.referrer
    source = project.modules.source(file).decode("utf-8", "replace")
    written = re.search(rf"""(["']){re.escape(unusable.specifier)}\1""", source)
    if written is None:
        return ModuleError(str(unusable), file)
    line = source.count("\n", 0, written.start()) + 1
    column = written.start() - source.rfind("\n", 0, written.start())
    return ModuleError(str(unusable), file, line, column, code_frame(source, line, column))
