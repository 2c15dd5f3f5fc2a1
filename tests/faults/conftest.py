"""The clock settles no births in these tests, so that the order of changes to files is that of the test."""

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _births_are_settled_when_somebody_needs_it() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("durabox.storage.birth_log.SETTLE_AFTER_S", threading.TIMEOUT_MAX)
        yield
