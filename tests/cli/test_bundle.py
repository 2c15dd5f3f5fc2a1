"""Modules that come from a bundle are those that Python would import, whatever has happened since it was written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from random import Random

import pytest

import durabox
from durabox.cli import COMMANDS
from tests import served

PROGRAM = """
import sys
from durabox.cli.bundle import Bundle

def told(module):
    if module.__loader__.__class__.__module__ == "durabox.cli.bundle":
        return "bundled"
    return "imported"

with Bundle({name}) as bundle:
{code}
"""


@dataclass
class Process:
    """Where processes run that have a bundle, and what they may import."""

    folder: Path

    @property
    def modules(self) -> Path:
        return self.folder / "modules"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def bundle(self) -> Path:
        (file,) = self.cache.iterdir()
        return file

    def module(self, name: str, text: str, *, into: Path | None = None) -> Path:
        file = (into or self.modules) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, code: str, *path: Path, name: str | None = "test", options: tuple[str, ...] = ()) -> str:
        """What a new process prints that imports by a bundle of that name, along these folders and that of the modules."""
        host = Path(durabox.__file__).parents[1]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {
            "DURABOX_CACHE": str(self.cache),
            "PYTHONPATH": os.pathsep.join(map(str, (*path, self.modules, host))),
        }
        program = PROGRAM.format(name=repr(name), code="\n".join(f"    {line}" for line in code.splitlines()))
        done = subprocess.run(
            [sys.executable, "-W", "error", *options, "-c", program],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    process = Process(tmp_path)
    process.module("thing.py", "value = 'first'\n")
    return process


ASK = "import thing; print(thing.value, told(thing))"


def test_the_second_process_has_it_from_the_bundle(process: Process) -> None:
    assert [process.run(ASK) for _ in range(3)] == ["first imported", "first bundled", "first bundled"]


def test_a_module_is_the_same_from_a_bundle(process: Process) -> None:
    process.module("pack/__init__.py", "from . import part\n")
    process.module("pack/part.py", "def function():\n    return 1 / 0\n")
    ask = """
import inspect, traceback, pack, pack.part, _bisect
for module in (pack, pack.part, _bisect):
    spec = module.__spec__
    print(module.__name__, module.__package__, module.__file__, getattr(module, "__cached__", None), getattr(module, "__path__", None))
    print(spec.name, spec.parent, spec.origin, spec.cached, spec.has_location, spec.submodule_search_locations)
print(inspect.getsource(pack.part), pack.part.__loader__.get_data(pack.part.__file__))
try:
    pack.part.function()
except ZeroDivisionError:
    traceback.print_exc(file=sys.stdout)
print(told(pack), told(pack.part), file=sys.stderr)
"""
    assert process.run(ask) == process.run(ask)
    assert process.run("import pack; print(told(pack), told(pack.part))") == "bundled bundled"


def test_a_changed_source_is_imported_though_its_size_and_times_are_set_back(process: Process) -> None:
    process.run(ASK)
    file = process.modules / "thing.py"
    before = file.stat()
    file.write_text("value = 'other'\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    for cache in process.modules.rglob("*.pyc"):
        cache.unlink()  # Python itself goes by the size and the time.
    assert process.run(ASK) == "other imported"
    assert process.run(ASK) == "other bundled"


def test_what_comes_before_it_on_the_path_is_found(process: Process) -> None:
    before = process.folder / "before"
    before.mkdir()
    for _ in range(2):
        process.run(ASK, before)
    assert process.run(ASK, before) == "first bundled"
    process.module("thing.py", "value = 'before'\n", into=before)
    assert process.run(ASK, before) == "before imported"
    assert process.run(ASK, before) == "before bundled"
    (before / "thing.py").unlink()
    assert process.run(ASK, before) == "first imported"


def test_a_folder_that_is_new_on_the_path_is_looked_into(process: Process) -> None:
    process.run(ASK)
    new = process.folder / "new"
    process.module("something.py", "", into=new)
    assert process.run(ASK, new) == "first bundled"
    assert process.run(ASK, process.folder / "none") == "first bundled"
    process.module("thing/__init__.py", "value = 'new'\n", into=new)
    assert process.run(ASK, new) == "new imported"


def test_so_is_the_folder_that_a_process_runs_in(process: Process) -> None:
    process.run(ASK)
    process.module("thing.py", "value = 'here'\n", into=process.folder)
    assert process.run(ASK) == "here imported"


def test_an_archive_on_the_path_is_asked(process: Process) -> None:
    import zipfile

    process.run(ASK)
    archive = process.folder / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("thing.py", "value = 'archive'\n")
    for _ in range(2):
        assert process.run(ASK, archive) == "archive imported"


def test_a_package_that_comes_to_lie_beside_it_is_found(process: Process) -> None:
    process.run(ASK)
    process.module("thing/__init__.py", "value = 'package'\n")
    assert process.run(ASK) == "package imported"
    assert process.run(ASK) == "package bundled"


def test_an_extension_that_comes_to_lie_beside_its_source_is_found(process: Process) -> None:
    process.module("pack/__init__.py", "")
    code = """
