"""`Intl`: in English and by time zone, paid for by those who use it."""

from __future__ import annotations

import pytest

from durabox.engine import layers, time_zones
from durabox.sandbox import Sandbox
from tests.bindings_objects.conftest import InObject, OpenModule, ask_worker


async def test_a_project_that_mentions_it_has_it_in_its_image(
    open_module: OpenModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    source = layers.source

    def noted(name: str) -> str | None:
        asked.append(name)
        return source(name)

    monkeypatch.setattr(layers, "source", noted)
    module = """export default { fetch: () => new Response(new Date(0).toLocaleDateString("en-GB", { dateStyle: "long" })) };"""
    async with open_module(module) as host:
        assert asked == ["intl"], "it is evaluated with the project's modules"
        assert await ask_worker(host) == "1 January 1970"
    assert asked == ["intl"]
    asked.clear()
    async with open_module('export default { fetch: () => new Response("x") };') as host:
        assert await ask_worker(host) == "x"
    assert asked == []


async def test_it_is_there_for_code_that_nobody_saw_before() -> None:
    async with Sandbox() as box:
        assert (
            await box.eval("(1234.5).toLocaleString('en-US', { style: 'currency', currency: 'EUR' })")
            == "€1,234.50"
        )


async def test_other_languages_fall_back_to_english_and_say_so(in_object: InObject) -> None:
    body = """return [
      Intl.NumberFormat.supportedLocalesOf(["de", "en-GB", "fr-CA"]), new Intl.NumberFormat("de").resolvedOptions().locale,
      (1234.5).toLocaleString("de-DE"), "b".localeCompare("a", "sv")];"""
    assert await in_object(body) == [["en-GB"], "en", "1,234.5", 1]


async def test_a_changed_global_does_not_change_the_methods(in_object: InObject) -> None:
    assert await in_object("globalThis.Intl = undefined; return [(1e3).toLocaleString(), typeof Intl];") == [
        "1,000",
        "undefined",
    ]


@pytest.mark.parametrize("name", ["../etc/passwd", "", "europe/london", "localtime", "\0"])
def test_only_time_zones_of_the_list_are_looked_up(name: str) -> None:
    assert time_zones.periods(name) is None


def test_changes_of_a_time_zone_are_found_to_the_second() -> None:
    flat = time_zones.periods("Africa/Monrovia")
    assert flat == [-2208988800, -2588, 0, -1604359012, -2670, 0, 63593070, 0, 0]
    berlin = time_zones.periods("Europe/Berlin")
    assert berlin is not None
    assert [1711846800, 7200, 1] in [berlin[at : at + 3] for at in range(0, len(berlin), 3)]
    assert time_zones.periods("UTC") == [-2208988800, 0, 0]
