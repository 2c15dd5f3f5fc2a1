"""In these tests no births are placed and settled beside everything else, so that the order of changes to files is the test's."""

from collections.abc import Iterator

import pytest

from durabox.storage.birth_log import BirthLog

#: What has them placed and settled.
TEND = BirthLog._tend


@pytest.fixture(autouse=True, scope="module")
def _births_are_placed_and_settled_when_somebody_needs_it() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BirthLog, "_tend", lambda log: None)
        yield
