"""
Fetch the pinned sources.

They are source distributions, fetched by name through pip, which takes them from wherever this machine's
pip takes packages. pip insists on a package's metadata and would prepare a whole build environment for it,
compiling nothing of use; so it is given a build backend that answers from the PKG-INFO file which every source
distribution has. The digest is checked by pip before it opens the archive, and here again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.steps.layout import BuildError

_BACKEND = """\
import pathlib, shutil

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    fields = dict(line.split(": ", 1) for line in open("PKG-INFO", encoding="utf-8").read().split("\\n\\n")[0].splitlines()
                  if line.startswith(("Name: ", "Version: ")))
    name = fields["Name"].replace("-", "_") + "-" + fields["Version"] + ".dist-info"
    folder = pathlib.Path(metadata_directory, name)
    folder.mkdir()
    shutil.copy("PKG-INFO", folder / "METADATA")
    return name
"""


@dataclass(frozen=True, slots=True)
class Source:
    """
    One pinned source distribution.

    Args:
        name: Its package name.
        version: Its exact version.
        sha256: Digest of the archive, in hex.
    """

    name: str
    version: str
    sha256: str

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"{self.name.replace('-', '_')}-{self.version}.tar.gz"


def read_lock(lock: Path) -> dict[str, Source]:
    """The pinned sources by name."""
    return {entry["name"]: Source(**entry) for entry in json.loads(lock.read_text())["sources"]}


def fetch(source: Source, cache: Path, progress: Callable[[str], None]) -> Path:
    """
    Make a source's files available.

    Args:
        source: Which one.
        cache: The build cache; what is there and intact is not fetched again.
        progress: Gets a line when something is downloaded.
    Returns:
        The folder of the unpacked archive; to be treated as read-only.
    Raises:
        BuildError: It cannot be downloaded, or its digest is wrong.
    """
    folder = cache / "sources" / f"{source.name}-{source.version}-{source.sha256[:16]}"
    if folder.is_dir():
        return folder
    archive = cache / "sdists" / source.archive
    if not archive.is_file() or _sha256(archive) != source.sha256:
        progress(f"fetch    {source.name} {source.version}")
        _download(source, archive)
    found = _sha256(archive)
    if found != source.sha256:
        raise BuildError(f"{source.archive} has sha256 {found}, the lock file says {source.sha256}")
    _unpack(archive, folder)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    program = shutil.which("pip3") or shutil.which("pip")
    if program is None:
        raise BuildError(f"pip is needed to fetch sources and {sys.executable} has none: install it there")
    return [program]


def _download(source: Source, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="durabox-fetch-") as scratch:
        backend = Path(scratch, "backend", "setuptools")
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build_meta.py").write_text(_BACKEND)
        requirement = Path(scratch, "requirement.txt")
        requirement.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n")
        done = subprocess.run(
            [
                *_pip(),
                "download",
                "--quiet",
                "--no-deps",
                "--no-build-isolation",
                "--use-pep517",
                "--no-binary",
                ":all:",
                "--require-hashes",
                "--requirement",
                str(requirement),
                "--dest",
                scratch,
            ],
            env={**os.environ, "PYTHONPATH": str(backend.parent), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"pip could not fetch {source.name} {source.version}:\n{done.stdout.strip()}")
        shutil.move(Path(scratch, source.archive), archive)


def _unpack(archive: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder.parent))
    with tarfile.open(archive) as files:
        files.extractall(beside, filter="data")
    (inner,) = beside.iterdir()
    try:
        inner.rename(folder)
    except OSError:
        if not folder.is_dir():  # otherwise another build was faster
            raise
    shutil.rmtree(beside)
