"""Projects that use packages from npm, served by durabox as they are and by workerd from a bundle."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

from bench import workerd
from sandbox.steps.layout import BuildError
from sandbox.steps.npm import install_packages, run_node
from tests.served import Server, free_port, peer, serve

HERE = Path(__file__).parent
PROJECTS = HERE / "projects"
ESBUILD = HERE.parents[1] / "bindings" / "node_modules" / "esbuild" / "bin" / "esbuild"

#: Seconds after which a client counts as hanging.
PATIENCE = 20.0

#: Serve a project of `PROJECTS` until the block ends; state stays between two calls.
Serve = Callable[[str], AbstractContextManager[Server]]


@cache
def installed() -> Path:
    """
    The folder of the installed packages; npm runs once per machine and lock file.

    Raises:
        AssertionError: npm could not be reached, or failed; with what it said.
    """
    with (HERE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install_packages(HERE, print)
        except BuildError as error:
            raise AssertionError(f"the packages under test could not be installed by npm: {error}") from error
    return HERE / "node_modules"


def copied(name: str, folder: Path) -> Path:
    """A project with its packages, as it is on a developer's disk."""
    project = folder / name
    if not project.exists():
        shutil.copytree(PROJECTS / name, project)
        (project / "node_modules").symlink_to(installed(), target_is_directory=True)
    return project


@contextmanager
def serve_unbundled(name: str, folder: Path) -> Iterator[Server]:
    """Serve a project by durabox; its packages are loaded from ``node_modules``."""
    with serve(copied(name, folder), folder / "state", log_file=folder / "log") as server:
        yield server


@contextmanager
def serve_by_workerd(name: str, folder: Path) -> Iterator[Server]:
    """Serve a project by workerd, bundled as wrangler would."""
    project = copied(name, folder)
    config = json.loads((project / "wrangler.json").read_text())
    run_node(
        project, str(ESBUILD), config["main"], "--bundle", "--format=esm", "--outfile=dist/index.js",
        "--conditions=workerd,worker,browser", "--platform=browser", "--target=es2024", "--keep-names",
        "--external:cloudflare:*", "--external:node:*", "--loader:.sql=text", "--log-level=error",
    )  # fmt: skip
    described = workerd.PeerProject(
        root=project,
        main="dist/index.js",
        bindings={each["name"]: each["class_name"] for each in config["durable_objects"]["bindings"]},
        vars=config.get("vars", {}),
        name=config["name"],
    )
    port = free_port()
    process = workerd.start(described, port, folder / "state")
    with peer(process, port, folder / "log") as server:
        yield server


def run_client(name: str, script: str, port: int, folder: Path) -> list[str]:
    """The lines that a project's client prints; it runs in node and is told the port."""
    project = copied(name, folder)
    return run_node(project, script, str(port), timeout=PATIENCE).splitlines()
