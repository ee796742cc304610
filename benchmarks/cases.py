"""What is measured, as values: cases, who takes part in them, and what is asked of insitu."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.format_inputs import FormatInputs
from benchmarks.inputs import Log

MEMORY_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Contestant:
    """One way of doing the work.

    Args:
        name: how tables call it.
        argv: the process to run.
        shown: the command as a reader would type it.
        ours: whether it is insitu.
        inside: whether the process times the call itself, after imports and warming, and prints that.
        needs: the program, or Python package, without which it cannot run.
        slow: whether it takes so long that one timed run has to do.
    """

    name: str
    argv: tuple[str, ...]
    shown: str
    ours: bool = False
    inside: bool = False
    needs: str = ""
    slow: bool = False


@dataclass
class Measured:
    """What the runs of one contestant gave. Without seconds it did not run: ``why`` says why not."""

    contestant: Contestant
    seconds: list[float] = field(default_factory=list)
    peaks_bytes: list[int] = field(default_factory=list)
    why: str = ""
    verified: str = ""
    differs: bool = False
    notes: dict[str, float] = field(default_factory=dict)
    others: int | None = None
    """How many items it changed that it was not to change; None where nobody counted."""

    @property
    def failed(self) -> bool:
        """Whether it ran and ended with an error, as opposed to not having been run."""
        return self.why.startswith("failed")

    @property
    def median_s(self) -> float:
        """The median of the timed runs."""
        return median(self.seconds)

    @property
    def peak_bytes(self) -> int:
        """The most memory that any run took, the interpreter's or launcher's own included."""
        return max(self.peaks_bytes)


@dataclass(frozen=True)
class Target:
    """One figure asked of insitu; without a limit, a ratio that is only shown.

    Args:
        of: the contestant it is asked of.
        versus: the peers it is compared with: the fastest of them counts. Empty: a limit in seconds.
        least: how many times as fast it is to be.
        most_s: how many seconds it may take.
        least_bytes_s: how many bytes of the case's input it is to work through in a second.
        why_shown: for a ratio without a limit, why it has none.
        most_noted: what a note may be at most, and the note's name, as ``(160, "server, MiB")``.
    """

    of: str
    versus: tuple[str, ...] = ()
    least: float | None = None
    most_s: float | None = None
    least_bytes_s: float | None = None
    why_shown: str = ""
    most_noted: tuple[float, str] | None = None


@dataclass(frozen=True)
class Verdict:
    """A target with what was measured; ``met`` is None where nothing is asked, or nothing was measured."""

    text: str
    value: float | None
    met: bool | None
    why: str = ""
    versus: str = ""
    least: float | None = None
    unit: str = "s"

    @property
    def is_ratio(self) -> bool:
        """Whether the value says how many times as fast insitu is."""
        return bool(self.versus) and self.value is not None


@dataclass(frozen=True)
class Case:
    """One task that all contestants do.

    Args:
        name: short, for ``--only``.
        title: what the task is.
        prepare: run before every run, outside the timing: restores the input, warms or drops caches.
        answer: makes of a contestant's output what all contestants have to agree on.
        expected: the answer, where it is known beforehand.
        per: operations in one run; times are shown per operation.
        unmeasured: why the case cannot be measured on this machine.
        memory_most_bytes: how much memory ours may take above a bare interpreter.
        input_bytes: asked for once the input is there: what a contestant works through.
        others: counts, in the output of the run before, the items that were not to be changed and are.
        item: what such an item is called.
        install: fetches what contestants need, if the case is measured at all.
    """

    name: str
    title: str
    contestants: Sequence[Contestant]
    targets: Sequence[Target]
    prepare: Callable[[], None]
    answer: Callable[[str], str]
    expected: str | None = None
    per: int = 1
    unmeasured: str = ""
    memory_most_bytes: int = MEMORY_MOST_BYTES
    input_bytes: Callable[[], int] | None = None
    others: Callable[[], int] | None = None
    item: str = ""
    install: Callable[[], None] | None = None


@dataclass
class Result:
    """A case with what it gave."""

    case: Case
    measured: list[Measured]
    verdicts: list[Verdict]

    @property
    def sound(self) -> bool:
        """Whether no contestant of ours failed or changed what it was not to, and no output differs."""
        return not any(
            each.differs or (each.contestant.ours and (each.failed or each.others)) for each in self.measured
        )


@dataclass(frozen=True)
class Bench:
    """Where the measuring happens and on what."""

    folder: Path
    log: Log
    formats: FormatInputs


def judge(case: Case, measured: Sequence[Measured], interpreter_bytes: int) -> list[Verdict]:
    """Says of every target of the case, and of the memory all of ours took, whether it is met."""
    by_name = {each.contestant.name: each for each in measured}
    verdicts = [_verdict(target, by_name, case) for target in case.targets]
    ours = [each for each in measured if each.contestant.ours and each.seconds]
    counted = [each.others for each in ours if each.others is not None]
    if counted:
        verdicts.append(Verdict(f"other {case.item} changed", sum(counted), not any(counted), unit=case.item))
    if ours:
        most = max(each.peak_bytes for each in ours) - interpreter_bytes
        limit = case.memory_most_bytes
        text = f"at most {limit >> 20} MiB above a bare interpreter"
        verdicts.append(Verdict(text, most / (1 << 20), most <= limit, unit="MiB"))
    return verdicts


def _verdict(target: Target, by_name: Mapping[str, Measured], case: Case) -> Verdict:
    ours = by_name.get(target.of)
    text = _asked(target)
    if ours is None or not ours.seconds:
        return Verdict(text, None, None, f"{target.of}: {ours.why if ours else 'not measured'}")
    if target.most_noted is not None:
        most, note = target.most_noted
        value = ours.notes[note]
        return Verdict(text, value, value <= most, unit=note.rpartition(", ")[2])
    if target.least_bytes_s is not None:
        assert case.input_bytes is not None
        rate = case.input_bytes() / ours.median_s
        return Verdict(text, rate, rate >= target.least_bytes_s, unit="bytes/s")
    if target.most_s is not None:
        seconds = ours.median_s / case.per
        met = None if target.why_shown else seconds <= target.most_s
        return Verdict(text, seconds, met, target.why_shown)
    peers = [by_name[name] for name in target.versus if name in by_name and by_name[name].seconds]
    if not peers:
        return Verdict(text, None, None, "no peer was measured")
    best = min(peers, key=lambda peer: peer.median_s)
    ratio = best.median_s / ours.median_s
    met = None if target.least is None else ratio >= target.least
    return Verdict(text, ratio, met, target.why_shown, best.contestant.name, target.least)


def _asked(target: Target) -> str:
    if target.most_noted is not None:
        what, _, unit = target.most_noted[1].rpartition(", ")
        return f"{target.of}: {what} at most {target.most_noted[0]:g} {unit}"
    if target.least_bytes_s is not None:
        return f"{target.of}: at least {target.least_bytes_s / 1e9:g} GB/s"
    if target.most_s is not None:
        limit = target.most_s * 1e3
        amount = f"{limit:g} ms" if limit >= 1 / 10 else f"{limit * 1e3:g} us"
        return f"{target.of}: at most {amount}"
    peers = target.versus[0] if len(target.versus) == 1 else f"the fastest of {', '.join(target.versus)}"
    if target.least is None:
        return f"{target.of}: against {peers}"
    factor = "" if target.least == 1 else f"{target.least:g} times "
    return f"{target.of}: at least {factor}as fast as {peers}"
