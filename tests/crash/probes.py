"""What finds a mutated engine wrong: short commits under the crash explorer and the fault explorer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product

import pytest

from insitu.core.facts import Facts
from insitu.core.plan import Segment
from insitu.core.policy import Durability, Policy
from insitu.core.spans import Span
from insitu.core.steps import Place, Resize
from insitu.engine.recover import pending
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.engine.undo import undo
from insitu.errors import InsituError, InternalError, NoPlanError, RecoveryNeededError, StorageError
from insitu.planners import choose
from insitu.planners import overwrite as overwriting
from insitu.planners import shift as shifting
from insitu.testing.crashes import explore
from insitu.testing.faults import faults
from insitu.testing.scenario import EITHER, Failure, Recoveries, Scenario, crash_points, failed, judged
from insitu.testing.simulated import CrashPoint, Fault, FrozenVolume, SimulatedVolume
from insitu.testing.survivors import Cut, Cuts, Kill, kills, left_by
from tests.crash.commits import ABLE, BASE, PATH, patch, scenario

Probe = Callable[[], list[str]]

_SHORT = BASE[:24]
_LONG = BASE + BASE[:32]
_MODE = 0o100644

# Collapsing and inserting ranges have scenarios of their own; without them a shift takes the long way.
_MARKING = replace(ABLE, ranges=False)
_KEEPING = Policy(history=3)


def checked(base: Scenario, *, kept: bool = True) -> Scenario:
    """The scenario, held to more: nothing left to do, no mark, the old owner, and an undo that works."""
    before = base.start().contents()[PATH]

    def unfinished(volume: SimulatedVolume) -> bool:
        site = Site.of(volume, PATH)
        file = site.open()
        status, mark = file.stat(), file.mark()
        file.close()
        if pending(site) or mark is not None or (status.mode, status.uid) != (_MODE, 1000):
            return True
        now = volume.contents()[PATH]
        return kept and now == base.results[PATH] and now != before and _undone(volume) != before

    return replace(base, pending=unfinished)


def _undone(volume: SimulatedVolume) -> bytes | str:
    """What an undo makes of the file; or the name of the error that it ends with."""
    copy = SimulatedVolume.thawed(volume.freeze())
    site = Site.of(copy, PATH)
    try:
        with writing(site, _KEEPING, 0) as held:
            undo(site, held.target, _KEEPING, None, 0.0).carry_out()
    except InsituError as error:
        return error.code
    return copy.contents()[PATH]


def _scenario(
    planner: str,
    base: bytes,
    *edits: tuple[int, int, bytes],
    facts: Facts = _MARKING,
    history: int = 0,
    durability: Durability = "full",
) -> Scenario:
    policy = Policy(history=history, planner=planner, durability=durability)
    return checked(scenario(planner, base, patch(base, *edits), facts=facts, policy=policy), kept=history > 0)


OVERWRITE = _scenario("overwrite", _SHORT, (3, 6, b"xyz"), (18, 20, b"__"))
GROWING = _scenario("overwrite", _SHORT, (18, 19, b"longer than it was"))
FAST = _scenario("overwrite", _SHORT, (3, 6, b"xyz"), (18, 20, b"__"), durability="fast")
FAST_CLOSED = replace(
    FAST, name="fast, closed", run=lambda volume: (FAST.run(volume), FAST.recover(volume))[0], durable=True
)
SHIFT = _scenario("shift", _LONG[:40], (10, 10, b"R" * 24))
LONG_SHIFT = _scenario("shift", _LONG, (5, 5, b"+++"))
LEFT = _scenario("shift", _LONG, (7, 39, b""))
INSERT = _scenario("blocks", BASE, (11, 11, b"I" * 16), facts=ABLE)
COLLAPSE = _scenario("blocks", _LONG, (11, 27, b""), facts=ABLE)
REWRITE = _scenario("rewrite", _SHORT, (5, 9, b"rewritten"), history=3)
REWRITE_BARE = _scenario("rewrite", _SHORT, (5, 9, b"rewritten"))


def _crashed(subject: Scenario, budget: int = 2_000, depth: int = 2, seeds: int = 1) -> list[str]:
    """What is wrong first; where few states show a mistake, several samples are looked at."""
    for seed in range(seeds):
        if wrong := explore(subject, budget=budget, seed=seed, depth=depth, enough=1).wrong:
            return list(map(str, wrong))
    return []


def _killed(subject: Scenario) -> list[str]:
    """Kills the commit before each step, then cuts the power before each step of the recovery."""
    points, _ = crash_points(subject.start(), subject.run)
    recoveries = Recoveries(subject)
    for point in points:
        for problem in _cut_short(subject, recoveries, left_by(point, Kill())):
            return [f"{point.call} {point.path}, then {problem}"]
    return []


def _unsynced(subject: Scenario) -> list[str]:
    """Fails each sync of the commit, then of its recovery; cuts the power in the recovery that follows."""
    points, _ = crash_points(subject.start(), subject.run)
    recoveries = Recoveries(subject)
    for state, program in ((subject.start(), subject.run), (points[-1].state, subject.recover)):
        _, healthy = crash_points(state, program)
        for index, seed in product(range(healthy.calls.get("sync", 0)), range(2)):
            failure = Failure(Fault(error="io", call="sync", index=index), seed)
            left, _ = failed(state, program, failure)
            for problem in _cut_short(subject, recoveries, left):
                return [f"{failure}, then {problem}"]
    return []


def _cut_short(subject: Scenario, recoveries: Recoveries, state: FrozenVolume) -> Iterator[str]:
    """Cuts the power before each step of a recovery, and after the last; yields what is wrong then."""
    before = subject.start().contents()
    points, final = crash_points(state, subject.recover)
    outcomes, problem = judged(subject, before, final.contents())
    if problem:
        yield problem
    for point in points:
        allowed = outcomes if point.call == "end" else EITHER
        for cut in islice(Cuts(point).extremes(), 6):
            if problem := recoveries.of(left_by(point, cut)).wrong(allowed):
                yield f"{point.call} {point.path}: {problem}, {cut}"


def _failed(subject: Scenario) -> list[str]:
    return [str(wrong) for wrong in faults(subject, budget=500, enough=1).wrong]


def overwrite() -> list[str]:
    return _crashed(OVERWRITE)


def fast() -> list[str]:
    return _crashed(FAST) or _crashed(FAST_CLOSED, depth=1)


def fast_failing_syncs() -> list[str]:
    return _unsynced(FAST)


def shift() -> list[str]:
    return _crashed(SHIFT)


def many_segments() -> list[str]:
    return _crashed(LONG_SHIFT, budget=4_000)


def insert() -> list[str]:
    return _crashed(INSERT, budget=4_000, depth=3)


def collapse() -> list[str]:
    return _crashed(COLLAPSE, budget=4_000, depth=3)


def overwrite_recovery() -> list[str]:
    return _killed(OVERWRITE)


def rewrite_recovery() -> list[str]:
    return _killed(REWRITE) + _killed(REWRITE_BARE)


def rewrite() -> list[str]:
    return _crashed(REWRITE)


def overwrite_faults() -> list[str]:
    return _failed(OVERWRITE)


def growing_faults() -> list[str]:
    return _failed(GROWING)


def shift_faults() -> list[str]:
    return _failed(SHIFT)


def shift_recovery() -> list[str]:
    return _killed(SHIFT) or _unsynced(SHIFT)


def left_faults() -> list[str]:
    return _failed(LEFT)


def insert_faults() -> list[str]:
    return _failed(INSERT)


def rewrite_faults() -> list[str]:
    return _failed(REWRITE)


def large_atoms() -> list[str]:
    """Atoms in which two slots would have room."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(shifting, "SEGMENT_BYTES", 128)
        base = _LONG * 6
        facts = replace(_MARKING, atom_bytes=128)
        return _crashed(_scenario("shift", base, (10, 10, b"R" * 128), facts=facts), budget=4_000)


