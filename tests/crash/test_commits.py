"""The real executor, planners, journal and recovery, crashed at every step (laws of design section 1)."""

from __future__ import annotations

import time

import pytest

from insitu.engine import execute
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Report, Scenario, crash_points
from insitu.testing.simulated_inode import Partial
from tests.crash.commits import scenarios
from tests.crash.exploring import LONG, explored, faulted

ALL = {scenario.name: scenario for scenario in scenarios()}

# These take the same steps on portable storage as on able storage; to crash both would be to do it twice.
TWINS = {
    f"{edit} portable, history {kept}": f"{edit} able, history {kept}"
    for edit in ("overwrite same size", "overwrite shrinking", "rewrite")
    for kept in (3, 0)
}
SCENARIOS = [scenario for name, scenario in ALL.items() if name not in TWINS]

# Distinct crash states over all scenarios.
DISTINCT = 100_000
DISTINCT_PROVED = 1_000_000

# States to examine for one scenario; of few steps, more of what is drawn has been seen before.
BUDGET, BUDGET_OF_FEW_STEPS = 5_000, 7_000
FEW_STEPS = 40
BUDGET_PROVED = 90_000


def _steps(scenario: Scenario) -> list[tuple[str, str, int, int]]:
    """Every step: what is called, on which path, and what is written where."""
    points, _ = crash_points(scenario.start(), scenario.run)
    writes = [point.partial or Partial(0, 0, b"") for point in points]
    return [
        (point.call, point.path, write.offset, len(write.data))
        for point, write in zip(points, writes, strict=True)
    ]


@pytest.mark.parametrize(("left_out", "twin"), TWINS.items())
def test_what_is_crashed_once_for_two_storages_does_the_same_on_both(
    left_out: str, twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.5)
    assert _steps(ALL[left_out]) == _steps(ALL[twin])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_old_or_new(scenario: Scenario) -> None:
    budget = BUDGET if len(_steps(scenario)) > FEW_STEPS else BUDGET_OF_FEW_STEPS
    explored(scenario, shares=len(SCENARIOS), budget=budget, distinct=DISTINCT, depth=3)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS[::6], ids=lambda scenario: scenario.name)
def test_writing_on_another_thread_changes_nothing_about_that(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "BEHIND_FROM_BYTES", 0)
    crashes = explore(scenario, budget=150, depth=2)
    failures = faults(scenario, budget=60, recoveries=5)
    print(Report.HEADER)
    print(crashes)
    print(failures)
    assert not crashes.wrong
    assert not failures.wrong
    assert crashes.distinct >= 100


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_any_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    faulted(scenario, budget=120, recoveries=20)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", ALL.values(), ids=lambda scenario: scenario.name)
def test_every_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    faulted(scenario, budget=10_000, recoveries=200)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", ALL.values(), ids=lambda scenario: scenario.name)
def test_a_million_crashes_leave_old_or_new(scenario: Scenario) -> None:
    explored(scenario, shares=len(ALL), budget=BUDGET_PROVED * LONG, distinct=DISTINCT_PROVED, depth=3)
