"""Editing: overwrite, insert, delete, replace. Every run starts on a fresh copy of the input."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.inputs import EVERY_LINE, RARE
from benchmarks.measure import digest, fresh_copy, run

FOLDER_NAME = "edited"
OVERWRITTEN_BYTES = 100
OVERWRITES = 12  # in one process: the first loads what it needs, the median is that of the others
INSERTIONS = 10_000
DRAFT_LEAST = 0.667  # at most 1.5 times the time
LATE = 0.99
FALLOC_FL_COLLAPSE_RANGE = 0x08  # Source: linux/falloc.h

IN_PROCESS = "insitu, in process"
COMMAND = "insitu, command"
PWRITE = "pwrite, no crash safety"


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    return [
        _overwrite(bench),
        _insert(bench, "insert-middle", "insert one line in the middle, durable", 0.5),
        _insert(bench, "insert-late", "insert one line at 99 % of the file, durable", LATE),
        _draft(bench),
        _delete_half(bench),
        _delete_blocks(bench),
        _replace(bench, "replace-same", "replace a literal, same size, 1 line in 1,000", RARE, "NEW_HOST", 6),
        _replace(
            bench, "replace-longer", "replace a literal, longer, 1 line in 1,000", RARE, "FORMER_HOST", 1.5
        ),
        _replace(bench, "replace-every-same", "replace in every line, same size", EVERY_LINE, "answer=", 1),
        _replace(
            bench, "replace-every-longer", "replace in every line, longer", EVERY_LINE, "http_status=", 1
        ),
    ]


def _edited(bench: Bench) -> Path:
    return bench.folder / FOLDER_NAME / "log"


def _case(
    bench: Bench, name: str, title: str, contestants: Iterable[Contestant], targets: Iterable[Target]
) -> Case:
    path = _edited(bench)
    return Case(
        name,
        title,
        tuple(contestants),
        tuple(targets),
        prepare=lambda: fresh_copy(bench.log.path, path),
        answer=lambda _: digest(path),
    )


def _overwrite(bench: Bench) -> Case:
    path = _edited(bench)
    line = bench.log.line_near(bench.log.size // 2, OVERWRITTEN_BYTES + 1)
    text, other = "x" * OVERWRITTEN_BYTES, "y" * OVERWRITTEN_BYTES
    place = f"{line.offset}:{line.offset + OVERWRITTEN_BYTES}"
    call = "insitu.write(FILE, START, STOP, TEXT)"
    arguments: dict[str, Any] = {
        "path": path,
        "offset": line.offset,
        "text": text,
        "other": other,
        "edits": OVERWRITES,
    }
    contestants = (
        peers.inside(IN_PROCESS, "overwrite", call, **arguments),
        peers.insitu(COMMAND, path, "write", "--bytes", place, "--text", text, "--exact"),
        peers.sed(path, f"{line.number}c\\{text}"),
        peers.inside(PWRITE, "pwrite", "os.pwrite; os.fdatasync", ours=False, **arguments),
    )
    targets = (Target(IN_PROCESS, most_s=0.002), Target(COMMAND, (peers.SED,), least=20))
    return _case(bench, "overwrite", "overwrite 100 bytes in the middle, durable", contestants, targets)


def _insert(bench: Bench, name: str, title: str, share: float) -> Case:
    path = _edited(bench)
    line = bench.log.line_near(int(bench.log.size * share))
    text = "a new line, " + "x" * 88
    by_line = "insitu, by line number"
    contestants = [
        peers.insitu(COMMAND, path, "insert", "--at", str(line.offset), "--exact", "--text", text + "\n"),
        peers.insitu(by_line, path, "insert", "--before-line", str(line.number), "--text", text),
        peers.sed(path, f"{line.number}i\\{text}"),
        peers.rewrite(path, line.offset, text + "\n"),
    ]
    late = share == LATE
    targets = [
        Target(COMMAND, (peers.SED,), least=20 if late else 8),
        Target(COMMAND, (peers.REWRITE,), least=None if late else 4, why_shown="no limit was set" * late),
        Target(
            by_line, (peers.SED,), why_shown="no index is kept yet: the lines before it are counted first"
        ),
    ]
    return _case(bench, name, title, contestants, targets)


def _draft(bench: Bench) -> Case:
    path, sample = _edited(bench), bench.folder / FOLDER_NAME / "sample"
    at_once, each = f"insitu, draft of {INSERTIONS:,}", f"insitu, {INSERTIONS:,} saves"
    single = "insitu, one at the front"
    commit = "insitu.open(FILE, draft=True).commit()"
    given: dict[str, Any] = {"path": path, "sample": sample}
    drafted: dict[str, Any] = {**given, "insertions": INSERTIONS, "seed": 7}
    contestants = (
        peers.inside(
            at_once, "draft", f"{INSERTIONS:,} x doc.insert; doc.save_draft(); {commit}", **drafted, saves=1
        ),
        peers.inside(
            each,
            "draft",
            f"{INSERTIONS:,} x (doc.insert; doc.save_draft()); {commit}",
            slow=True,
            **drafted,
            saves=INSERTIONS,
        ),
        peers.inside(single, "insert_front", "insitu.insert(FILE, 0, LINE)", **given),
    )

    def prepare() -> None:
        fresh_copy(bench.log.path, path)
        sample.write_bytes(bench.log.sample.read_bytes())

    def undone(_: str) -> str:
        """Of each way to insert, an undo leaves what was there."""
        run(peers.insitu(COMMAND, path, "undo").argv, bench.folder)
        return digest(path)

    return Case(
        "draft",
        f"insert {INSERTIONS:,} lines anywhere, through a draft",
        contestants,
        (
            Target(at_once, (single,), least=DRAFT_LEAST),
            Target(each, (single,), why_shown="every save is synced by itself"),
        ),
        prepare=prepare,
        answer=undone,
    )


def _delete_half(bench: Bench) -> Case:
    path = _edited(bench)
    block = os.statvfs(bench.folder).f_bsize
    cut = bench.log.line_near(bench.log.size // 2).offset
    while cut % block == 0:
        cut = bench.log.line_near(cut).offset
    undoable = "insitu, undoable"
    contestants = (
        peers.insitu(COMMAND, path, "delete", "--bytes", f"0:{cut}", "--no-undo"),
        peers.insitu(undoable, path, "delete", "--bytes", f"0:{cut}"),
        *peers.tails(path, cut),
    )
    targets = (
        Target(COMMAND, (peers.TAIL,), least=1.5),
        Target(COMMAND, (peers.TAIL_SYNC,), why_shown="the peer made durable, as ours is"),
        Target(undoable, (peers.TAIL,), why_shown="keeps what it deletes"),
    )
    return _case(bench, "delete-half", "delete the first half, without history", contestants, targets)


def _delete_blocks(bench: Bench) -> Case:
    path = _edited(bench)
    block = os.statvfs(bench.folder).f_bsize
    cut = bench.log.size // 2 // block * block
    refusal = cannot_collapse(bench.folder, block)
    contestants = (
        peers.insitu(COMMAND, path, "delete", "--bytes", f"0:{cut}", "--no-undo"),
        *peers.tails(path, cut),
    )
    targets = (
        Target(COMMAND, (peers.TAIL,), least=None if refusal else 8, why_shown=refusal),
        Target(COMMAND, (peers.TAIL_SYNC,), why_shown="the peer made durable, as ours is"),
    )
    return _case(bench, "delete-blocks", "delete whole blocks, the first half", contestants, targets)


def _replace(bench: Bench, name: str, title: str, old: str, new: str, least: float) -> Case:
    path = _edited(bench)
    contestants = (
        peers.insitu(COMMAND, path, "replace", old, new, "--all"),
        *peers.replacers(path, old, new),
    )
    return _case(bench, name, title, contestants, [Target(COMMAND, peers.REPLACERS, least=least)])


def cannot_collapse(folder: Path, block: int) -> str:
    """Why ranges of files in the folder cannot be collapsed, found by trying; empty where they can."""
    if not sys.platform.startswith("linux"):
        return "ranges can only be collapsed on Linux"
    path = folder / "collapse-probe"
    try:
        with path.open("wb", buffering=0) as file:
            file.write(bytes(2 * block))
            fallocate = ctypes.CDLL(None, use_errno=True).fallocate
            fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
            if fallocate(file.fileno(), FALLOC_FL_COLLAPSE_RANGE, 0, block) == 0:
                return ""
            return f"ranges cannot be collapsed here: {os.strerror(ctypes.get_errno())}"
    finally:
        path.unlink(missing_ok=True)
