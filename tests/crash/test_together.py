"""Transactions on the simulated disk: all files old or all new, whatever is crashed and however recovered."""

from __future__ import annotations

import os

import pytest

from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Report, Scenario
from tests.crash.together import scenarios

SCENARIOS = scenarios()

# Distinct crash states over all scenarios; each answers for its share.
DISTINCT = 8_000
DISTINCT_PROVED = 500_000
BUDGET = 400
BUDGET_PROVED = 40_000


def _explored(scenario: Scenario, budget: int, distinct: int) -> None:
    report = explore(scenario, budget=budget, depth=3)
    print(Report.HEADER)
    print(report)
    assert not report.wrong
    assert report.distinct * len(SCENARIOS) >= distinct


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_all_old_or_all_new(scenario: Scenario) -> None:
    _explored(scenario, BUDGET, DISTINCT)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS[::7], ids=lambda scenario: scenario.name)
def test_any_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    report = faults(scenario, budget=30, recoveries=5)
    print(report)
    assert not report.wrong


@pytest.mark.proof
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_many_crashes_leave_all_old_or_all_new(scenario: Scenario) -> None:
    """INSITU_LONG is how many times the budget is spent."""
    _explored(scenario, BUDGET_PROVED * max(1, int(os.environ.get("INSITU_LONG") or 1)), DISTINCT_PROVED)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    report = faults(scenario, budget=2_000, recoveries=50)
    print(report)
    assert not report.wrong
