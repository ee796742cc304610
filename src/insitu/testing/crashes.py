"""Crashes a commit at every step, in every way, and asks the real recovery to make it good.

``explore`` runs a ``Scenario`` once and notes a crash point before each step and after the last. From each
it derives the states a kill or a power cut may leave (``survivors``): all of them where they are few, else
the extreme ones and a seeded sample. On each state the scenario's recovery runs; at a second depth that
recovery is crashed in turn, and so on. What must hold after any completed recovery:

1. The targets are all old or all new, byte for byte; new, where the commit had returned.
2. A later crash does not change that answer.
3. Nothing is pending, no other file was touched, none but the engine's own was added.
4. Recovering once more changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from insitu.testing.scenario import (
    EITHER,
    ENOUGH,
    NEW,
    Crash,
    Failure,
    Outcomes,
    Recoveries,
    Report,
    Scenario,
    Wrong,
    crash_points,
    judged,
)
from insitu.testing.simulated import CrashPoint, FrozenVolume
from insitu.testing.survivors import Cut, Cuts, Kill, kills, left_by

_POOL: Final = 2_000
"""States kept, at most, to be crashed again one level deeper; each holds a few KB."""

_EACH: Final = 8
"""A recovery that is run so as to be crashed is crashed so many times, where there are enough to crash."""

_LISTED: Final = 30
"""A point whose share is smaller draws from its extremes without listing them, which would cost more."""


class _Task(NamedTuple):
    """A state whose program (the commit, or a recovery) is to be crashed."""

    state: FrozenVolume
    trail: tuple[Crash | Failure, ...]
    during: Outcomes
    after: Outcomes


def explore(
    scenario: Scenario, *, budget: int, seed: int = 0, depth: int = 2, enough: int = ENOUGH
) -> Report:
    """Crashes the commit, then its recoveries, and reports what was wrong.

    Args:
        budget: how many crash states to examine at most, over all depths.
        seed: of the sampling; the same seed finds the same states if the engine is deterministic.
        depth: 1 crashes the commit only, 2 the recovery as well, 3 the recovery from that.
        enough: violations after which to stop.

    Returns: the report. ``states`` counts each state examined, ``distinct`` those that differ in depth,
        step or surviving image (names, contents, holes, marks, and what is unsynced after a kill). Equal
        images of equal history are recovered once: ``recoveries`` counts the runs.
    """
    return _Explorer(scenario, seed, enough).explore(budget, depth)


class _Explorer:
    def __init__(self, scenario: Scenario, seed: int, enough: int) -> None:
        self._scenario = scenario
        self._seed = seed
        self._enough = enough
        self._random = random.Random(seed)
        self._start = scenario.start()
        self._before = self._start.contents()
        self._report = Report(scenario.name)
        self._distinct: set[int] = set()
        self._recoveries = Recoveries(scenario)
        # Images that were judged, with their boot and the outcomes that were allowed.
        self._known: set[tuple[int, int, Outcomes]] = set()

    def explore(self, budget: int, depth: int) -> Report:
        began = time.perf_counter()
        report = self._report
        tasks = [_Task(self._start, (), EITHER, NEW)]
        for level in range(depth):
            left = (budget - report.states) // (depth - level)
            if level and len(tasks) > (most := max(1, left // _EACH)):
                tasks = self._random.sample(tasks, most)
            pool: list[_Task] = []
            seen = 0
            for number, task in enumerate(tasks):
                quota = left // (len(tasks) - number)
                if quota == 0 or len(report.wrong) >= self._enough:
                    continue
                before = report.states
                for found in self._crash(task, level, quota):
                    # A reservoir: every state found has the same chance to be crashed again.
                    seen += 1
                    if len(pool) < _POOL:
                        pool.append(found)
                    elif (place := self._random.randrange(seen)) < _POOL:
                        pool[place] = found
                left -= report.states - before
            tasks = pool
        report.distinct = len(self._distinct)
        report.recoveries = self._recoveries.count
        report.seconds = time.perf_counter() - began
        return report

    def _crash(self, task: _Task, level: int, quota: int) -> Iterator[_Task]:
        """Runs one program and examines at most ``quota`` crashes of it; yields each state left."""
        scenario, report = self._scenario, self._report
        points, final = crash_points(task.state, scenario.recover if level else scenario.run)
        if level == 0:
            report.steps = len(points) - 1
            outcomes, problem = judged(scenario, self._before, final.contents())
            if problem or not outcomes & NEW:
                problem = problem or "the commit returned, the targets are old"
                report.wrong.append(Wrong(self._seed, (), problem))
        for point, crash in self._crashes(points, level, quota):
            allowed = task.after if point.call == "end" else task.during
            if isinstance(crash, Cut) and not scenario.durable:
                allowed = EITHER
            state = left_by(point, crash)
            key = state.key()
            report.states += 1
            self._distinct.add(hash((level, point.step, isinstance(crash, Cut), key)))
            known = (key, state.boots, allowed)
            if known in self._known:
                continue
            self._known.add(known)
            found = self._recoveries.of(state)
            trail = (*task.trail, Crash(point.step, point.call, point.path, crash))
            if problem := found.wrong(allowed):
                report.wrong.append(Wrong(self._seed, trail, problem))
                if len(report.wrong) >= self._enough:
                    return
            else:
                yield _Task(state, trail, allowed, found.outcomes)

    def _crashes(
        self, points: list[CrashPoint], level: int, quota: int
    ) -> Iterator[tuple[CrashPoint, Kill | Cut]]:
        """Every crash where they fit into the quota; else a fair share for each point."""
        if quota < len(points):
            points = self._random.sample(points, quota)
        listed = [(point, list(kills(point)), Cuts(point)) for point in points]
        counts = [len(dead) + cuts.count() for _, dead, cuts in listed]
        if sum(counts) <= quota:
            if level == 0:
                self._report.exhaustive = True
            for point, dead, cuts in listed:
                yield from ((point, kill) for kill in dead)
                yield from ((point, cut) for cut in cuts.every())
            return
        # Points with few crashes leave their share to those with many.
        order = sorted(range(len(listed)), key=counts.__getitem__)
        for rank, index in enumerate(order):
            share = min(-(-quota // (len(order) - rank)), counts[index])
            quota -= share
            point = listed[index][0]
            yield from ((point, crash) for crash in self._share(*listed[index][1:], share))

    def _share(self, dead: list[Kill], cuts: Cuts, share: int) -> Iterator[Kill | Cut]:
        random_ = self._random
        if len(dead) + cuts.count() <= share:
            yield from dead
            yield from cuts.every()
            return
        # A quarter for kills, half for the extremes; the rest is sampled. Shares may be as small as one.
        killed = min(int(share / 4 + random_.random()), len(dead))
        yield from random_.sample(dead, killed)
        room = int((share - killed) * 2 / 3 + random_.random())
        extremes = list(cuts.extremes()) if share >= _LISTED else []
        if extremes and len(extremes) <= room:
            yield from extremes
            room = len(extremes)
        else:
            yield from (cuts.extreme(random_) for _ in range(room))
        yield from (cuts.sample(random_) for _ in range(share - killed - room))
