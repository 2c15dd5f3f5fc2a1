"""Many isolates at once."""

from __future__ import annotations

from durabox.engine.engine import Engine
from durabox.engine.ops import OpHandlers
from durabox.engine.protocol import EVENT
from durabox.limits import Limits


async def test_thousands_of_isolates_live_and_run_side_by_side() -> None:
    base = Engine.shared().base
    isolates = [base.instantiate(OpHandlers(), Limits()) for _ in range(2500)]
    try:
        for isolate in isolates:
            await isolate.run(EVENT["start"], [])
    finally:
        for isolate in isolates:
            isolate.close()
