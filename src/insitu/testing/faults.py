"""Lets every call of a commit fail, once and for ever, and holds the error to what it says.

The process ends with the error (or returns in spite of the fault); then a new process recovers on a healthy
disk. The targets must be old or new: old, where the error said that they are, or was no ``StorageError``;
new, where it said so, or where the commit returned. That must stay so if the power fails before that
recovery, or after it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final, Literal

from insitu.errors import InsituError, InternalError, StorageError
from insitu.testing.scenario import (
    EITHER,
    NEW,
    OLD,
    Crash,
    Failure,
    Outcomes,
    Report,
    Scenario,
    Wrong,
    crash_points,
    failed,
    recovered,
)
from insitu.testing.simulated import STEPS, Call, CrashPoint, Fault, FrozenVolume, SimulatedVolume
from insitu.testing.survivors import Cut, Cuts, left_by

_SPACE: Final = frozenset[str](
    {"write", "resize", "reserve", "insert", "copy_from", "set_mark", "create", "rename", "make_folder"}
)
"""Calls that a full disk makes fail."""

_CUTS: Final = 12
"""Power cuts tried in the wake of each failure; a failed sync has drawn its own lot before."""


def faults(scenario: Scenario, *, budget: int = 10_000, seed: int = 0) -> Report:
    """Runs the commit once for each call, error and duration, and reports what was wrong.

    Args:
        budget: how many faults to try at most; sampled where there are more.
        seed: of the sampling, and of what failed syncs leave.

    Returns: the report: ``steps`` counts the calls that may fail, ``states`` each state that was recovered
        (after the failure; after a power cut behind it; after one behind the recovery).
    """
    began = time.perf_counter()
    random_ = random.Random(seed)
    report = Report(f"{scenario.name}, faults")
    start = scenario.start()
    before = start.contents()
    healthy = SimulatedVolume.thawed(start)
    scenario.run(healthy)
    cases = list(_cases(healthy.calls))
    report.steps = sum(healthy.calls.values())
    report.exhaustive = len(cases) <= budget
    distinct: set[int] = set()

    def check(state: FrozenVolume, allowed: Outcomes, trail: tuple[Crash | Failure, ...]) -> Outcomes:
        report.states += 1
        report.recoveries += 1
        distinct.add(hash((trail[0], state.key())))
        outcomes, problem = recovered(scenario, before, SimulatedVolume.thawed(state), allowed)
        if problem:
            report.wrong.append(Wrong(seed, trail, problem))
        return outcomes

    for fault in cases if report.exhaustive else random_.sample(cases, budget):
        failure = Failure(fault, random_.randrange(1 << 30))
        try:
            state, error = failed(start, scenario.run, failure)
        except Exception as stray:
            report.wrong.append(Wrong(seed, (failure,), f"{stray!r} is no InsituError"))
            continue
        if isinstance(error, InternalError):
            report.wrong.append(Wrong(seed, (failure,), f"{error!r} is a bug of ours"))
        allowed = _claimed(error)
        lasting = allowed if scenario.durable else EITHER
        point = CrashPoint(0, "end", "", state)
        for cut in _some(Cuts(point), random_):
            check(left_by(point, cut), lasting, (failure, Crash(0, "end", "", cut)))
        outcomes = check(state, allowed, (failure,))
        if outcomes:
            points, _ = crash_points(state, scenario.recover)
            for cut in _some(Cuts(points[-1]), random_):
                end = Crash(points[-1].step, "end", "", cut)
                check(left_by(points[-1], cut), outcomes if scenario.durable else EITHER, (failure, end))
    report.distinct = len(distinct)
    report.seconds = time.perf_counter() - began
    return report


def _cases(calls: dict[str, int]) -> Iterator[Fault]:
    """Every fault that can strike one of the calls counted."""
    for name, count in calls.items():
        call: Call = name  # type: ignore[assignment]
        errors: list[Literal["io", "no-space"]] = ["io", "no-space"] if call in _SPACE else ["io"]
        for index in range(count):
            for error in errors:
                for forever in (False, True):
                    yield Fault(error=error, index=index, call=call, forever=forever)
                    if call in ("write", "copy_from"):
                        yield Fault(error=error, index=index, call=call, forever=forever, short=True)
    # A medium that is gone altogether: from some step on, nothing works.
    for index in range(sum(count for call, count in calls.items() if call in STEPS)):
        yield Fault(error="io", index=index, forever=True)


def _claimed(error: InsituError | None) -> Outcomes:
    """What the targets hold, going by what the caller was told."""
    if error is None:
        return NEW
    if isinstance(error, StorageError):
        return {"old": OLD, "new": NEW}.get(error.file_state, EITHER)
    return OLD


def _some(cuts: Cuts, random_: random.Random) -> Iterator[Cut]:
    if cuts.count() <= _CUTS:
        yield from cuts.every()
        return
    extremes = list(cuts.extremes())
    yield from extremes[:3]
    for _ in range(_CUTS - 3):
        yield random_.choice(extremes) if random_.random() < 1 / 3 else cuts.sample(random_)