try:
    import pack
    print(told(pack))
except ImportError:
    print("not a library")
"""
    assert [process.run(code) for _ in range(2)] == ["imported", "bundled"]
    process.module(f"pack/__init__{EXTENSION_SUFFIXES[0]}", "")
    assert process.run(code) == "not a library"


def test_so_it_is_if_the_bundle_was_written_anew_meanwhile(process: Process) -> None:
    process.module("other.py", "")
    process.module("third.py", "")
    process.module("pack/__init__.py", "")
    process.module("pack/thing.py", "value = 'first'\n")
    process.run("import other, thing, pack.thing")
    process.module("thing/__init__.py", "value = 'package'\n")
    process.module("pack/thing/__init__.py", "value = 'package'\n")
    process.run("import other, third")
    ask = f"{ASK}\nimport pack.thing as thing; print(thing.value, told(thing))"
    assert {line.split()[0] for line in process.run(ask).splitlines()} == {"package"}
    assert process.run(ask) == "package bundled\npackage bundled"


def test_what_is_gone_is_not_found(process: Process) -> None:
    process.module("pack/__init__.py", "")
    process.module("pack/part.py", "")
    for _ in range(2):
        process.run("import thing, pack.part")
    (process.modules / "pack" / "part.py").unlink()
    miss = """
try:
    import pack.part
except ModuleNotFoundError as error:
    print(error)
"""
    assert process.run(miss) == "No module named 'pack.part'"
    assert process.run(ASK) == "first bundled"


def test_modules_that_were_not_imported_stay_in_the_bundle(process: Process) -> None:
    process.run(ASK)
    process.module("other.py", "")
    process.run("import other")
    # The new file has changed the folder: the module was kept, and its folder is known as it is now.
    assert process.run(ASK) == "first bundled"


@pytest.mark.parametrize("length", [0, 5, 100, 400, 1000, -1])
def test_a_bundle_that_is_not_whole_costs_nothing_but_time(process: Process, length: int) -> None:
    process.run(ASK)
    process.bundle.write_bytes(process.bundle.read_bytes()[:length])
    assert process.run(ASK).startswith("first ")
    process.bundle.write_bytes(b"")
    process.run(ASK)
    assert process.run(ASK) == "first bundled"


def test_a_bundle_of_another_python_is_not_used(process: Process) -> None:
    process.run(ASK)
    whole = process.bundle.read_bytes()
    version = sys.version.split()[0].encode()
    assert version in whole
    process.bundle.write_bytes(whole.replace(version, b"9" * len(version), 1))
    assert process.run(ASK) == "first imported"


def test_a_bundle_that_others_may_write_is_not_used(process: Process) -> None:
    process.run(ASK)
    process.bundle.chmod(0o622)
    assert process.run(ASK) == "first imported"
    assert process.bundle.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_where_python_writes_no_bytecode_or_something_failed(process: Process) -> None:
    process.run(ASK, options=("-B",))
    process.run("import atexit, os, thing; atexit.register(os._exit, 0); raise SystemExit(1)")
    assert not process.cache.exists()


def test_what_has_changed_a_moment_ago_is_left_out(process: Process) -> None:
    at_once = (
        "import time, durabox.cli.bundling as made; made.YOUNG_NS, time.sleep = 10**15, abs; import thing"
    )
    process.run(at_once)
    assert process.bundle.exists()
    assert process.run(ASK) == "first imported"
    assert process.run(ASK) == "first bundled"


def test_no_place_to_write_it_is_no_failure(process: Process) -> None:
    process.cache.write_text("")
    assert process.run(ASK) == process.run(ASK) == "first imported"


def test_who_finds_modules_in_other_ways_has_no_bundle(process: Process) -> None:
    process.module(
        "usercustomize.py",
        "import sys\ndef hook(path):\n    raise ImportError\nsys.path_hooks.insert(0, hook)\n",
    )
    process.module("sitecustomize.py", "import usercustomize\n")
    assert process.run(ASK) == process.run(ASK) == "first imported"


def test_after_it_is_closed_modules_are_imported_as_ever(process: Process) -> None:
    process.run(ASK)
    assert process.run(f"bundle.close()\n{ASK}") == "first imported"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_once_it_is_closed_it_takes_no_memory(process: Process) -> None:
    process.module("other.py", "value = 'late'\n")
    process.run("import other, thing")
    code = """
