"""What durabox offers, and which of its parts may know of which."""

from __future__ import annotations

import ast
from itertools import takewhile
from pathlib import Path

import pytest

import durabox

PACKAGE = Path(durabox.__file__).parent
#: From the bottom up; modules of one set do not know each other, packages may know themselves.
LAYERS = [
    {"errors"},
    {"cache_files", "installed", "limits", "wire"},
    {"console", "engine", "storage"},
    {"sandbox", "project"},
    {"objects"},
    {"network", "testing"},
    {"server"},
    {"cli"},
    {"__main__"},
]
FILES = sorted(PACKAGE.rglob("*.py"))


def test_public_names_are_these() -> None:
    assert durabox.__all__ == [
        "Durability",
        "DuraboxError",
        "Host",
        "Internet",
        "JavaScriptError",
        "LimitExceededError",
        "Limits",
        "ModuleError",
        "ObjectBrokenError",
        "ProjectError",
        "Retention",
        "Sandbox",
        "StateLockedError",
        "StorageError",
    ]
    assert all(getattr(durabox, name) is not None for name in durabox.__all__)
    with pytest.raises(AttributeError):
        _ = durabox.nothing


def test_host_and_stubs_offer_these() -> None:
    from durabox.objects.messages import Response
    from durabox.objects.namespace import Namespace, Stub

    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert {
        "open",
        "fetch",
        "namespace",
        "close",
        "class_names",
        "binding_names",
        "has_worker",
        "live",
    } <= public(durabox.Host)
    assert {"get", "get_by_name", "new_unique_id"} <= public(Namespace)
    assert {"fetch", "id", "name", "namespace", "request"} <= public(Stub)
    assert {"status", "reason", "headers", "body", "header", "read", "text", "json"} <= public(Response)


def _imports(file: Path) -> dict[str, bool]:
    """Modules that a file imports → whether only for annotations."""
    tree = ast.parse(file.read_text())
    found: dict[str, bool] = {}

    def visit(node: ast.AST, typing: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.body:
                visit(child, True)
            return
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = []
        for name in names:
            found[name] = found.get(name, True) and typing
        for child in ast.iter_child_nodes(node):
            visit(child, typing)

    visit(tree, False)
    return found


def _part(name: str) -> str:
    """The layer's module or package that a module of durabox belongs to."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_point_only_down_the_layers(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    below = set().union(*takewhile(lambda layer: own not in layer, LAYERS))
    assert any(own in layer for layer in LAYERS), f"{own} has no layer"
    used = {_part(name) for name in _imports(file) if name.split(".")[0] == "durabox"} - {own}
    assert used - below == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_only_one_package_knows_raw_addresses(file: Path) -> None:
    if file.parent == PACKAGE / "engine" / "ffi":
        return
    assert {name.split(".")[0] for name in _imports(file)} & {"ctypes", "wasmtime", "cffi"} == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_only_the_edge_knows_http(file: Path) -> None:
    if file.relative_to(PACKAGE).parts[0] not in {"server", "network"}:
        assert "aiohttp" not in {name.split(".")[0] for name in _imports(file)}
