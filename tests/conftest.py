"""How property tests are run: the same examples each time, however slow the machine is; `make torture` makes up new ones."""

import pytest
from hypothesis import settings

settings.register_profile("test", deadline=None, derandomize=True)
settings.register_profile("torture", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("torture" if config.option.markexpr == "torture" else "test")
