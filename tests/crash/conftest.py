"""Settings of the crash tests: small moves, so that files of a few bytes have many segments."""

from __future__ import annotations

import pytest

from insitu.core import plan as planning
from insitu.planners import shift


@pytest.fixture(autouse=True)
def small_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and windows of a few atoms, so that small files have many."""
    monkeypatch.setattr(planning, "WINDOW_BYTES", 16)
    monkeypatch.setattr(shift, "SEGMENT_BYTES", 24)
    monkeypatch.setattr(shift, "WINDOW_BYTES", 24)
