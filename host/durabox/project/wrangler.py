"""``wrangler.toml``, ``wrangler.json`` and ``wrangler.jsonc``."""

from __future__ import annotations

import logging
import re
from datetime import date
from pathlib import Path
from typing import Any, Final

from durabox.errors import ProjectError
from durabox.project import jsonc
from durabox.project.compatibility import Compatibility
from durabox.project.modules import MissingModuleError, Modules, Rule, rule_of
from durabox.project.project import ObjectBinding, Project, ServiceBinding, detect_format

logger = logging.getLogger("durabox.project")

#: Keys that mean something here.
_USED: Final = frozenset(
    {
        "compatibility_date", "compatibility_flags", "durable_objects", "limits", "main", "migrations", "name", "rules",
        "services", "vars",
    }
)  # fmt: skip
#: Keys that are right in a configuration and change nothing here.
_ACCEPTED: Final = frozenset(
    {
        "$schema", "account_id", "base_dir", "build", "dev", "env",
        "find_additional_modules", "keep_vars", "logpush", "minify", "no_bundle", "observability", "preserve_file_names",
        "preview_urls", "route", "routes", "send_metrics", "upload_source_maps", "workers_dev",
    }
)  # fmt: skip
_SCRIPT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_CLASS_LISTS: Final = ("new_classes", "new_sqlite_classes", "deleted_classes")


