"""Files that are kept from one process to the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from durabox import cache_files


def test_a_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DURABOX_CACHE", raising=False)
    assert cache_files.path("x") == "/home/somebody/.cache/durabox/x"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_files.path("x") == "/caches/durabox/x"
    monkeypatch.setenv("DURABOX_CACHE", "/own")
    assert cache_files.path("x") == "/own/x"


def test_a_user_without_a_home_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DURABOX_CACHE", raising=False)
    monkeypatch.setenv("HOME", "~")
    path = cache_files.path("x")
    with pytest.raises(OSError):
        cache_files.store(path, [b""])
    with pytest.raises(OSError):
        Path(path).read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    def torn() -> Iterator[bytes]:
        yield b"new"
        raise SyntaxError

    path = tmp_path / "folder" / "x"
    cache_files.store(str(path), [b"old ", memoryview(b"content")])
    with pytest.raises(SyntaxError):
        cache_files.store(str(path), torn())
    assert path.read_bytes() == b"old content"
    assert list(path.parent.iterdir()) == [path]
    assert cache_files.is_trusted(path.stat())
    path.chmod(0o620)
    assert not cache_files.is_trusted(path.stat())
