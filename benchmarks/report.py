"""Says what was measured: a table for people, JSON with every single run for whoever wants to check."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Measured, Result, Verdict

SCHEMA_VERSION = 1
# Whole commands are compared: below this the start of an interpreter outweighs the work.
TARGETS_FROM_BYTES = 1_900_000_000
_NAME_WIDTH = 32
_MIB = 1 << 20


@dataclass(frozen=True)
class Report:
    """A whole run of the benchmarks."""

    date: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    size: int
    lines: int
    runs: int
    load_before: float
    interpreter_bytes: int
    interpreter_s: float
    results: Sequence[Result]

    @property
    def sound(self) -> bool:
        """Whether everything of ours ran and every output agreed."""
        return all(result.sound for result in self.results)


def heading(report: Report) -> str:
    """What was measured on, in a few lines."""
    machine = report.machine
    used = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    lines = [
        f"{report.size:,} bytes, {report.lines:,} lines; {report.date}",
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, "
        f"{machine['system']}, {machine['file_system']}",
        used,
        f"medians of {report.runs} runs (fastest .. slowest); memory: most of any run, above the "
        f"{_mib(report.interpreter_bytes)} of a bare interpreter",
        f"a bare interpreter starts in {duration(report.interpreter_s)}",
    ]
    if report.size < TARGETS_FROM_BYTES:
        lines.append("NOTE: the targets are meant for 2 GB; on small files starting a process decides")
    if report.load_before > int(machine["cores"]) / 2:
        lines.append(f"NOTE: the machine was busy when this began (load {report.load_before:.1f})")
    return "\n".join(lines)


def table(result: Result, interpreter_bytes: int) -> str:
    """One case: who took part and how long it took, then the targets."""
    ours = next((each for each in result.measured if each.contestant.ours and each.seconds), None)
    lines = [f"{result.case.name}: {result.case.title}"]
    lines += [_row(each, ours, result.case, interpreter_bytes) for each in result.measured]
    lines += [f"  > {_said(verdict)}" for verdict in result.verdicts]
    return "\n".join(lines)


def summary(report: Report) -> str:
    """How many targets were met, which were not, and what could not be measured or went wrong."""
    verdicts = [(result, verdict) for result in report.results for verdict in result.verdicts]
    asked = [verdict for _, verdict in verdicts if verdict.met is not None]
    lines = [f"{sum(verdict.met is True for verdict in asked)} of {len(asked)} targets met"]
    lines += [
        f"  {result.case.name}: {_said(verdict)}" for result, verdict in verdicts if verdict.met is False
    ]
    lines += [
        f"  {result.case.name}: {_said(verdict)}" for result, verdict in verdicts if verdict.value is None
    ]
    for result in report.results:
        for each in result.measured:
            if each.why:
                lines.append(f"  {result.case.name}: {each.contestant.name}: {each.why}")
            if each.differs:
                lines.append(f"  {result.case.name}: {each.contestant.name}: {each.verified}")
    return "\n".join(lines)


def write(report: Report, folder: Path, text: str) -> None:
    """Writes ``results.json`` and ``table.txt`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(_as_dict(report), indent=1) + "\n", "utf-8")
    (folder / "table.txt").write_text(text + "\n", "utf-8")


def duration(seconds: float) -> str:
    """A time with three digits and the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:#.3g}".removesuffix(".") + f" {unit}"
    raise AssertionError("unreachable")


def times(ratio: float) -> str:
    """A ratio with three digits."""
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.3g}x"


def rate(bytes_s: float) -> str:
    """A speed in the unit that suits it."""
    return f"{bytes_s / 1e9:.2f} GB/s" if bytes_s >= 1e9 else f"{bytes_s / 1e6:.0f} MB/s"


_SHOWN: dict[str, Callable[[float], str]] = {"s": duration, "MiB": "{:.1f} MiB".format, "bytes/s": rate}


def _mib(size: float) -> str:
    return f"{size / _MIB:.0f} MiB"


def _row(each: Measured, ours: Measured | None, case: Case, interpreter_bytes: int) -> str:
    per = case.per
    name = f"  {each.contestant.name:{_NAME_WIDTH}}"
    if not each.seconds:
        return f"{name} {each.why}"
    low, high = duration(min(each.seconds) / per), duration(max(each.seconds) / per)
    above = f"{max(0, each.peak_bytes - interpreter_bytes) / _MIB:6.0f} MiB"
    ratio = "" if ours is None or each is ours else f"{times(each.median_s / ours.median_s)} our time"
    columns = f"{duration(each.median_s / per):>9}  ({low} .. {high})"
    notes = [each.verified, *_noted(each)]
    if each.others is not None:
        notes.append(f"changed {each.others:,} other {case.item}")
    if case.input_bytes is not None and each.contestant.inside:
        notes.append(rate(case.input_bytes() / each.median_s))
    return f"{name} {columns:38} {above}  {ratio:16} {'; '.join(filter(None, notes))}".rstrip()


def _noted(each: Measured) -> Iterator[str]:
    for key, value in each.notes.items():
        what, _, unit = key.rpartition(", ")
        yield f"{what}: {duration(value) if unit == 's' else f'{value:.0f} {unit}'}"


def _said(verdict: Verdict) -> str:
    if verdict.value is None:
        return f"{verdict.text}: not measured ({verdict.why})"
    if verdict.is_ratio:
        value = times(verdict.value)
        if "fastest of" in verdict.text:
            value += f" ({verdict.versus})"
    else:
        value = _SHOWN.get(verdict.unit, "{:,.0f}".format)(verdict.value)
    if verdict.met is None:
        return f"{verdict.text}: {value}" + (f" ({verdict.why})" if verdict.why else "")
    return f"{verdict.text}: {value}, {'met' if verdict.met else 'MISSED'}"


def _as_dict(report: Report) -> dict[str, Any]:
    plain = {key: value for key, value in vars(report).items() if key != "results"}
    return {"schema_version": SCHEMA_VERSION, **plain, "cases": [_case(result) for result in report.results]}


def _case(result: Result) -> dict[str, Any]:
    contestants = [
        {
            "name": each.contestant.name,
            "command": each.contestant.shown,
            "ours": each.contestant.ours,
            "timed": "inside" if each.contestant.inside else "whole command",
            "seconds": each.seconds,
            "peaks_bytes": each.peaks_bytes,
            "verified": each.verified,
            "differs": each.differs,
            "why_not": each.why,
            "notes": each.notes,
            "others_changed": each.others,
        }
        for each in result.measured
    ]
    case = result.case
    verdicts = [asdict(verdict) for verdict in result.verdicts]
    return {
        "name": case.name, "title": case.title, "operations_per_run": case.per,
        "contestants": contestants, "targets": verdicts,
    }  # fmt: skip
