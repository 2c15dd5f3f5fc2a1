"""Each test asks durabox and workerd the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.packages.packages import Serve, serve_by_workerd, serve_unbundled


@pytest.fixture(params=["durabox", "workerd"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """Serve a project."""
    return partial(serve_unbundled if request.param == "durabox" else serve_by_workerd, folder=tmp_path)