def sparse_insert() -> list[str]:
    """Inserting a range before a hole, which could not be told from the frontier of a half-done insert."""
    base = BASE[:24] + bytes(8) + BASE[32:]

    def prepare(volume: SimulatedVolume) -> None:
        file = volume.open(PATH, write=True)
        file.punch(Span(24, 32))
        file.close()

    made = replace(_scenario("blocks", base, (11, 11, b"I" * 16), facts=ABLE), prepare=prepare)
    try:
        return _crashed(made, budget=4_000)
    except NoPlanError:
        return []


class _Overlapping(shifting.Right):
    """Places the whole body at once, over what it is read from."""

    def segments(self) -> Iterator[Segment]:
        yield (Resize(self.result_size),)
        body = Span(self.edge.stop, self.result_size)
        yield (Place(body, body.start),)
        yield from self._place_edge()


class _Narrow(overwriting.Overwrite):
    """Covers and places the changed bytes alone, not the atoms they share."""

    def covers(self) -> Iterator[Span]:
        for block in self.splices.blocks():
            yield from (Span(start, block.stop(i)) for i, start in enumerate(block.starts))

    def segments(self) -> Iterator[Segment]:
        yield tuple(Place(span, span.start) for span in self.covers())


def overlapping() -> list[str]:
    """A plan that is right if nothing happens, and reads what it writes."""
    with pytest.MonkeyPatch.context() as wrong:
        wrong.setitem(shifting.PROGRAMS, "right", _Overlapping)
        wrong.setitem(choose.PROGRAMS, ("shift", "right"), _Overlapping)
        return _refused_or_wrong(SHIFT)


