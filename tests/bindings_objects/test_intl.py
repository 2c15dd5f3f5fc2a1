"""`Intl`: in English and by time zone, paid for by those who use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from durabox.engine import layers, time_zones
from durabox.errors import JavaScriptError
from durabox.limits import Limits
from durabox.objects.host import Host
from durabox.sandbox import Sandbox
from tests.bindings_objects.conftest import InObject, OpenModule, ask_worker


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of layers that isolates ask for."""
    names: list[str] = []
    bytecode = layers.bytecode

    def noted(name: str) -> bytes | None:
        names.append(name)
        return bytecode(name)

    monkeypatch.setattr(layers, "bytecode", noted)
    return names


DATE = 'new Date(0).toLocaleDateString("en-GB", { dateStyle: "long" })'


@pytest.mark.parametrize(
    "modules",
    [
        {"index.js": f"export default {{ fetch: () => new Response({DATE}) }};"},
        {
            "index.js": 'import date from "./date.js"; export default { fetch: () => new Response(date()) };',
            "date.js": f"export default () => {DATE};",
        },
        {
            "index.js": 'const { default: date } = await import("./date.js"); export default { fetch: () => new Response(date()) };',
            "date.js": f"export default () => {DATE};",
        },
    ],
    ids=["in the main module", "in an imported one", "in one that is imported later"],
)
async def test_a_project_that_mentions_it_starts_from_an_image_that_has_it(
    tmp_path: Path, asked: list[str], modules: dict[str, str]
) -> None:
    for name, source in modules.items():
        (tmp_path / name).write_text(source)
    async with Host.open(tmp_path / "index.js") as host:
        assert await ask_worker(host) == "1 January 1970"
    assert asked == []


async def test_a_project_that_does_not_mention_it_does_without(
    open_module: OpenModule, asked: list[str]
) -> None:
    async with open_module(
        """export default { fetch: () => new Response(globalThis["In" + "tl"].NumberFormat.name) };"""
    ) as host:
        assert asked == []
        assert await ask_worker(host) == "NumberFormat"
    assert asked == ["intl"]


async def test_it_is_there_with_other_layers(in_object: InObject) -> None:
    more = 'import { createHash } from "node:crypto"; import { inspect } from "node:util";'
    body = """return [
      (1234.5).toLocaleString("en-IN"), createHash("sha1").update("a").digest("hex").slice(0, 8), inspect({ a: 1 }),
      new URLPattern({ pathname: "/:a" }).exec("https://x/b").pathname.groups.a, [...new Intl.Segmenter("en").segment("ab")].length,
      new Intl.DisplayNames("en-GB", { type: "region" }).of("DE"), typeof CryptoKey];"""
    assert await in_object(body, more) == ["1,234.5", "86f7e437", "{ a: 1 }", "b", 2, "Germany", "function"]


async def test_a_sandbox_starts_with_it_if_its_first_source_mentions_it(asked: list[str]) -> None:
    async with Sandbox() as box:
        assert (
            await box.eval("(1234.5).toLocaleString('en-US', { style: 'currency', currency: 'EUR' })")
            == "€1,234.50"
        )
        with pytest.raises(JavaScriptError, match='no data for "de"'):
            await box.eval("(1).toLocaleString('de')")
    assert asked == []


async def test_a_sandbox_gets_it_when_a_later_source_needs_it(asked: list[str]) -> None:
    async with Sandbox() as box:
        await box.eval("globalThis.kept = 5")
        assert asked == []
        assert await box.eval("kept.toLocaleString('en-US', { minimumFractionDigits: 2 })") == "5.00"
        assert (
            await box.eval("new Date(0).toLocaleString('en-GB', { timeZone: 'Asia/Tokyo' })")
            == "01/01/1970, 09:00:00"
        )
    assert asked == ["intl"]


@pytest.mark.parametrize("memory_mb", [4, 8, 11, 12])
async def test_a_sandbox_with_little_memory_can_mention_it(memory_mb: int) -> None:
    source = """
      try { (1234.5).toLocaleString() } catch (error) { error.message }"""
    async with Sandbox(limits=Limits(memory_mb=memory_mb)) as box:
        assert (
            await box.eval(f"if (globalThis.never) {{ {source} }}; new Array(50_000).fill(1.5).length")
            == 50_000
        )
    async with Sandbox(limits=Limits(memory_mb=memory_mb)) as box:
        assert await box.eval(source) in ({"1,234.5"} if memory_mb >= 12 else {"1,234.5", "out of memory"})


async def test_time_zones_are_the_hosts_and_not_those_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_zones, "names", lambda: ["Mars/Base", "UTC"])
    monkeypatch.setattr(time_zones, "periods", lambda name: [0, 3600, 0] if name == "Mars/Base" else None)
    async with Sandbox() as box:
        assert (
            await box.eval("new Date(0).toLocaleTimeString('en-GB', { timeZone: 'mars/base' })") == "01:00:00"
        )
        assert await box.eval("Intl.supportedValuesOf('timeZone')") == ["Mars/Base", "UTC"]
        assert await box.eval("new Date(0).toLocaleTimeString('en-GB', { timeZone: 'UTC' })") == "00:00:00"


async def test_methods_without_options_do_not_mix_up_what_they_show(in_object: InObject) -> None:
    body = """
      const date = new Date(0);
      const all = (tag) => [date.toLocaleString(tag), date.toLocaleDateString(tag), date.toLocaleTimeString(tag)];
      const tags = ["en", "en-GB", "en-AU", "en-CA", "en-IN", "en-NZ", "en-ZA", "en-IE", "en-SG", "en-HK"];
      const first = tags.map(all);
      return [all(), all("en-GB"), JSON.stringify(tags.map(all)) === JSON.stringify(first), date.toLocaleDateString("en-GB", { month: "long" }),
        (() => { try { date.toLocaleString("undefined"); } catch (error) { return error.name; } })()];"""
    assert await in_object(body) == [
        ["1/1/1970, 12:00:00 AM", "1/1/1970", "12:00:00 AM"],
        ["01/01/1970, 00:00:00", "01/01/1970", "00:00:00"],
        True, "January", "RangeError",
    ]  # fmt: skip


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


async def test_names_of_time_zones_are_asked_for_once_for_a_project_that_mentions_them(
    open_module: OpenModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    names = time_zones.names

    def noted() -> list[str]:
        asked.append("names")
        return names()

    monkeypatch.setattr(time_zones, "names", noted)
    module = """
      import { DurableObject } from "cloudflare:workers";
      export class A extends DurableObject {
        async fetch() { return new Response(new Date(0).toLocaleTimeString("en-GB", { timeZone: "UTC" })); }
      }
      export default { fetch: (request, env) => env.A.getByName("a").fetch(request) };"""
    async with open_module(module) as host:
        assert asked == ["names"]
        assert await ask_worker(host) == "00:00:00"
    assert asked == ["names"]
    async with open_module(
        "export default { fetch: () => new Response(String({ timeZone: 1 }.timeZone)) };"
    ) as host:
        assert await ask_worker(host) == "1"
    assert asked == ["names"]
