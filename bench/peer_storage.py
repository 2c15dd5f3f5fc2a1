"""What one event does with its object's storage, on durabox and on workerd: `python -m bench.peer_storage`.

Both sides run `storage.js` as `bench.peer` runs its class: on disk, every commit fsynced, in turns, a ratio for each round. One
connection asks one object, so that a request's time is that of its event.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import peer, results, workerd
from bench.load import Load, load

SOURCE = Path(__file__).with_name("storage.js")
PEER_PROJECT = workerd.PeerProject(SOURCE.parent, SOURCE.name, {"STORAGE": "Storage"})

DURABOX = peer.Side("durabox", peer.starter(SOURCE), "/-/objects/Storage/")
WORKERD = peer.Side("workerd", lambda port, state: workerd.start(PEER_PROJECT, port, state), "/")

#: By the path within the object; see storage.js.
MEASURES = {
    "sql": peer.Measure("100 `sql.exec` inserts and a count", "/s", 1.0),
    "scan": peer.Measure("a scan of 1,000 rows of three columns", "/s", 0.0),
    "list": peer.Measure("`list({ limit: 1000 })`", "/s", 0.8),
    "put": peer.Measure("`put` of 128 keys", "/s", 1.0),
}


def _round(side: peer.Side, states: Path, seconds: float) -> dict[str, float]:
    """Events per second of every kind."""
    with peer.running(side, states) as server:

        def rate(kind: str, seconds: float) -> float:
            return load(Load(server.port, "GET", f"{side.prefix}one/{kind}?", connections=1, seconds=seconds))

        for kind in MEASURES:
            rate(kind, seconds / 4)
        return {kind: rate(kind, seconds) for kind in MEASURES}


def _report(ours: dict[str, list[float]], theirs: dict[str, list[float]], command: str) -> str:
    rows = []
    for kind, measure in MEASURES.items():
        ratio = median(a / b for a, b in zip(ours[kind], theirs[kind], strict=True))
        mark = (
            f"≥ {measure.mark:g} {'reached' if measure.reached(ratio) else '**missed**'}"
            if measure.mark
            else "—"
        )
        rows.append(
            [
                measure.title,
                f"{median(ours[kind]):,.0f}{measure.unit}",
                f"{median(theirs[kind]):,.0f}{measure.unit}",
                f"{ratio:.2f}",
                mark,
            ]
        )
    table = results.table(["one event", DURABOX.name, WORKERD.name, "ratio", "mark"], rows)
    return (
        f"## Storage, durabox and workerd {workerd.VERSION}\n\n`{command}` on {results.machine()}.\n\n{table}"
    )


def main() -> None:
    """Run all rounds, print the table and write it into RESULTS.md."""
    parser = argparse.ArgumentParser(description="Compare storage with workerd's.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each single run")
    options = parser.parse_args()
    workerd.install()
    numbers: dict[peer.Side, dict[str, list[float]]] = {
        side: {kind: [] for kind in MEASURES} for side in (DURABOX, WORKERD)
    }
    with tempfile.TemporaryDirectory(prefix="states-", dir=workerd.CACHE) as states:
        for number in range(options.rounds):
            for side, kinds in numbers.items():
                print(f"round {number + 1} of {options.rounds}: {side.name} …", file=sys.stderr)
                for kind, value in _round(side, Path(states), options.seconds).items():
                    kinds[kind].append(value)
    command = f"python -m bench.peer_storage --rounds {options.rounds} --seconds {options.seconds:g}"
    text = _report(numbers[DURABOX], numbers[WORKERD], command)
    print(text)
    results.write("storage", text)


if __name__ == "__main__":
    main()
