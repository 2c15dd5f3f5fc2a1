"""From a project to its memory image: evaluate the user's modules once, then freeze the guest."""

from __future__ import annotations

import re

from msgspec import Struct

from durabox.console import Console
from durabox.engine.engine import Engine
from durabox.engine.image import Image
from durabox.engine.layers import mentions_intl
from durabox.engine.ops import EndIsolate, GuestError
from durabox.engine.platform_ops import PlatformOps
from durabox.engine.protocol import EVENT
from durabox.engine.webcrypto import CryptoRequest
from durabox.errors import DuraboxError, JavaScriptError, LimitExceededError, ModuleError, ProjectError
from durabox.limits import Limits
from durabox.objects.ids import IdFactory
from durabox.project.compatibility import Change, Compatibility
from durabox.project.frames import import_error, module_error
from durabox.project.modules import UnusableImportError
from durabox.project.project import Project

_EXPORTED_CLASS = re.compile(r"^\s*export\s+class\s+([A-Za-z_$][\w$]*)\s+extends\b", re.MULTILINE)

#: What names of time zones are mentioned by: only `Intl` reads it.
_TIME_ZONES = "timeZone"

#: Globals (and time zones) that the bindings make when somebody looks at them, by what in a source means that somebody will.
_LAZY_GLOBALS = {
    "Buffer": re.compile(rb"\bBuffer\b"),
    "process": re.compile(rb"\bprocess\b"),
    "setImmediate": re.compile(rb"\b(?:set|clear)Immediate\b"),
    "CompressionStream": re.compile(rb"\b(?:De)?[cC]ompressionStream\b"),
    "CryptoKey": re.compile(rb"\b(?:CryptoKey|SubtleCrypto|subtle|DigestStream)\b"),
    "HTMLRewriter": re.compile(rb"\bHTMLRewriter\b"),
    "MessageChannel": re.compile(rb"\bMessage(?:Channel|Port)\b"),
    "URLPattern": re.compile(rb"\bURLPattern\b"),
    _TIME_ZONES: re.compile(rb"\btimeZone\b"),
}

#: Module evaluation may take this much processor time. The platform allows one second at start-up; the layers of the bindings
#: that a project needs are evaluated in the same time, and so is what finding and reading hundreds of modules takes.
STARTUP_CPU_MS = 3000


class Export(Struct, frozen=True):
    """
    One export of the main module.

    Args:
        name: Its name; ``default`` for the default export.
        kind: ``class``, ``function``, ``object`` or ``value``.
        durable: Whether it is a class that extends ``DurableObject``.
        handlers: Names of its methods.
    """

    name: str
    kind: str
    durable: bool
    handlers: frozenset[str]


class LoadedProject(Struct, frozen=True):
    """
    A project that can run.

    Args:
        project: Configuration, with the bindings that its exports imply.
        image: What isolates start from.
        classes: Object classes by the name they are exported under, in order.
        has_worker: Whether the default export answers ``fetch``.
    """

    project: Project
    image: Image
    classes: tuple[str, ...]
    has_worker: bool


class _IntlMentionedError(DuraboxError):
    """A module needs `Intl`, which the image that its project is being loaded into has not."""

    code = "intl-mentioned"


