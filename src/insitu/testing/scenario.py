"""What the crash and fault explorers examine, how they judge it, and what they report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, NamedTuple

from insitu.core.facts import Facts
from insitu.errors import InsituError
from insitu.testing.simulated import CrashPoint, Fault, FrozenVolume, SimulatedVolume
from insitu.testing.survivors import Cut, Kill, left_by

Outcomes = frozenset[Literal["old", "new"]]
OLD: Final[Outcomes] = frozenset({"old"})
NEW: Final[Outcomes] = frozenset({"new"})
EITHER: Final[Outcomes] = OLD | NEW

ENOUGH: Final = 20
"""After so many violations there is nothing to learn from more."""

Program = Callable[[SimulatedVolume], object]


def _nothing(volume: SimulatedVolume) -> None:
    """Prepares nothing."""


def _own(path: str) -> bool:
    return "/.insitu/" in path


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One commit, and how to recover from its crash.

    Args:
        name: for the report.
        files: contents by path before ``prepare``.
        results: the targets' contents after the commit; None where the target is gone then.
        facts: of the simulated storage.
        run: performs the commit; returning means that it was acknowledged.
        recover: opens the files as a new process would, so that recovery completes.
        prepare: what happened earlier (say, an older commit); all of it is durable before ``run``.
        pending: whether work is left that a completed recovery must not leave.
        own: whether a path is the engine's own, so that it may come, change and go.
        durable: whether what ``run`` returned for survives a power cut (``durability="full"``).
    """

    name: str
    files: Mapping[str, bytes]
    results: Mapping[str, bytes | None]
    facts: Facts
    run: Program
    recover: Program
    prepare: Program = _nothing
    pending: Callable[[SimulatedVolume], bool] = lambda volume: False
    own: Callable[[str], bool] = _own
    durable: bool = True

    def start(self) -> FrozenVolume:
        """The volume just before ``run``."""
        volume = SimulatedVolume(self.files, self.facts)
        self.prepare(volume)
        volume.settle()
        return volume.freeze()


class Crash(NamedTuple):
    """One crash of a trail: at which step of the commit (then: of the recovery), and what it left."""

    step: int
    call: str
    path: str
    left: Kill | Cut

    def __str__(self) -> str:
        return f"step {self.step} ({self.call} {self.path}): {self.left}"


class Failure(NamedTuple):
    """A call of the commit (then: of the recovery) failed; the process ended, the machine went on."""

    fault: Fault
    seed: int

    def __str__(self) -> str:
        return str(self.fault)


class Wrong(NamedTuple):
    """A violation with all that is needed to see it again: ``replayed(scenario, wrong.trail)``."""

    seed: int
    trail: tuple[Crash | Failure, ...]
    problem: str

    def __str__(self) -> str:
        return f"{self.problem}; seed {self.seed}; " + " | ".join(map(str, self.trail))


@dataclass(slots=True)
class Report:
    """What an exploration did and found; prints as one line of a table."""

    name: str
    steps: int = 0
    states: int = 0
    distinct: int = 0
    recoveries: int = 0
    exhaustive: bool = False
    wrong: list[Wrong] = field(default_factory=list)
    seconds: float = 0.0

    HEADER: ClassVar[str] = (
        "| scenario | steps | states | distinct | recoveries | every first crash | wrong | seconds |"
    )

    def __str__(self) -> str:
        return (
            f"| {self.name} | {self.steps} | {self.states} | {self.distinct} | {self.recoveries} "
            f"| {'yes' if self.exhaustive else 'sampled'} | {len(self.wrong)} | {self.seconds:.1f} |"
        )


def replayed(scenario: Scenario, trail: tuple[Crash | Failure, ...]) -> SimulatedVolume:
    """The volume as the last mishap of the trail left it, ready for ``scenario.recover``."""
    state, program = scenario.start(), scenario.run
    for mishap in trail:
        if isinstance(mishap, Crash):
            # Step 0 of whatever would run next is the state itself: a cut right behind a failure.
            points, _ = crash_points(state, program)
            state = left_by(points[mishap.step], mishap.left)
        else:
            state, _ = failed(state, program, mishap)
        program = scenario.recover
    return SimulatedVolume.thawed(state)


