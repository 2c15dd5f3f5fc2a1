"""The journal of migrations."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from durabox.storage import migrations
from durabox.storage.migrations import Journal


def test_journals_that_are_wanted_at_once_are_opened_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = threading.Lock()
    together = threading.Barrier(4)
    open_one = migrations._open

    def open_alone(path: Path | None) -> apsw.Connection:
        assert opening.acquire(blocking=False), "two connections make the same file one with a WAL"
        try:
            return open_one(path)
        finally:
            opening.release()

    def want(number: int) -> list[Journal]:
        journals = []
        for attempt in range(20):
            together.wait(30)
            journals.append(Journal(tmp_path / f"{attempt}.sqlite", f"m{number}", "key"))
        return journals

    monkeypatch.setattr(migrations, "_open", open_alone)
    with ThreadPoolExecutor(4) as threads:
        for journals in threads.map(want, range(4)):
            for journal in journals:
                journal.close()