class _Reader:
    """Takes typed values out of a configuration, or says what is wrong with them."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def error(self, message: str) -> ProjectError:
        return ProjectError(f"{self._file}: {message}")

    def take(self, table: dict[str, Any], key: str, kind: type, default: Any, where: str = "") -> Any:
        value = table.get(key, default)
        if value is default:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = {str: "a string", int: "a whole number", dict: "a table", list: "a list"}
            raise self.error(f"{where}{key} must be {names[kind]}, not {value!r}")
        return value

    def tables(self, table: dict[str, Any], key: str, where: str = "") -> list[dict[str, Any]]:
        entries = self.take(table, key, list, [], where)
        for entry in entries:
            if not isinstance(entry, dict):
                raise self.error(f"each entry of {where}{key} must be a table, not {entry!r}")
        return list(entries)

    def strings(self, table: dict[str, Any], key: str, where: str) -> list[str]:
        entries = self.take(table, key, list, [], where)
        for entry in entries:
            if not isinstance(entry, str):
                raise self.error(f"each entry of {where}{key} must be a string, not {entry!r}")
        return list(entries)


def _parse(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{file}: not UTF-8: bad byte at offset {error.start}") from None
    except OSError as error:
        raise ProjectError(f"{file}: {error.strerror}") from None
    if file.suffix == ".toml":
        import tomllib  # takes a while, and most projects need it not

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ProjectError(f"{file}: {error}") from None
    config = jsonc.parse(text, str(file))
    if not isinstance(config, dict):
        raise ProjectError(f"{file}: expected an object at the top level")
    return config


def read(file: Path) -> Project:
    """
    The project that a configuration file describes.

    Args:
        file: ``wrangler.toml``, ``.json`` or ``.jsonc``; its folder is the project.
    Raises:
        ProjectError: Malformed, or something that durabox needs is missing.
    """
    config = _parse(file)
    reader = _Reader(file)
    unknown = sorted(set(config) - _USED - _ACCEPTED)
    if unknown:
        logger.warning("%s: ignored, because durabox does not know them: %s", file, ", ".join(unknown))
    name = reader.take(config, "name", str, file.resolve().parent.name)
    if not _SCRIPT_NAME.fullmatch(name):
        raise reader.error(f"name must consist of letters, digits, - and _, not {name!r}")
    main = reader.take(config, "main", str, None)
    if main is None:
        raise reader.error('main is missing: name the main module, such as main = "src/index.js"')
    if main.endswith((".ts", ".tsx")):
        raise reader.error(f"main is {main}: TypeScript is not supported yet; bundle it to JavaScript first")
    modules = Modules(file.parent, _rules(reader, config))
    try:
        main = modules.resolve("./" + main.removeprefix("./"), "")
    except MissingModuleError:
        raise reader.error(f"main names {main}, which does not exist") from None
    except ProjectError as error:
        raise reader.error(f"main: {error}") from None
    classes = _classes(reader, config)
    bindings = _bindings(reader, config)
    for binding in bindings:
        if classes is not None and binding.class_name not in classes:
            logger.warning(
                "%s: no migration creates the class %s of binding %s", file, binding.class_name, binding.name
            )
    reader.take(config, "compatibility_date", str, "")
    reader.strings(config, "compatibility_flags", "")
    limits = reader.take(config, "limits", dict, {})
    cpu_ms = reader.take(limits, "cpu_ms", int, None, "limits.")
    if cpu_ms is not None and not 1 <= cpu_ms <= 300_000:
        raise reader.error(f"limits.cpu_ms must lie between 1 and 300000, not {cpu_ms}")
    variables = reader.take(config, "vars", dict, {})
    services = _services(reader, config, name)
    names = [*(binding.name for binding in bindings), *(service.name for service in services), *variables]
    clash = next((taken for taken in names if names.count(taken) > 1), None)
    if clash:
        raise reader.error(f"{clash} is the name of two bindings or variables")
    return Project(
        name=name,
        root=file.parent,
        main=main,
        format=detect_format(modules.source(main).decode("utf-8", "replace")),
        modules=modules,
        bindings=bindings,
        services=services,
        vars=variables,
        cpu_ms=cpu_ms,
        compatibility=_compatibility(reader, config),
        implied_bindings="durable_objects" not in config,
    )


def _rules(reader: _Reader, config: dict[str, Any]) -> list[Rule]:
    rules = []
    for entry in reader.tables(config, "rules"):
        try:
            rules.append(
                rule_of(
                    reader.take(entry, "type", str, "", "rules."), reader.strings(entry, "globs", "rules.")
                )
            )
        except ProjectError as error:
            raise reader.error(f"rules: {error}") from None
    return rules


def _compatibility(reader: _Reader, config: dict[str, Any]) -> Compatibility:
    text = reader.take(config, "compatibility_date", str, None)
    try:
        day = None if text is None else date.fromisoformat(text)
    except ValueError:
        raise reader.error(f"compatibility_date must look like 2026-11-01, not {text!r}") from None
    return Compatibility(day, frozenset(reader.strings(config, "compatibility_flags", "")))


def _bindings(reader: _Reader, config: dict[str, Any]) -> tuple[ObjectBinding, ...]:
    table = reader.take(config, "durable_objects", dict, {})
    bindings: dict[str, ObjectBinding] = {}
    for entry in reader.tables(table, "bindings", "durable_objects."):
        where = "durable_objects.bindings."
        name = reader.take(entry, "name", str, "", where)
        class_name = reader.take(entry, "class_name", str, "", where)
        if not name or not class_name:
            raise reader.error("each entry of durable_objects.bindings needs a name and a class_name")
        if reader.take(entry, "script_name", str, None, where) not in (None, config.get("name")):
            raise reader.error(f"binding {name}: classes of other scripts (script_name) are not supported")
        if name in bindings:
            raise reader.error(f"two bindings are named {name}")
        bindings[name] = ObjectBinding(name, class_name)
    return tuple(bindings.values())


def _services(reader: _Reader, config: dict[str, Any], script: str) -> tuple[ServiceBinding, ...]:
    services: dict[str, ServiceBinding] = {}
    for entry in reader.tables(config, "services"):
        name = reader.take(entry, "binding", str, "", "services.")
        service = reader.take(entry, "service", str, "", "services.")
        if not name or not service:
            raise reader.error("each entry of services needs a binding and a service")
        if service != script:
            raise reader.error(
                f"the service binding {name} names the script {service}: only this one, {script}, can be bound"
            )
        if name in services:
            raise reader.error(f"two service bindings are named {name}")
        entrypoint = reader.take(entry, "entrypoint", str, None, "services.")
        props = reader.take(entry, "props", dict, {}, "services.")
        services[name] = ServiceBinding(name, None if entrypoint == "default" else entrypoint, props)
    return tuple(services.values())


def _classes(reader: _Reader, config: dict[str, Any]) -> set[str] | None:
    """The classes that exist after all migrations, ``None`` without any."""
    if "migrations" not in config:
        return None
    classes: set[str] = set()
    for entry in reader.tables(config, "migrations"):
        made = {key: reader.strings(entry, key, "migrations.") for key in _CLASS_LISTS}
        classes |= {*made["new_classes"], *made["new_sqlite_classes"]}
        classes -= set(made["deleted_classes"])
        for renamed in reader.tables(entry, "renamed_classes", "migrations."):
            classes.discard(reader.take(renamed, "from", str, "", "migrations.renamed_classes."))
            classes.add(reader.take(renamed, "to", str, "", "migrations.renamed_classes."))
    return classes
