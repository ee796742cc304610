"""Scanning: counting lines, finding. Ours is timed in process with a warm cache, peers as whole commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from benchmarks import peers
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.edits import COMMAND, IN_PROCESS
from benchmarks.inputs import ALTERNATION, DIGITS_AFTER_LITERAL, DIGITS_IN_MIDDLE, RARE
from benchmarks.measure import warm

FAST = "insitu, in process, fast extra"
PLAIN = "insitu, in process, RE2 alone"


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    return [
        _index(bench),
        _find(bench),
        _regex(
            bench, "find-digits-after-literal", "find a literal, then digits", DIGITS_AFTER_LITERAL, 0.7, 0.7
        ),
        _regex(bench, "find-digits-in-middle", "find digits in the middle", DIGITS_IN_MIDDLE, 0.7, 0.7),
        _regex(bench, "find-words", "find one of four words", ALTERNATION, 0.25, 0.6),
    ]


def forget_state(bench: Bench) -> None:
    """Removes what insitu keeps beside the input, and warms the page cache."""
    shutil.rmtree(bench.log.path.parent / ".insitu", ignore_errors=True)
    warm(bench.log.path)


def _case(
    bench: Bench, name: str, title: str, contestants: Iterable[Contestant], targets: Iterable[Target]
) -> Case:
    return Case(
        name,
        title,
        tuple(contestants),
        tuple(targets),
        prepare=lambda: forget_state(bench),
        answer=_count,
    )


def _count(stdout: str) -> str:
    """The count in what a tool says: ``wc`` adds the name of the file, JSON has it among other things."""
    if stdout.startswith("{"):
        return str(json.loads(stdout)["lines"])
    return stdout.strip().partition(" ")[0]


def _index(bench: Bench) -> Case:
    path, sample = bench.log.path, bench.log.sample
    contestants = (
        peers.inside(IN_PROCESS, "index", "doc.line_index()", path=path, sample=sample),
        peers.insitu(COMMAND, path, "index", "--json"),
        peers.program(peers.WC, path, "wc", "-l"),
    )
    targets = [Target(IN_PROCESS, (peers.WC,), least=1)]
    return _case(bench, "index", "count lines: build the line index, warm", contestants, targets)


def _find(bench: Bench) -> Case:
    path, sample = bench.log.path, bench.log.sample
    shown = f"doc.count({RARE!r})"
    contestants = (
        peers.inside(
            IN_PROCESS, "count", shown, path=path, sample=sample, pattern=RARE, regex=False, fast=True
        ),
        peers.insitu(COMMAND, path, "find", RARE, "--count"),
        peers.program(peers.RG, path, "rg", "--no-config", "-c", "-F", RARE),
    )
    targets = [Target(IN_PROCESS, (peers.RG,), least=1)]
    return _case(bench, "find-literal", "count a literal, warm, 1 line in 1,000", contestants, targets)


def _regex(bench: Bench, name: str, title: str, pattern: str, plain: float, fast: float) -> Case:
    path, sample = bench.log.path, bench.log.sample
    shown = f"doc.count({pattern!r}, regex=True)"
    arguments: dict[str, Any] = {"path": path, "sample": sample, "pattern": pattern, "regex": True}
    contestants = [peers.inside(PLAIN, "count", shown, **arguments, fast=False)]
    targets = [Target(PLAIN, (peers.RG,), least=plain)]
    if find_spec("hyperscan"):
        contestants.append(peers.inside(FAST, "count", shown, **arguments, fast=True))
        targets.append(Target(FAST, (peers.RG,), least=fast))
    contestants += [
        peers.insitu(COMMAND, path, "find", pattern, "--regex", "--count"),
        peers.program(peers.RG, path, "rg", "--no-config", "-c", pattern),
    ]
    return _case(bench, name, f"{title}, warm: {pattern}", contestants, targets)
