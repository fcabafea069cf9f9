"""What holds of every figure."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def nothing_global_is_touched() -> Iterator[None]:
    """Whatever is drawn, matplotlib's own settings stay as they were."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
