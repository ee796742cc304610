"""The real executor, planners, journal and recovery, crashed at every step (laws of design section 1)."""

from __future__ import annotations

import os

import pytest

from insitu.engine import execute
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Report, Scenario
from tests.crash.commits import scenarios

SCENARIOS = scenarios()

# Distinct crash states over all scenarios. Each scenario answers for its share, so that the sum holds
# however the tests are spread over processes.
DISTINCT = 100_000
DISTINCT_PROVED = 1_000_000

# States to examine for one scenario: enough for its share of the distinct ones, with some room.
BUDGET = 6_000
BUDGET_PROVED = 90_000


def _explored(scenario: Scenario, budget: int, distinct: int) -> None:
    """Explores one scenario, prints its line, and demands its share of the distinct states."""
    report = explore(scenario, budget=budget, depth=3)
    print(Report.HEADER)
    print(report)
    assert not report.wrong
    assert report.distinct * len(SCENARIOS) >= distinct


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_old_or_new(scenario: Scenario) -> None:
    _explored(scenario, BUDGET, DISTINCT)


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
    report = faults(scenario, budget=2_000, recoveries=20)
    print(report)
    assert not report.wrong


@pytest.mark.proof
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_million_crashes_leave_old_or_new(scenario: Scenario) -> None:
    """INSITU_LONG is how many times the budget for a million distinct states is spent."""
    _explored(scenario, BUDGET_PROVED * max(1, int(os.environ.get("INSITU_LONG") or 1)), DISTINCT_PROVED)
