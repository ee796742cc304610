"""Drafts on the simulated disk: as before or as after, whatever is crashed, and never committed twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from insitu.errors import StorageError
from insitu.testing.scenario import Failure, Scenario, failed
from insitu.testing.simulated import Fault
from tests.crash.drafts import beyond_help, scenarios
from tests.crash.exploring import LONG, explored, faulted

SCENARIOS = scenarios()
(DROP,) = (scenario for scenario in SCENARIOS if scenario.name == "drop")
# A draft whose drop was cut short, and that is seen to be gone, may be back after a power cut, until somebody
# syncs the folder: what the first recovery found is not held to after the next.
CUT_SHORT = replace(DROP, name="drop, cut short", durable=False)
AGAIN = [*(scenario for scenario in SCENARIOS if scenario is not DROP), CUT_SHORT]

# Distinct crash states over all scenarios, and states to examine for each.
DISTINCT = 1_200
DISTINCT_PROVED = 100_000
BUDGET = 200
BUDGET_PROVED = 12_000


def _explored(scenario: Scenario, budget: int, distinct: int) -> None:
    depth = 1 if scenario is DROP else 2
    explored(scenario, shares=len(SCENARIOS), budget=budget, distinct=distinct, depth=depth)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [DROP, *AGAIN], ids=lambda scenario: scenario.name)
def test_a_crash_anywhere_leaves_the_draft_as_before_or_after(scenario: Scenario) -> None:
    _explored(scenario, BUDGET, DISTINCT)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["begin", "compact", "save able", CUT_SHORT.name, "commit by shift able, history 3"]
)
def test_any_failing_call_leaves_the_draft_as_before_or_after(name: str) -> None:
    (scenario,) = (scenario for scenario in AGAIN if scenario.name == name)
    faulted(scenario, budget=24, recoveries=1, beyond_help=beyond_help)


def test_a_save_to_a_log_that_may_lose_its_name_is_not_called_saved() -> None:
    """The log was compacted when it was opened; the folder cannot be synced since."""
    (scenario,) = (scenario for scenario in AGAIN if scenario.name == "compact")
    fault = Fault(error="io", index=1, call="sync_folder", forever=True)
    _, error = failed(scenario.start(), scenario.run, Failure(fault, 0))
    assert isinstance(error, StorageError)
    assert "name" in error.message


@pytest.mark.proof
@pytest.mark.parametrize("scenario", [DROP, *AGAIN], ids=lambda scenario: scenario.name)
def test_many_crashes_leave_the_draft_as_before_or_after(scenario: Scenario) -> None:
    _explored(scenario, BUDGET_PROVED * LONG, DISTINCT_PROVED)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", AGAIN, ids=lambda scenario: scenario.name)
def test_every_failing_call_leaves_the_draft_as_before_or_after(scenario: Scenario) -> None:
    faulted(scenario, budget=1_000, recoveries=20, beyond_help=beyond_help)
