"""Measures insitu beside its peers: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks import agents, chunk_cases, edits, format_cases, inputs, machine, plot, reads, report, scans
from benchmarks.cases import Bench, Case
from benchmarks.format_inputs import format_inputs
from benchmarks.measure import BYTECODE, ROOT, bare_interpreter, measure

RUNS = Path(__file__).with_name("runs")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
SIZE_LEAST = 4_000_000
# The inputs (log, CSV, JSON Lines, Markdown), a copy, what a peer writes beside it, what is kept for undo.
SPACE_FACTOR = 6


def main() -> int:
    """Runs the benchmarks; 1 if something of ours failed or an output was wrong, however fast: else 0."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix=".bench-", dir=ROOT))
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    made_here = arguments.folder is None
    if made_here:
        (folder / ".gitignore").write_text("*\n", "utf-8")
    try:
        return _bench(arguments, folder)
    finally:
        for name in (edits.FOLDER_NAME, chunk_cases.FOLDER_NAME, agents.FOLDER_NAME):
            shutil.rmtree(folder / name, ignore_errors=True)
        if arguments.keep:
            print(f"kept {folder}", file=sys.stderr)
        elif made_here:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            for name in (inputs.FOLDER_NAME, inputs.SAMPLE_NAME, BYTECODE):
                shutil.rmtree(folder / name, ignore_errors=True)


def _bench(arguments: argparse.Namespace, folder: Path) -> int:
    load_before = machine.load()
    free = shutil.disk_usage(folder).free
    if free < arguments.size * SPACE_FACTOR:
        sys.exit(
            f"benchmarks: {arguments.size * SPACE_FACTOR:,.0f} bytes are needed there, {free:,} are free"
        )
    _tell(f"making {arguments.size:,} bytes of log")
    bench = Bench(folder, inputs.make(folder, arguments.size), format_inputs(folder, arguments.size))
    parts = (edits, scans, reads, format_cases, chunk_cases, agents)
    cases = _chosen([case for part in parts for case in part.cases(bench)], arguments.only)
    bare = bare_interpreter(folder)
    results = []
    for case in cases:
        results.append(measure(case, arguments.runs, folder, bare.peak_bytes, _tell))
        _tell("")
        print(report.table(results[-1], bare.peak_bytes), end="\n\n", flush=True)
    made = report.Report(
        date=date.today().isoformat(),
        machine=machine.machine(folder),
        versions=machine.versions(),
        size=bench.log.size,
        lines=bench.log.line_count(),
        runs=arguments.runs,
        load_before=load_before,
        interpreter_bytes=bare.peak_bytes,
        interpreter_s=bare.seconds,
        results=results,
    )
    end = f"{report.heading(made)}\n\n{report.summary(made)}"
    print(end)
    tables = "\n\n".join(report.table(result, bare.peak_bytes) for result in results)
    target = arguments.output or RUNS / _name(made, arguments)
    report.write(made, target, f"{tables}\n\n{end}")
    if no_plot := plot.draw(made, target):
        print(no_plot)
    print(f"written to {target}")
    return 0 if made.sound else 1


def _chosen(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    chosen = [case for case in cases if not only or any(part in case.name for part in only)]
    if not chosen:
        sys.exit(f"benchmarks: no case is called so; there are {', '.join(case.name for case in cases)}")
    return chosen


def _name(made: report.Report, arguments: argparse.Namespace) -> str:
    """Date, machine and, where it was not the whole run, what was left out."""
    parts = [made.date, machine.slug(made.machine), f"{round(arguments.size / 10**6)}mb", *arguments.only]
    return "-".join(parts)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)B?", text.upper())
    if not match:
        raise argparse.ArgumentTypeError("for example 64M or 2G (powers of 1000)")
    size = round(float(match[1]) * UNITS[match[2]])
    if size < SIZE_LEAST:
        raise argparse.ArgumentTypeError(f"at least {SIZE_LEAST:,} bytes, or there is nothing to find")
    return size


def _runs(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="insitu beside its peers.")
    parser.add_argument("--size", type=_size, default="2G", help="size of the input; 2G unless given")
    parser.add_argument("--runs", type=_runs, default="5", help="timed runs of each; 5 unless given")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="cases whose name holds this; repeatable"
    )
    parser.add_argument(
        "--folder", type=Path, help="where to work; else a temporary folder in the working tree"
    )
    parser.add_argument("--keep", action="store_true", help="keep the input for the next time")
    parser.add_argument(
        "--output", type=Path, help="where results go; else benchmarks/runs/DATE-MACHINE-SIZE"
    )
    return parser.parse_args()


def _tell(message: str) -> None:
    """Says on a terminal what is being done, on a line that the next message takes."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
