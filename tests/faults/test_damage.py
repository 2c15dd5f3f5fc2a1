"""Bytes of an object's files overwritten anywhere: it answers rightly or with an error, and nobody else notices.

A database has no checksums: a byte changed inside of a value is another value. So what is held against the truth is what
an object says after the damage: what it has acknowledged since is there, or it says that it cannot tell.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.errors import DuraboxError
from durabox.objects.host import Host
from durabox.storage.durability import Durability
from durabox.testing import VirtualClock

SOURCE = Path(__file__).with_name("archive.js")
UNIQUE_KEY: Final = "archive-Archive"
ALARM_MS: Final = 60_000
READS: Final = ("/keys", "/rows", "/search", "/stream", "/bookmark")


@dataclass(frozen=True)
class Damage:
    """What happens to a file: bytes are written into it, and it is cut."""

    file: str
    writes: tuple[tuple[float, bytes], ...]
    cut: float | None

    def apply(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        for place, written in self.writes:
            at = int(place * len(content))
            content[at : at + len(written)] = written
        if self.cut is not None:
            del content[int(self.cut * len(content)) :]
        path.write_bytes(content)


PLACE = st.floats(0, 1, exclude_max=True)
DAMAGE = st.builds(
    Damage,
    st.sampled_from(["database", "database", "wal", "history", "alarms", "catalogue"]),
    st.lists(
        st.tuples(PLACE | st.just(0.0), st.binary(min_size=1, max_size=200)), min_size=1, max_size=12
    ).map(tuple),
    st.one_of(st.none(), st.none(), PLACE),
)


@cache
def _sound() -> Path:
    """A state with two objects, made once."""
    state = Path(tempfile.mkdtemp(prefix="durabox-")) / "state"

    async def make() -> None:
        clock = VirtualClock()
        async with Host.open(SOURCE, state, clock=clock, durability=Durability.OFF) as host:
            for name in ("damaged", "whole"):
                stub = host.namespace("Archive").get_by_name(name)
                await stub.fetch(f"/fill?alarm={clock.now() + ALARM_MS:.0f}")
                for value in range(30):
                    await stub.fetch(f"/put?value={value}")
                    await stub.fetch(f"/insert?value={value}")

    asyncio.run(make())
    return state


def _files(state: Path, object_id: str) -> dict[str, list[Path]]:
    database = state / UNIQUE_KEY / f"{object_id}.sqlite"
    own = state / ".durabox"
    return {
        "database": [database],
        "wal": [database.with_name(f"{database.name}-wal")],
        "history": sorted((own / "history" / UNIQUE_KEY / object_id).iterdir()),
        "alarms": sorted((state / UNIQUE_KEY).glob("metadata.sqlite*")),
        "catalogue": sorted((own / "catalog").iterdir()),
    }


async def _survive(state: Path, damages: list[Damage]) -> None:
    clock = VirtualClock()
    outside = state.parent / "outside"
    async with Host.open(SOURCE, state, clock=clock, durability=Durability.OFF) as host:
        space = host.namespace("Archive")
        ids = {name: space.ids.from_name(name) for name in ("damaged", "whole")}
    for damage in damages:
        for path in _files(state, ids["damaged"])[damage.file]:
            damage.apply(path)
    async with Host.open(SOURCE, state, clock=clock, durability=Durability.OFF) as host:
        space = host.namespace("Archive")

        async def ask(path: str, name: str = "damaged") -> str | None:
            """The answer, ``None`` for an error."""
            try:
                return await (await space.get_by_name(name).fetch(path)).text()
            except DuraboxError as error:
                assert str(error)
                assert str(state) not in str(error)
                return None

        async def whole() -> list[str | None]:
            return [await ask(path, "whole") for path in (*READS[:-1], "/")]

        truth = await whole()
        assert None not in truth
        for round_ in range(2):
            for path in READS:
                await ask(path)
            value = json.dumps(str(round_))
            acknowledged = await ask(f"/put?value={round_}")
            assert acknowledged in (None, value)
            if acknowledged:
                assert await ask("/") in (None, value)
            assert await ask(f"/insert?value={round_}") in (None, value)
            past = await ask(f"/past?time={clock.now():.0f}")
            assert past is None or json.loads(past)
        await clock.advance(2 * ALARM_MS)
        await host.alarms_quiet()
        await _outside(host, outside, ids)
        assert await whole() == truth
        if not any(damage.file == "alarms" for damage in damages):
            assert await ask("/rang", "whole") == "true"
        # What could be saved is a sound object again.
        answer = await ask("/put?value=again")
        assert answer == '"again"'
    async with Host.open(SOURCE, state, clock=clock, durability=Durability.OFF) as host:
        space = host.namespace("Archive")
        assert await ask("/") == '"again"'


async def _outside(host: Host, folder: Path, ids: dict[str, str]) -> None:
    """Everything that is done from outside works, or says what does not."""
    objects = host.objects
    folder.mkdir()
    page = await objects.list("Archive")
    assert {each.id for each in page.objects} == set(ids.values())
    for work in (
        objects.show("Archive", "damaged"),
        objects.export("Archive", "damaged", folder / "export"),
        objects.copy("Archive", "damaged", "Archive", "copy"),
        objects.vacuum("Archive", "damaged"),
    ):
        await _whatever(work)
    parts = [part async for part in objects.sql("Archive", "SELECT count(*) FROM word")]
    assert [part["rows"] for part in parts if part["id"] == ids["whole"]] == [[[201]]]
    report = await objects.salvage("Archive", "damaged", folder / "salvaged")
    assert report["bytes"] > 0
    await objects.load("Archive", "damaged", folder / "salvaged", force=True)
    await _whatever(objects.delete("Archive", "copy"))


async def _whatever(work: Any) -> None:
    try:
        await work
    except DuraboxError as error:
        assert str(error)


def _run(damages: list[Damage]) -> None:
    with tempfile.TemporaryDirectory(prefix="durabox-") as folder:
        state = Path(folder) / "state"
        shutil.copytree(_sound(), state)

        async def within_time() -> None:
            async with asyncio.timeout(60):
                await _survive(state, damages)

        asyncio.run(within_time())


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=25, suppress_health_check=SLOW)
@given(st.lists(DAMAGE, min_size=1, max_size=3))
def test_damage_is_the_damaged_objects_alone(damages: list[Damage]) -> None:
    _run(damages)


@pytest.mark.torture
@settings(max_examples=3_000, suppress_health_check=SLOW)
@given(st.lists(DAMAGE, min_size=1, max_size=3))
def test_damage_is_the_damaged_objects_alone_three_thousand_times(damages: list[Damage]) -> None:
    _run(damages)