class _LoadOps(PlatformOps):
    """
    The ops that module evaluation may use.

    Args:
        project: What is loaded.
        classes: Names of its classes.
        limits: Of the evaluation.
        has_intl: Whether `Intl` is in the image that it is loaded into.
    """

    def __init__(self, project: Project, classes: tuple[str, ...], limits: Limits, *, has_intl: bool) -> None:
        self._has_intl = has_intl
        self._modules = project.modules
        self._ids = [IdFactory(project.unique_key(name)) for name in classes]
        self._console = Console("module", limits.log_kb)
        self._mentioned: set[str] = set()
        self.exports: list[Export] | None = None
        self.failure: tuple[str, str, str] | None = None
        self.unusable: UnusableImportError | None = None

    def op_module_resolve(self, specifier: str, referrer: str, body: bytes) -> str:
        """Where an import leads."""
        try:
            return self._modules.resolve(specifier, referrer)
        except UnusableImportError as error:
            self.unusable = error
            raise GuestError("Error", str(error)) from None
        except DuraboxError as error:
            raise GuestError("Error", str(error)) from None

    def op_module_load(self, name: str, body: bytes) -> list[str]:
        """A module's type and URL."""
        try:
            kind, url = self._modules.describe(name)
        except DuraboxError as error:
            raise GuestError("Error", str(error)) from None
        return [kind, url]

    def op_module_source(self, name: bytes, body: bytes) -> bytes:
        """A module's bytes."""
        try:
            source = self._modules.source(name.decode())
        except DuraboxError as error:
            raise GuestError("Error", str(error)) from None
        if not self._has_intl and mentions_intl(source):
            raise EndIsolate(_IntlMentionedError())
        self.note_globals(source)
        return source

    def note_globals(self, source: bytes) -> None:
        """Note which globals a source mentions that are made on first use."""
        self._mentioned.update(name for name, pattern in _LAZY_GLOBALS.items() if pattern.search(source))

    def op_mentioned(self, body: bytes) -> list[str]:
        """Those that have been noted: they are better made once, for the image."""
        return sorted(self._mentioned if self._has_intl else self._mentioned - {_TIME_ZONES})

    def start_long(self, operation: int, section: int, request: CryptoRequest) -> None:
        """At global scope nothing can complete later."""
        raise GuestError(
            "Error", "This operation takes too long for the global scope: perform it within a handler."
        )

    def _factory(self, namespace: int) -> IdFactory:
        if not 0 <= namespace < len(self._ids):
            raise GuestError("TypeError", "There is no such namespace.")
        return self._ids[namespace]

    def op_id_from_name(self, namespace: int, name: str, body: bytes) -> str:
        """idFromName."""
        return self._factory(namespace).from_name(name)

    def op_id_from_string(self, namespace: int, text: str, body: bytes) -> str:
        """idFromString."""
        try:
            return self._factory(namespace).check(text)
        except DuraboxError as error:
            raise GuestError("TypeError", str(error)) from None

    def op_id_new(self, namespace: int, body: bytes) -> str:
        """newUniqueId."""
        return self._factory(namespace).new()

    def op_loaded(self, exports: list[tuple[str, str, bool, list[str]]], body: bytes) -> None:
        """The graph was evaluated."""
        self.exports = [
            Export(name, kind, durable, frozenset(handlers)) for name, kind, durable, handlers in exports
        ]

    def op_load_failed(self, error: tuple[str, str, str, dict[str, object]], body: bytes) -> None:
        """It was not."""
        self.failure = error[:3]

    def op_log(self, level: str, text: str, body: bytes) -> None:
        """console at global scope."""
        self._console.write(level, text)

    def op_uncaught(self, error: tuple[str, str, str, dict[str, object]], body: bytes) -> None:
        """What a listener or microtask throws at global scope is only logged."""
        self._console.write("error", f"Uncaught {JavaScriptError(*error).trace}")

    def op_unhandled_rejection(self, error: tuple[str, str, str, dict[str, object]], body: bytes) -> None:
        """A rejection at global scope is only logged."""
        self._console.write("error", f"Uncaught (in promise) {JavaScriptError(*error).trace}")


def _node_features(compatibility: Compatibility) -> dict[str, bool]:
    """What the guest has to know of compatibility."""
    globals_there = compatibility.node_globals
    return {
        "globals": globals_there,
        "timers": compatibility.has(Change.NODEJS_COMPAT) and compatibility.has(Change.NODEJS_GLOBAL_TIMERS),
        "environment": globals_there and compatibility.has(Change.NODEJS_PROCESS_ENV),
    }


