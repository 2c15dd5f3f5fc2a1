"""
Bundle the TypeScript half of the guest: one script for the base image, and one for each layer.

The value of the main script is the default export of `src/main.ts`, a function
`(native) => hooks`; it leaves nothing in the global scope.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.steps.layout import BuildError, Layout, write_if_changed
from sandbox.steps.npm import install_packages, run_node
from sandbox.steps.protocol import read_protocol, typescript

#: Makes the locales that are bundled from those of packages.
_LOCALES = Path(__file__).with_name("locales.mjs")
#: Locale data that is bundled as it is.
_PLURALS = "en.js"
#: Identifiers stay: the names of classes and functions can be seen.
_MINIFY = ("--minify-whitespace", "--minify-syntax")
#: The package that shows values, and a copy of it that asks the engine what is a proxy: by itself it only knows its own.
_INSPECTION = ("node-inspect-extracted", "@durabox/inspect")
_PROXY_DETAILS = ("{const n=s.get(t);", "{const n=c.detailsOf(t);")
#: What packages in layers import by the names of Node's modules is that module's layer, so that there is one of each.
_NODE_MODULES = ("buffer", "events", "process", "string_decoder", "util")
#: Packages that only repeat what is among the globals.
_GLOBAL_PACKAGES = {"abort-controller": "./src/layers/stream/abort_controller.ts"}
#: What packages ask of Node's global `process` to find a terminal.
_NO_TERMINAL = ("--define:process.stderr=undefined", "--define:process.emitWarning=undefined")
#: More options, by layer. Packages of `Intl` look for each other in the global one, which is theirs to be, and find locales by
#: our rule. The package that `url` stands on warns of its own functions.
_IN_INTL = (
    "--inject:./src/layers/intl/intl.ts",
    "--alias:@formatjs/intl-localematcher=./src/layers/intl/lookup.ts",
)
_LAYER_OPTIONS = {
    "intl": _IN_INTL, "intl_names": _IN_INTL, "intl_segmenter": _IN_INTL, "url": ("--pure:console.warn",)
}  # fmt: skip


def generate_protocol(layout: Layout) -> None:
    """Write bindings/src/protocol.ts."""
    write_if_changed(
        layout.bindings / "src" / "protocol.ts", typescript(read_protocol(layout.protocol)).encode()
    )


@dataclass(frozen=True, slots=True)
class Bundles:
    """
    Scripts, UTF-8.

    Args:
        main: The bindings; evaluated into the base image.
        layers: By name; each is a function of ``require``, which gives other layers' modules, to the layer's default export.
    """

    main: bytes
    layers: dict[str, bytes]


def bundle_bindings(layout: Layout, progress: Callable[[str], None]) -> Bundles:
    """
    Make the bundles.

    Raises:
        BuildError: npm or the bundler failed; with their messages.
    """
    generate_protocol(layout)
    install_packages(layout.bindings, progress, also=_LOCALES.read_bytes())
    _make_locales(layout)
    _make_inspection(layout)
    progress("bundle   bindings")
    layers = sorted((layout.bindings / "src" / "layers").glob("*/main.ts"))
    return Bundles(
        main=_bundle(layout, "src/main.ts", "(() => {", "})()", f"--alias:{_INSPECTION[0]}={_INSPECTION[1]}"),
        layers={entry.parent.name: _bundle_layer(layout, entry) for entry in layers},
    )


def _bundle_layer(layout: Layout, entry: Path) -> bytes:
    name = entry.parent.name
    return _bundle(
        layout, entry.relative_to(layout.bindings).as_posix(), "(require => {", "})",
        *_MINIFY, *_NO_TERMINAL, *_LAYER_OPTIONS.get(name, ()), "--external:node:*", "--external:durabox:*",
        *(f"--alias:{module}=node:{module}" for module in _NODE_MODULES if module != name),
        *(f"--alias:{package}={file}" for package, file in _GLOBAL_PACKAGES.items()),
    )  # fmt: skip


def _bundle(layout: Layout, entry: str, before: str, after: str, *options: str) -> bytes:
    """One script: an expression, by what stands before and after a function's body that returns the entry's default export."""
    text = run_node(
        layout.bindings,
        str(layout.bindings / "node_modules" / "esbuild" / "bin" / "esbuild"),
        entry, "--bundle", "--format=iife", "--global-name=bindings", "--platform=neutral",
        "--main-fields=module,main", "--target=es2023", "--charset=utf8", "--legal-comments=none",
        "--log-level=warning", f"--banner:js={before}", f"--footer:js=return bindings.default; {after}", *options,
    )  # fmt: skip
    return text.encode()


def _make_locales(layout: Layout) -> None:
    """Make the package of locales, once, and remove what it is made from: hundreds of megabytes."""
    packages = layout.bindings / "node_modules"
    if not (packages / "@durabox" / "locales" / "package.json").is_file():
        run_node(layout.bindings, str(_LOCALES))
    for data in (packages / "@formatjs").glob("*/locale-data/*"):
        if data.parts[-3] != "intl-pluralrules" or data.name != _PLURALS:
            data.unlink()


def _make_inspection(layout: Layout) -> None:
    """Make the copy of the package that shows values."""
    original, copy = (layout.bindings / "node_modules" / name for name in _INSPECTION)
    script = (original / "dist" / "inspect.js").read_text()
    before, after = _PROXY_DETAILS
    if script.count(before) != 1:
        raise BuildError(f"{original.name} is not what it was: look for what it knows of proxies")
    write_if_changed(copy / "dist" / "inspect.js", script.replace(before, after).encode())
    for name in ("index.mjs", "package.json"):
        write_if_changed(copy / name, (original / name).read_bytes())


def bundled_packages(layout: Layout) -> list[Path]:
    """The folders of the packages that end up in the bundle: all but those for development."""
    lock = json.loads((layout.bindings / "package-lock.json").read_text())
    return [
        layout.bindings / path
        for path, entry in sorted(lock["packages"].items())
        if path and not entry.get("dev") and not entry.get("optional")
    ]
