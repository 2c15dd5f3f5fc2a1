"""The journal of migrations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from durabox.storage.migrations import Journal


def test_a_journal_is_made_by_several_at_once(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"{attempt}.sqlite"
        with ThreadPoolExecutor(8) as threads:
            journals = list(
                threads.map(lambda number, path=path: Journal(path, f"m{number}", "key"), range(8))
            )  # type: ignore[misc]
        for journal in journals:
            journal.close()
