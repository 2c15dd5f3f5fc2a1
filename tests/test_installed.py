"""What is known of packages without importing them is what Python's own metadata say."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from durabox import installed


@pytest.mark.parametrize("package", ["aiohttp", "wasmtime", "msgspec"])
def test_a_package_is_where_python_finds_it_and_has_its_version(package: str) -> None:
    assert installed.version(package) == importlib.metadata.version(package)
    assert (installed.folder(package) / "__init__.py").is_file()


@pytest.mark.parametrize("left", [[], ["thing-1.0.dist-info", "thing-2.0.dist-info"]], ids=["none", "two"])
def test_metadata_are_asked_when_the_folder_of_the_version_is_not_the_only_one(
    left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "__init__.py").touch()
    for name in left:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(importlib.metadata, "version", lambda package: f"recorded of {package}")
    assert installed.version("thing") == "recorded of thing"
    (tmp_path / "thing_more-3.0.dist-info").mkdir()
    for name in left[1:]:
        (tmp_path / name).rmdir()
    if left:
        assert installed.version("thing") == "1.0"


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        installed.folder("no_such_package")
