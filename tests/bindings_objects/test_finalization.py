"""`FinalizationRegistry`: what is registered can be collected, whatever its token is."""

from __future__ import annotations

import pytest

from durabox import Limits, Sandbox

COLLECTED = """
  let collected = 0;
  const registry = new FinalizationRegistry(() => { collected++; });
  for (let i = 0; i < 2000; i++) { const o = { bytes: new Uint8Array(100_000) }; registry.register(o, 1, %s); }
  await new Promise((done) => setTimeout(done, 1));
  collected > 1900;
"""


@pytest.mark.parametrize("token", ["undefined", "o", "{}", "registry"])
async def test_a_token_keeps_nothing_alive(token: str) -> None:
    async with Sandbox(limits=Limits(memory_mb=64, cpu_ms=10_000)) as box:
        assert await box.eval(COLLECTED % token) is True


async def test_what_was_unregistered_is_not_reported() -> None:
    code = """
      let collected = 0;
      const registry = new FinalizationRegistry(() => { collected++; });
      const answers = [];
      for (let i = 0; i < 10; i++) { const o = {}; registry.register(o, 1, o); answers.push(registry.unregister(o), registry.unregister(o)); }
      await new Promise((done) => setTimeout(done, 1));
      [collected, answers.filter(Boolean).length, FinalizationRegistry.prototype.register.length, FinalizationRegistry.prototype.register.name];
    """
    async with Sandbox() as box:
        assert await box.eval(code) == [0, 10, 2, "register"]
