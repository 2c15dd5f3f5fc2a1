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
    bytecode = layers.bytecode

    def noted(name: str) -> bytes | None:
        asked.append(name)
        return bytecode(name)

    monkeypatch.setattr(layers, "bytecode", noted)
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


@pytest.mark.parametrize(
    "call",
    [
        'new Intl.NumberFormat("de")',
        'Intl.NumberFormat("de")',
        'new (new Intl.NumberFormat().constructor)("de")',
        'new Intl.NumberFormat(new Intl.Locale("de"))',
        'new Intl.DateTimeFormat("de", { timeZone: "UTC" })',
        'new Intl.Collator("de")',
        'new Intl.PluralRules("de")',
        'new Intl.RelativeTimeFormat("de")',
        'new Intl.ListFormat("de")',
        'new Intl.DisplayNames("de", { type: "region" })',
        '(1234.5).toLocaleString("de")',
        '(5n).toLocaleString("de")',
        'new Date(0).toLocaleString("de")',
        'new Date(0).toLocaleDateString("de")',
        'new Date(0).toLocaleTimeString("de")',
        '[1].toLocaleString("de")',
        '"b".localeCompare("a", "de")',
    ],
)
async def test_a_language_that_is_not_there_is_refused_by_name(in_object: InObject, call: str) -> None:
    caught = f"try {{ {call}; return null; }} catch (error) {{ return [error.name, error.message]; }}"
    name, message = await in_object(caught)  # type: ignore[misc]
    assert name == "RangeError"
    assert 'no data for "de"' in message
    assert 'Ask for "en", or for ["de", "en"]' in message


async def test_a_list_with_a_language_that_is_there_is_answered_in_it(in_object: InObject) -> None:
    body = """return [
      new Intl.NumberFormat(["de", "en-GB"]).resolvedOptions().locale, new Date(0).toLocaleDateString(["fr", "en-GB"]),
      new Intl.PluralRules("en-AU").select(1), new Intl.NumberFormat("und").format(5), new Intl.NumberFormat([]).format(5),
      Intl.NumberFormat.supportedLocalesOf(["de", "en-GB", "fr-CA"]), new Intl.NumberFormat("en") instanceof Intl.NumberFormat];"""
    assert await in_object(body) == ["en-GB", "01/01/1970", "one", "5", "5", ["en-GB"], True]


async def test_each_region_of_english_writes_dates_and_numbers_in_its_own_way(in_object: InObject) -> None:
    body = """
      const date = new Date(Date.UTC(2024, 0, 31, 15, 4));
      const of = (tag) => [date.toLocaleDateString(tag), (1e6).toLocaleString(tag)];
      return [
        of("en"), of("en-US"), of("en-GB"), of("en-CA"), of("en-IN"), of("en-ZA"), of(["de", "en-NZ"]), of("en-Latn-US"), of("en-AU-u-nu-latn"),
        Intl.DateTimeFormat.supportedLocalesOf(["en-CA", "de", "en"]), new Intl.NumberFormat("en-AU").resolvedOptions().locale];"""
    assert await in_object(body) == [
        ["1/31/2024", "1,000,000"], ["1/31/2024", "1,000,000"], ["31/01/2024", "1,000,000"], ["2024-01-31", "1,000,000"],
        ["31/1/2024", "10,00,000"], ["2024/01/31", "1\xa0000\xa0000"], ["31/01/2024", "1,000,000"], ["1/31/2024", "1,000,000"],
        ["31/01/2024", "1,000,000"], ["en-CA", "en"], "en-AU",
    ]  # fmt: skip


async def test_languages_with_their_own_cases_are_refused(in_object: InObject) -> None:
    body = """
      const outcome = (run) => { try { return run(); } catch (error) { return error.name; } };
      return [
        outcome(() => "i".toLocaleUpperCase("tr")), outcome(() => "I".toLocaleLowerCase(["az-Latn"])),
        outcome(() => "i".toLocaleUpperCase(["en", "tr"])), outcome(() => "i".toLocaleUpperCase("de")),
        outcome(() => "i".toLocaleUpperCase("x_")), outcome(() => "i".toLocaleUpperCase(null)), outcome(() => "i".toLocaleUpperCase())];"""
    assert await in_object(body) == ["RangeError", "RangeError", "I", "I", "RangeError", "TypeError", "I"]


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
