"""Build the engine image once more, from nothing and in another place, and compare: every byte must be the same.

Run by the checkout's own interpreter, after a build. Sources, objects, the compiler's cache and npm packages are all made anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGE = Path("host", "durabox", "engine", "image")
#: All that the build reads; see `_inputs` in sandbox/build.py.
INPUTS = ("sandbox", "bindings", "host/durabox/engine/protocol.py")
#: What earlier builds left among it.
MADE = shutil.ignore_patterns("node_modules", "__pycache__", "protocol.ts")


def main() -> None:
    """Exit code 0 when the two images are equal."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Path(folder, "a place of another name")
        for name in INPUTS:
            source, target = ROOT / name, elsewhere / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=MADE)
            else:
                shutil.copy(source, target)
        environment = os.environ | {"DURABOX_BUILD_CACHE": str(Path(folder, "cache"))}
        build = [sys.executable, str(elsewhere / "sandbox" / "build.py")]
        subprocess.run(build, check=True, cwd=folder, env=environment)
        here, there = contents(ROOT / IMAGE), contents(elsewhere / IMAGE)
    different = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if different:
        sys.exit(f"two clean builds differ in: {', '.join(different)}")
    print(f"{len(here)} files, {sum(map(len, here.values())):,} bytes, are the same in both builds")


def contents(image: Path) -> dict[str, bytes]:
    """Every file of an image by its path."""
    return {
        path.relative_to(image).as_posix(): path.read_bytes() for path in image.rglob("*") if path.is_file()
    }


if __name__ == "__main__":
    main()
