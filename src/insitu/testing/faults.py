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
from itertools import islice
from typing import Final, Literal

from insitu.errors import InsituError, InternalError, StorageError
from insitu.testing.scenario import (
    EITHER,
    ENOUGH,
    NEW,
    OLD,
    Crash,
    Failure,
    Outcomes,
    Program,
    Recovered,
    Recoveries,
    Report,
    Scenario,
    Wrong,
    crash_points,
    failed,
)
from insitu.testing.simulated import STEPS, Call, CrashPoint, Fault, FrozenVolume
from insitu.testing.survivors import Cut, Cuts, Kill, kills, left_by

_SPACE: Final = frozenset[str](
    {"write", "resize", "reserve", "insert", "copy_from", "set_mark", "create", "rename", "make_folder"}
)
"""Calls that a full disk makes fail."""

_CUTS: Final = 12
"""Power cuts tried in the wake of each failure; a failed sync has drawn its own lot before."""


def faults(
    scenario: Scenario, *, budget: int = 10_000, recoveries: int = 0, seed: int = 0, enough: int = ENOUGH
) -> Report:
    """Runs the commit once for each call, error and duration, and reports what was wrong.

    Args:
        budget: how many faults of the commit to try at most; sampled where there are more.
        recoveries: how many faults to try, besides, in the recovery from a crash drawn at random.
        seed: of the sampling, and of what failed syncs leave.
        enough: violations after which to stop.

    Returns: the report: ``steps`` counts the calls that may fail, ``states`` each state that was recovered
        (after the failure; after a power cut behind it; after one behind the recovery), ``distinct`` those
        that differ. Equal images are recovered once: ``recoveries`` counts the runs.
    """
    return _Trials(scenario, seed, enough).run(budget, recoveries)


class _Trials:
    def __init__(self, scenario: Scenario, seed: int, enough: int) -> None:
        self._scenario = scenario
        self._seed = seed
        self._enough = enough
        self._random = random.Random(seed)
        self._start = scenario.start()
        self._report = Report(f"{scenario.name}, faults")
        self._recoveries = Recoveries(scenario)
        self._distinct: set[int] = set()

    def run(self, budget: int, recoveries: int) -> Report:
        began = time.perf_counter()
        scenario, report = self._scenario, self._report
        points, healthy = crash_points(self._start, scenario.run)
        cases = list(_cases(healthy.calls))
        report.steps = sum(healthy.calls.values())
        report.exhaustive = len(cases) <= budget
        for fault in cases if report.exhaustive else self._random.sample(cases, budget):
            self._fail(self._start, scenario.run, fault, EITHER, ())
        for _ in range(recoveries):
            point = self._random.choice(points)
            crash = self._crash(point)
            state = left_by(point, crash)
            _, healthy = crash_points(state, scenario.recover)
            cases = list(_cases(healthy.calls))
            if cases:
                lasts = scenario.durable or isinstance(crash, Kill)
                allowed = NEW if point.call == "end" and lasts else EITHER
                trail = (Crash(point.step, point.call, point.path, crash),)
                self._fail(state, scenario.recover, self._random.choice(cases), allowed, trail)
        report.distinct = len(self._distinct)
        report.recoveries = self._recoveries.count
        report.seconds = time.perf_counter() - began
        return report

    def _fail(
        self, state: FrozenVolume, program: Program, fault: Fault, allowed: Outcomes, trail: tuple[Crash, ...]
    ) -> None:
        """Runs a program that fails; a healthy recovery follows, with power cuts before and behind it."""
        if len(self._report.wrong) >= self._enough:
            return
        failure = Failure(fault, self._random.randrange(1 << 30))
        failed_trail: tuple[Crash | Failure, ...] = (*trail, failure)
        try:
            state, error = failed(state, program, failure)
        except Exception as stray:
            self._wrong(failed_trail, f"{stray!r} is no InsituError")
            return
        if isinstance(error, InternalError):
            self._wrong(failed_trail, f"{error!r} is a bug of ours")
        if error is not None or not trail:
            allowed &= _claimed(error)
        durable = self._scenario.durable
        point = CrashPoint(0, "end", "", state)
        for cut in self._cuts(point):
            crash = Crash(0, "end", "", cut)
            self._check(left_by(point, cut), allowed if durable else EITHER, (*failed_trail, crash))
        after = self._check(state, allowed, failed_trail)
        if after.outcomes:
            point = CrashPoint(0, "end", "", after.left)
            for cut in self._cuts(point):
                end = Crash(after.steps, "end", "", cut)
                allowed = after.outcomes if durable else EITHER
                self._check(left_by(point, cut), allowed, (*failed_trail, end))

    def _check(self, state: FrozenVolume, allowed: Outcomes, trail: tuple[Crash | Failure, ...]) -> Recovered:
        self._report.states += 1
        self._distinct.add(state.key())
        found = self._recoveries.of(state)
        if problem := found.wrong(allowed):
            self._wrong(trail, problem)
        return found

    def _wrong(self, trail: tuple[Crash | Failure, ...], problem: str) -> None:
        self._report.wrong.append(Wrong(self._seed, trail, problem))

    def _crash(self, point: CrashPoint) -> Kill | Cut:
        if self._random.random() < 1 / 3:
            return self._random.choice(list(kills(point)))
        cuts = Cuts(point)
        return self._random.choice((cuts.extreme, cuts.sample))(self._random)

    def _cuts(self, point: CrashPoint) -> Iterator[Cut]:
        """All cuts where they are few; else the whole ones and some drawn."""
        cuts = Cuts(point)
        if cuts.count() <= _CUTS:
            yield from cuts.every()
            return
        yield from islice(cuts.extremes(), 3)
        for index in range(_CUTS - 3):
            yield cuts.extreme(self._random) if index % 2 else cuts.sample(self._random)


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
    # A medium that turned read-only: from some step on, none works.
    for index in range(sum(count for call, count in calls.items() if call in STEPS)):
        yield Fault(error="io", index=index, forever=True)
        yield Fault(error="denied", index=index, forever=True)


def _claimed(error: InsituError | None) -> Outcomes:
    """What the targets hold, going by what the caller was told."""
    if error is None:
        return NEW
    if isinstance(error, StorageError):
        return {"old": OLD, "new": NEW}.get(error.file_state, EITHER)
    return OLD
