"""Explores scenarios for tests: prints what was tried, demands that it was enough and nothing was wrong."""

from __future__ import annotations

import os
from collections.abc import Callable

from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Report, Scenario, Wrong

LONG = max(1, int(os.environ.get("INSITU_LONG") or 1))
"""How many times the budget of a proof is spent."""


def explored(scenario: Scenario, *, shares: int, budget: int, distinct: int, depth: int) -> None:
    """Crashes a scenario, and demands its share of the distinct states.

    Args:
        shares: of how many scenarios this is one. Each answers for its share, so that the sum holds however
            the tests are spread over processes.
        budget: states to examine: enough for the share of the distinct ones, with some room.
        distinct: crash states that all the scenarios have to come to.
    """
    report = explore(scenario, budget=budget, depth=depth)
    print(Report.HEADER)
    print(report)
    assert not report.wrong
    assert report.distinct * shares >= distinct


def _never(wrong: Wrong) -> bool:
    return False


def faulted(
    scenario: Scenario, *, budget: int, recoveries: int, beyond_help: Callable[[Wrong], bool] = _never
) -> None:
    """Lets calls of a scenario fail, and demands that the errors told what became of it.

    Args:
        beyond_help: what is wrong, but cannot be otherwise.
    """
    report = faults(scenario, budget=budget, recoveries=recoveries)
    print(report)
    assert [str(wrong) for wrong in report.wrong if not beyond_help(wrong)] == []
