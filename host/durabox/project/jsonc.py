"""JSON with comments and trailing commas, the dialect of ``wrangler.jsonc``."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from durabox.errors import ProjectError

_TOKENS: Final = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)|(?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]]))',
    re.DOTALL,
)


def _blank(match: re.Match[str]) -> str:
    if match.lastgroup == "string":
        return match.group()
    return re.sub(r"[^\n]", " ", match.group())


def parse(text: str, name: str) -> Any:
    """
    The value of a document; positions in errors are those of the file.

    Args:
        text: The document.
        name: Its file, for errors.
    Raises:
        ProjectError: It is malformed.
    """
    try:
        return json.loads(_TOKENS.sub(_blank, text))
    except json.JSONDecodeError as error:
        raise ProjectError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except RecursionError:
        raise ProjectError(f"{name}: nested too deeply") from None
