"""Transactions on the simulated disk: all files old or all new, whatever is crashed and however recovered."""

from __future__ import annotations

import pytest

from insitu.testing.scenario import Scenario
from tests.crash.exploring import LONG, explored, faulted
from tests.crash.together import scenarios

SCENARIOS = scenarios()

# Distinct crash states over all scenarios, and states to examine for each.
DISTINCT = 8_000
DISTINCT_PROVED = 500_000
BUDGET = 400
BUDGET_PROVED = 40_000


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_all_old_or_all_new(scenario: Scenario) -> None:
    explored(scenario, shares=len(SCENARIOS), budget=BUDGET, distinct=DISTINCT, depth=3)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS[::7], ids=lambda scenario: scenario.name)
def test_any_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    faulted(scenario, budget=30, recoveries=5)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_many_crashes_leave_all_old_or_all_new(scenario: Scenario) -> None:
    shares = len(SCENARIOS)
    explored(scenario, shares=shares, budget=BUDGET_PROVED * LONG, distinct=DISTINCT_PROVED, depth=3)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_failing_call_leaves_what_the_error_says(scenario: Scenario) -> None:
    faulted(scenario, budget=2_000, recoveries=50)