def sharing_atoms() -> list[str]:
    """A plan whose writes share atoms with bytes that nothing saves."""
    with pytest.MonkeyPatch.context() as wrong:
        wrong.setattr(overwriting, "Overwrite", _Narrow)
        wrong.setitem(choose.PROGRAMS, ("overwrite", "atoms"), _Narrow)
        return _refused_or_wrong(OVERWRITE)


def _refused_or_wrong(subject: Scenario) -> list[str]:
    start = subject.start()
    volume = SimulatedVolume.thawed(start)
    try:
        subject.run(volume)
    except InternalError:
        touched = volume.contents() != start.contents()
        return ["the plan was refused, but something was touched"] if touched else []
    return _crashed(subject)


def rolling_back() -> list[str]:
    """Crashes a commit that is being rolled back: once the abort record is durable, the file is old."""
    start = OVERWRITE.start()
    clean, _ = crash_points(start, OVERWRITE.run)
    last = [point for point in clean if point.call == "write" and point.path == PATH][-1]
    fault = Fault(error="io", call="write", index=sum(p.call == "write" for p in clean[: last.step]))
    volume = SimulatedVolume.thawed(start, fault=fault)
    volume.record()
    try:
        OVERWRITE.run(volume)
    except StorageError as error:
        if error.file_state != "old":
            return [f"the failed commit was not rolled back: {error!r}"]
    points = volume.points or []
    # The failing write, the abort record, its sync: from the next step on.
    aborted = points[last.step + 3 :]
    problems = []
    for point in aborted:
        for crash in _crashes(point):
            crashed = SimulatedVolume.thawed(left_by(point, crash))
            try:
                OVERWRITE.recover(crashed)
            except InsituError as error:
                problems.append(f"{point.call} {point.path}, {crash}: {error!r}")
                continue
            if crashed.contents()[PATH] != _SHORT:
                problems.append(f"{point.call} {point.path}, {crash}: went forward")
    return problems if aborted else ["nothing was rolled back"]


def _crashes(point: CrashPoint) -> Iterator[Kill | Cut]:
    yield from kills(point)
    yield from islice(Cuts(point).extremes(), 40)


def moved_away() -> list[str]:
    """Moves the target away from its state after each kill, of the commit and of its recovery."""
    base = scenario(
        "moved away", _LONG[:64], patch(_LONG[:64], (10, 10, b"R" * 24)), facts=_MARKING,
        policy=Policy(history=0, planner="shift"),
    )  # fmt: skip
    base = replace(base, files={**base.files, "/e/x": b""})
    problems = []
    points, _ = crash_points(base.start(), base.run)
    for point in points:
        again, _ = crash_points(point.state, base.recover)
        for second in again:
            problem = _believed(second.state, (_LONG[:64], base.results[PATH]))
            if problem:
                problems.append(f"{point.call} {point.path}, then {second.call} {second.path}: {problem}")
    return problems


def _believed(state: FrozenVolume, whole: tuple[bytes | None, ...]) -> str:
    volume = SimulatedVolume.thawed(state)
    volume.rename(PATH, "/e/f")
    try:
        with writing(Site.of(volume, "/e/f"), Policy(), 0):
            pass
    except RecoveryNeededError:
        return ""
    return "" if volume.contents()["/e/f"] in whole else "a half-moved file is read as truth"
