"""Chunks for models: how fast a file is cut, beside the splitters that hold the whole text in memory."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import peers
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.chunk_peers import SPLITTERS
from benchmarks.chunk_retrieval import environment
from benchmarks.edits import IN_PROCESS
from benchmarks.format_inside import COVERED
from benchmarks.measure import warm

FOLDER_NAME = "chunks"
MEMORY_MOST_BYTES = 96 << 20
LEAST_BYTES_S = 50e6

# The others take seconds for each megabyte or so.
_PART_BYTES = 10_000_000


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    return [_whole(bench, "md", "markdown"), _whole(bench, "text", "text"), _beside(bench)]


def _whole(bench: Bench, name: str, kind: str) -> Case:
    """The Markdown input, as it is or as if it were plain text."""
    given = bench.formats.markdown

    def prepare() -> None:
        given.make()
        warm(given.path)

    return Case(
        f"chunk-{name}",
        f"cut into chunks of 400 tokens as {kind}, warm",
        (_ours(given.path, given.sample, kind),),
        (Target(IN_PROCESS, least_bytes_s=LEAST_BYTES_S),),
        prepare=prepare,
        answer=lambda stdout: stdout,
        expected=COVERED,
        memory_most_bytes=MEMORY_MOST_BYTES,
        input_bytes=lambda: given.path.stat().st_size,
    )


def _beside(bench: Bench) -> Case:
    """The beginning of the same text, cut by all."""
    given = bench.formats.markdown
    home = bench.folder / FOLDER_NAME
    part = home / "part.txt"

    def prepare() -> None:
        given.make()
        environment(home)
        if not part.exists():
            with given.path.open("rb") as whole:
                part.write_bytes(whole.read(_PART_BYTES).rpartition(b"\n")[0])
        warm(part)

    others = [_peer(home, name, part) for name in SPLITTERS]
    return Case(
        "chunk-peers",
        f"cut {_PART_BYTES:,} bytes of plain text into chunks, warm",
        (_ours(part, given.sample, "text"), *others),
        (Target(IN_PROCESS, tuple(SPLITTERS), why_shown="no factor was asked for"),),
        prepare=prepare,
        answer=lambda stdout: stdout,
        expected=COVERED,
        memory_most_bytes=MEMORY_MOST_BYTES,
    )


def _ours(path: Path, sample: Path, kind: str) -> Contestant:
    return peers.inside(
        IN_PROCESS, "chunks", f"for chunk in doc.chunks(kind={kind!r})", path=path, sample=sample, kind=kind
    )


def _peer(home: Path, name: str, path: Path) -> Contestant:
    argv = (sys.executable, "-m", "benchmarks.chunk_peers", str(home / "peers"), name, str(path))
    return Contestant(name, argv, f"benchmarks/chunk_peers.py: {name}", inside=True, slow=True)
