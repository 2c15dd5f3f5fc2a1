"""Compiled code on disk: used only when it is ours and whole, and harmless whatever happens to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import durabox
from durabox.engine import cache, engine
from durabox.engine.engine import Engine
from durabox.engine.layers import IMAGE_FOLDER
from durabox.errors import EngineError

#: Its digest.
MODULE = "5f3a"


class Compiler:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, module: str) -> bytes:
        self.calls += 1
        return f"code of {module}".encode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DURABOX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def load(compiler: Compiler, module: str = MODULE, fingerprint: str = "f") -> bytes:
    stored, length = cache.load(module, fingerprint, lambda: compiler(module))
    code = stored[:length]
    assert code == f"code of {module}".encode()
    return code


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_module_is_compiled_once(folder: Path) -> None:
    compiler = Compiler()
    for _ in range(3):
        load(compiler)
    assert compiler.calls == 1
    assert only(folder).stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_another_module_or_engine_has_a_file_of_its_own(folder: Path) -> None:
    compiler = Compiler()
    load(compiler)
    load(compiler, "07ea")
    load(compiler, fingerprint="g")
    assert compiler.calls == 3
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"???" + content[3:],
        lambda content: content[:-32] + bytes(32),
    ],
    ids=["empty", "cut in the digest", "cut", "longer", "changed", "another digest"],
)
def test_a_damaged_file_is_replaced(folder: Path, damage: object, caplog: pytest.LogCaptureFixture) -> None:
    compiler = Compiler()
    load(compiler)
    path = only(folder)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    load(compiler)
    assert compiler.calls == 2
    assert "damaged" in caplog.text
    load(compiler)
    assert compiler.calls == 2


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_used(
    folder: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    compiler = Compiler()
    load(compiler)
    only(folder).chmod(mode)
    load(compiler)
    assert compiler.calls == 2
    assert "may be written by others" in caplog.text
    load(compiler)
    assert compiler.calls == 2


def test_a_file_of_another_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler()
    load(compiler)
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    load(compiler)
    assert compiler.calls == 2


def test_a_link_to_a_file_that_others_may_write_is_not_used(folder: Path, tmp_path: Path) -> None:
    compiler = Compiler()
    load(compiler)
    path = only(folder)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    elsewhere.chmod(0o666)
    path.symlink_to(elsewhere)
    load(compiler)
    assert compiler.calls == 2


def test_a_cache_that_is_no_folder_costs_only_time(folder: Path) -> None:
    folder.write_text("in the way")
    compiler = Compiler()
    load(compiler)
    load(compiler)
    assert compiler.calls == 2


def test_a_module_that_is_in_the_cache_is_not_even_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process has the address space for two or three engines of the usual size.
    monkeypatch.setattr(engine, "_room", lambda: 64)
    image = tmp_path / "image"
    image.mkdir()
    for name in ("manifest.json", "engine.wasm", "base.wasm"):
        (image / name).symlink_to(IMAGE_FOLDER / name)
    Engine(image)
    (image / "base.wasm").unlink()
    Engine(image)
    max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns).unlink()
    with pytest.raises(EngineError, match=r"base\.wasm is missing\): run `make build`"):
        Engine(image)
    (image / "base.wasm").write_bytes(b"\0asm\1\0\0\0")
    with pytest.raises(EngineError, match=r"base\.wasm is damaged"):
        Engine(image)


def test_processes_that_start_at_once_share_a_cold_cache(folder: Path) -> None:
    program = "from durabox.engine.engine import Engine; Engine.shared(); print('up')"
    environment = {**os.environ, "PYTHONPATH": str(Path(durabox.__file__).parents[1])}
    processes = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [b"up\n"] * 3
    files = sorted(folder.iterdir())
    assert [path.suffix for path in files] == [".code"] * 2
    # What is left is whole: nobody compiles again.
    times = [path.stat().st_mtime_ns for path in files]
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE).stdout
        == b"up\n"
    )
    assert [path.stat().st_mtime_ns for path in files] == times