from importlib.util import find_spec, module_from_spec
from pathlib import Path
import thing
spec = find_spec("other")
def is_mapped():
    return ".bundle" in Path("/proc/self/maps").read_text()
before = is_mapped()
bundle.close()
other = module_from_spec(spec)
spec.loader.exec_module(other)
print(before, is_mapped(), other.value)
"""
    assert process.run(code) == "True False late"


def test_a_module_that_is_loaded_again_is_read_again(process: Process) -> None:
    process.run(ASK)
    again = f"""
{ASK}
import importlib
open(thing.__file__, "w").write("value = 'something longer'")
importlib.reload(thing)
print(thing.value, told(thing))
"""
    assert process.run(again) == "first bundled\nsomething longer imported"


def test_whatever_has_happened_it_is_what_python_imports(process: Process) -> None:
    random = Random(4)
    other = process.folder / "other"
    places = [process.modules, other, process.modules / "pack", other / "pack"]
    process.module("pack/__init__.py", "")
    seen = set()
    for step in range(30):
        for _ in range(random.randrange(3)):
            name, place = random.choice(["one", "two", "three"]), random.choice(places)
            # No two are of one size: Python itself goes by that and by whole seconds.
            text = f"value = {step!r}  #{'#' * step}\n"
            match random.randrange(4):
                case 0:
                    process.module(f"{name}.py", text, into=place)
                case 1:
                    process.module(f"{name}/__init__.py", text, into=place)
                case 2:
                    (place / f"{name}.py").unlink(missing_ok=True)
                case 3:
                    shutil.rmtree(place / name, ignore_errors=True)
        if random.randrange(4) == 0:
            process.module("pack/__init__.py", f"#{'#' * step}", into=random.choice([process.modules, other]))
        asked = random.sample(
            ["one", "two", "three", "pack.one", "pack.two", "pack.three"], random.randrange(1, 6)
        )
        code = f"""
import importlib
for name in {asked}:
    try:
        print(name, importlib.import_module(name).value)
    except ImportError as error:
        print(error)
"""
        path = random.choice([[], [other], [process.modules, other]])
        right = process.run(code, *path, name=None)
        assert [process.run(code, *path) for _ in range(2)] == [right, right], step
        seen.add(right)
    assert len(seen) > 20


def test_threads_may_import_at_once(process: Process) -> None:
    names = [f"many{number}" for number in range(40)]
    for name in names:
        process.module(f"{name}.py", "import thing\n")
    code = f"""
import concurrent.futures, importlib
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    modules = list(pool.map(importlib.import_module, {names}))
print({{told(module) for module in modules}})
"""
    process.run(code)
    assert process.run(code) == "{'bundled'}"


def test_each_command_has_a_bundle(tmp_path: Path) -> None:
    listed = served.run("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in listed.replace("\n    ", "\n  ")