async def _evaluate(project: Project, engine: Engine, classes: tuple[str, ...]) -> tuple[Image, list[Export]]:
    if not mentions_intl(project.modules.source(project.main)):
        try:
            return await _evaluate_in(engine.base, project, classes, has_intl=False)
        except _IntlMentionedError:
            pass  # Imports are read before anything is evaluated: little is lost.
    return await _evaluate_in(engine.intl, project, classes, has_intl=True)


async def _evaluate_in(
    base: Image, project: Project, classes: tuple[str, ...], *, has_intl: bool
) -> tuple[Image, list[Export]]:
    limits = Limits(cpu_ms=STARTUP_CPU_MS)
    ops = _LoadOps(project, classes, limits, has_intl=has_intl)
    index = {name: number for number, name in enumerate(classes)}
    env = {
        "vars": project.vars,
        "namespaces": [
            {"binding": binding.name, "className": binding.class_name, "index": index[binding.class_name]}
            for binding in project.bindings
            if binding.class_name in index
        ],
        "flags": project.compatibility.changes,
        "node": _node_features(project.compatibility),
        "services": [
            {"binding": service.name, "entrypoint": service.entrypoint, "props": service.props}
            for service in project.services
        ],
    }
    isolate = base.instantiate(ops, limits)
    try:
        body = project.modules.source(project.main) if project.format == "script" else b""
        ops.note_globals(body)
        try:
            await isolate.run(EVENT["load"], [project.main, env, project.format], body)
        except LimitExceededError as error:
            raise ModuleError(f"evaluating the modules: {error}", project.main) from None
        if ops.failure is not None and ops.unusable is not None and ops.failure[1] == str(ops.unusable):
            raise import_error(project, ops.unusable)
        if ops.failure is not None:
            raise module_error(project, *ops.failure)
        if ops.exports is None:
            raise ModuleError(
                "top-level await waits for something that never comes: nothing can complete at global scope",
                project.main,
            )
        return isolate.freeze(), ops.exports
    finally:
        isolate.close()


async def load(project: Project, engine: Engine) -> LoadedProject:
    """
    Evaluate a project's modules and freeze the result.

    Args:
        project: Its configuration and modules.
        engine: What its isolates will run in.
    Raises:
        ModuleError: Syntax error, missing module or failing evaluation, with position and code frame.
        ProjectError: A binding names a class that is not exported.
    """
    # Modules may use bindings while they are evaluated. Which bindings the exported classes imply is only known
    # after that, so it is guessed from the source; a wrong guess costs a second evaluation.
    guess = tuple(_EXPORTED_CLASS.findall(project.modules.source(project.main).decode("utf-8", "replace")))
    first = project.with_classes(guess)
    named = tuple(dict.fromkeys(binding.class_name for binding in first.bindings))
    image, exports = await _evaluate(first, engine, named)
    by_name = {export.name: export for export in exports}
    for binding in project.bindings:
        found = by_name.get(binding.class_name)
        if found is None or found.kind != "class":
            offered = ", ".join(e.name for e in exports if e.kind == "class") or "none"
            raise ProjectError(
                f"{project.main}: the binding {binding.name} names the class {binding.class_name}, which the main "
                f"module does not export as a class. Exported classes: {offered}."
            )
    for service in project.services:
        if (service.entrypoint or "default") not in by_name:
            raise ProjectError(
                f"{project.main}: the service binding {service.name} names the entrypoint {service.entrypoint}, which "
                "the main module does not export."
            )
    bound = tuple(dict.fromkeys(binding.class_name for binding in project.bindings))
    durable = tuple(e.name for e in exports if e.durable and e.name != "default")
    classes = bound + tuple(name for name in durable if name not in bound)
    completed = project.with_classes(classes)
    if completed.bindings != first.bindings:
        image, exports = await _evaluate(completed, engine, classes)
    default = by_name.get("default")
    return LoadedProject(
        project=completed,
        image=image,
        classes=classes,
        has_worker=default is not None and "fetch" in default.handlers,
    )
