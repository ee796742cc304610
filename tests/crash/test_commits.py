"""The real executor, planners, journal and recovery, crashed at every step (laws of design section 1)."""

from __future__ import annotations

import pytest

from insitu.core import plan as planning
from insitu.planners import shift
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Report, Scenario
from tests.crash.commits import scenarios

SCENARIOS = scenarios()


@pytest.fixture(autouse=True)
def small_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and windows of a few atoms, so that small files have many."""
    monkeypatch.setattr(planning, "WINDOW_BYTES", 16)
    monkeypatch.setattr(shift, "SEGMENT_BYTES", 24)
    monkeypatch.setattr(shift, "WINDOW_BYTES", 24)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_old_or_new(scenario: Scenario) -> None:
    report = explore(scenario, budget=4_000, depth=2)
    print(Report.HEADER)
    print(report)
    assert report.distinct > 300
    assert not report.wrong


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_any_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    report = faults(scenario, budget=2_000, recoveries=20)
    print(report)
    assert not report.wrong
