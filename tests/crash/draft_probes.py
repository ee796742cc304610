"""What finds drafts kept wrongly: short scenarios under the explorers."""

from __future__ import annotations

from functools import cache

from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import Scenario
from tests.crash.drafts import beyond_help, scenarios
from tests.crash.probes import _killed as killed


@cache
def _named() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios()}


def _crashed(name: str, budget: int = 400) -> list[str]:
    return [str(wrong) for wrong in explore(_named()[name], budget=budget, depth=2, enough=1).wrong]


def begins() -> list[str]:
    return _crashed("begin")


def saves() -> list[str]:
    return _crashed("save able", 800)


def killed_saves() -> list[str]:
    """Kills a save before each step, then cuts the power before each step of who edits the draft next."""
    return killed(_named()["save able"])


def failing_saves() -> list[str]:
    """Fails each call of a save once; the power is cut after what follows."""
    report = faults(_named()["save able"], budget=60, recoveries=3)
    return [str(wrong) for wrong in report.wrong if not beyond_help(wrong)]


def commits() -> list[str]:
    return _crashed("commit by overwrite able, history 3") or _crashed("commit by overwrite able, history 0")


def bare_rewrites() -> list[str]:
    return _crashed("commit by rewrite able, history 0")
