"""Imports go one way: each layer of the product knows only those below it, and none knows the testing kit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import durabox

ROOT = Path(durabox.__file__).parent
#: From the bottom up; those of one rank are strangers to each other.
RANKS = [
    {"errors"},
    {"console", "limits", "wire"},
    {"engine", "storage"},
    {"project", "sandbox"},
    {"objects"},
    {"server"},
    {"cli"},
]
RANK = {layer: rank for rank, layers in enumerate(RANKS) for layer in layers}


def _imports(path: Path) -> Iterator[str]:
    """The layers that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom) and node.module
            else []
        )
        yield from (name.split(".")[1] for name in names if name.startswith("durabox."))


def _layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


MODULES = [path for path in sorted(ROOT.rglob("*.py")) if _layer(path) in RANK]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_from_its_own_layer_and_those_below(path: Path) -> None:
    layer = _layer(path)
    for imported in _imports(path):
        assert imported in RANK or imported == "DuraboxError", f"{imported} is no layer of the product"
        assert imported == layer or RANK[imported] < RANK[layer], f"{layer} imports {imported}"