def judged(scenario: Scenario, before: Mapping[str, bytes], now: Mapping[str, bytes]) -> tuple[Outcomes, str]:
    """What the targets hold (both outcomes where old equals new), and what is wrong, or nothing."""
    old = all(now.get(path) == before.get(path) for path in scenario.results)
    new = all(now.get(path) == data for path, data in scenario.results.items())
    if not old and not new:
        return frozenset(), "the targets are neither old nor new"
    outcomes = EITHER if old and new else NEW if new else OLD
    for path in sorted(before.keys() | now.keys()):
        if path in scenario.results or scenario.own(path) or before.get(path) == now.get(path):
            continue
        return outcomes, f"{path} was {'touched' if path in before else 'left behind'}"
    return outcomes, ""


class Recovered(NamedTuple):
    """What a recovery, and one more, made of a state.

    Args:
        outcomes: what the targets hold.
        left: the volume after the first recovery.
        problem: what is wrong with it, whichever outcomes are allowed.
        steps: mutating calls that the first recovery made.
    """

    outcomes: Outcomes
    left: FrozenVolume
    problem: str
    steps: int = 0

    def wrong(self, allowed: Outcomes) -> str:
        """What is wrong where only these outcomes are allowed; empty where nothing is."""
        if self.problem or self.outcomes & allowed:
            return self.problem
        return f"the targets are {'/'.join(self.outcomes)}, but must be {'/'.join(allowed)}"


class Recoveries:
    """Recovers crash states as the scenario does, twice; each image once, and what it came to as well.

    Most crash states of a commit leave one of few images: names, contents, holes, marks, what is unsynced,
    and the boot. Inode numbers and times are left out, for recovery trusts neither.

    Attributes:
        count: recoveries that were run, of different images.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._before = scenario.start().contents()
        self._found: dict[tuple[int, int], Recovered] = {}
        self._again: dict[tuple[int, int], Recovered] = {}
        self.count = 0

    def of(self, state: FrozenVolume) -> Recovered:
        """What became of a state, now or earlier."""
        image = (state.key(), state.boots)
        found = self._found.get(image)
        if found is None:
            self.count += 1
            found = self._found[image] = self._run(state)
        return found

    def _run(self, state: FrozenVolume) -> Recovered:
        volume = SimulatedVolume.thawed(state)
        try:
            self._scenario.recover(volume)
        except Exception as error:  # whatever it raises is what was looked for
            return Recovered(frozenset(), state, f"recovery raised {error!r}")
        left = volume.freeze()
        image = (left.key(), left.boots)
        found = self._again.get(image)
        if found is None:
            found = self._again[image] = self._judged(volume, left)
        return found._replace(steps=volume.steps)

    def _judged(self, volume: SimulatedVolume, left: FrozenVolume) -> Recovered:
        """What is to be said of a recovered volume, before and after it is recovered once more."""
        contents = left.contents()
        outcomes, problem = judged(self._scenario, self._before, contents)
        if not problem and self._scenario.pending(volume):
            problem = "something is still pending"
        if not problem:
            again = SimulatedVolume.thawed(left)
            try:
                self._scenario.recover(again)
            except Exception as error:
                problem = f"a second recovery raised {error!r}"
            else:
                changed = again.contents() != contents
                problem = "a second recovery changed something" if changed else ""
        return Recovered(outcomes, left, problem)


def crash_points(state: FrozenVolume, program: Program) -> tuple[list[CrashPoint], SimulatedVolume]:
    """Runs a program without a crash: a point before each step, one after the last."""
    volume = SimulatedVolume.thawed(state)
    volume.record()
    program(volume)
    points = volume.points or []
    points.append(CrashPoint(len(points), "end", "", volume.freeze()))
    return points, volume


def failed(
    state: FrozenVolume, program: Program, failure: Failure
) -> tuple[FrozenVolume, InsituError | None]:
    """Runs a program in which calls fail; returns what it left and what it raised."""
    volume = SimulatedVolume.thawed(state, fault=failure.fault, seed=failure.seed)
    try:
        program(volume)
    except InsituError as error:
        return volume.freeze(), error
    return volume.freeze(), None
