"""Reading: a line by its number, many small pieces at random places, and the help text."""

from __future__ import annotations

from typing import Any

from benchmarks import peers
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.edits import COMMAND, IN_PROCESS
from benchmarks.measure import cannot_drop_caches, drop_caches
from benchmarks.scans import forget_state

LINE_MOST = 10_000_000
WARM_READS = 100_000
COLD_READS = 10_000
SEED = 1

SED_LINE = "sed -n Np"
TAIL_LINE = "tail -n +N | head -n 1"
SEEK = "seek and read"
PREAD = "os.pread"
HELP_MOST_S = 0.15


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    return [_line(bench), _random_warm(bench), _random_cold(bench), _help()]


def _line(bench: Bench) -> Case:
    path, sample = bench.log.path, bench.log.sample
    number = min(LINE_MOST, bench.log.line_count() // 2)
    shown = f"doc.lines[{number - 1}], indexed"
    head = f'tail -n +{number} "$1" | head -n 1'
    contestants = (
        peers.inside(IN_PROCESS, "line", shown, path=path, sample=sample, number=number),
        peers.insitu("insitu, command, no index", path, "read", "--lines", str(number)),
        peers.program(SED_LINE, path, "sed", "-n", f"{number}{{p;q}}"),
        peers.script(TAIL_LINE, path, head, "tail"),
    )
    targets = (
        Target(IN_PROCESS, most_s=0.002),
        Target(IN_PROCESS, (SED_LINE, TAIL_LINE), why_shown="the peers have no index"),
    )
    return Case(
        "line",
        f"read line {number:,}, warm",
        contestants,
        targets,
        prepare=lambda: forget_state(bench),
        answer=lambda stdout: stdout.rstrip("\n"),
    )


def _random_warm(bench: Bench) -> Case:
    return Case(
        "reads-warm",
        f"{WARM_READS:,} random reads of 100 bytes, warm, each",
        _readers(bench, WARM_READS),
        (
            Target(IN_PROCESS, most_s=1.5e-6),
            Target(IN_PROCESS, (SEEK, PREAD), why_shown="no limit was set"),
        ),
        prepare=lambda: forget_state(bench),
        answer=lambda stdout: stdout,
        per=WARM_READS,
    )


def _random_cold(bench: Bench) -> Case:
    return Case(
        "reads-cold",
        f"{COLD_READS:,} random reads of 100 bytes, caches dropped, each",
        _readers(bench, COLD_READS),
        (
            Target(IN_PROCESS, (SEEK,), least=4),
            Target(IN_PROCESS, (PREAD,), why_shown="no limit was set"),
        ),
        prepare=drop_caches,
        answer=lambda stdout: stdout,
        per=COLD_READS,
        unmeasured=cannot_drop_caches(),
    )


def _readers(bench: Bench, reads: int) -> tuple[Contestant, ...]:
    arguments: dict[str, Any] = {
        "path": bench.log.path,
        "sample": bench.log.sample,
        "reads": reads,
        "seed": SEED,
    }
    return (
        peers.inside(IN_PROCESS, "read_many", "doc.read_many(offsets, 100)", **arguments),
        peers.inside(SEEK, "seek_and_read", "file.seek(offset); file.read(100)", ours=False, **arguments),
        peers.inside(PREAD, "pread", "os.pread(descriptor, 100, offset)", ours=False, **arguments),
    )


def _help() -> Case:
    return Case(
        "help",
        "insitu --help",
        (peers.insitu(COMMAND, None, "--help"),),
        (Target(COMMAND, most_s=HELP_MOST_S),),
        prepare=lambda: None,
        answer=lambda stdout: "says how it is used" if "Usage:" in stdout else stdout[:80],
        expected="says how it is used",
    )
