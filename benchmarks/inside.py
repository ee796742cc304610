"""Calls that are timed inside a process of their own: ``python -m benchmarks.inside NAME ARGUMENTS``.

Each is made once on a small file of the same kind, so that what it imports is loaded, then on the real one
with the clock running. Prints one line of JSON: seconds, answer, notes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

READ_BYTES = 100


@dataclass
class Report:
    """What a call took and found."""

    seconds: float
    answer: str = ""
    notes: dict[str, float] = field(default_factory=dict)


def overwrite(path: str, offset: int, text: str, other: str, edits: int) -> Report:
    """Overwrites a line again and again by two texts in turn, each edit durable; the last leaves ``text``."""
    import insitu

    def write(data: bytes) -> None:
        insitu.write(path, offset, offset + len(data), data)

    return _overwriting(write, text, other, edits)


def pwrite(path: str, offset: int, text: str, other: str, edits: int) -> Report:
    """The floor: the same overwrites without a journal: a crash can leave a mixture."""

    def write(data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY)
        os.pwrite(descriptor, data, offset)
        os.fdatasync(descriptor)
        os.close(descriptor)

    return _overwriting(write, text, other, edits)


def _overwriting(write: Callable[[bytes], None], text: str, other: str, edits: int) -> Report:
    texts = (text.encode(), other.encode())
    seconds = []
    for number in reversed(range(edits)):
        began = time.perf_counter()
        write(texts[number % 2])
        seconds.append(time.perf_counter() - began)
    first, *rest = seconds
    return Report(median(rest), notes={"first edit of the process, s": first})


def insert_front(path: str, sample: str) -> Report:
    """One insertion at the front, durable."""
    import insitu

    def insert(name: str) -> float:
        began = time.perf_counter()
        insitu.insert(name, 0, _INSERTED)
        return time.perf_counter() - began

    insert(sample)
    return Report(insert(path))


def draft(path: str, sample: str, insertions: int, saves: int, seed: int) -> Report:
    """Insertions in any order, made one by one and saved in a draft, which is opened again and committed.

    Every save is durable when it returns; there are ``saves`` of them, of as many insertions each.
    """
    import insitu

    def insert(name: str, saves: int) -> tuple[float, float, float]:
        places = _offsets(os.path.getsize(name), insertions, seed)
        began = time.perf_counter()
        with insitu.open(name, draft=True) as doc:
            for first in range(0, insertions, insertions // saves):
                for offset in places[first : first + insertions // saves]:
                    doc.insert(offset, _INSERTED)
                doc.save_draft()
        saved = time.perf_counter()
        with insitu.open(name, draft=True) as doc:
            opened = time.perf_counter()
            receipt = doc.commit()
        assert receipt is not None
        assert receipt.size_after == receipt.size_before + insertions * len(_INSERTED)
        return saved - began, opened - saved, time.perf_counter() - opened

    insert(sample, 1)
    seconds = insert(path, saves)
    names = ("inserting and saving, s", "opening, s", "committing, s")
    return Report(sum(seconds), notes=dict(zip(names, seconds, strict=True)))


_INSERTED = b"a line that was put in later, between two others\n"


def index(path: str, sample: str) -> Report:
    """Builds the line index; the answer is the number of lines."""
    import numpy  # noqa: F401  # what large files are counted with, and the sample is not

    import insitu

    def build(name: str) -> tuple[float, int]:
        with insitu.open(name, "r") as doc:
            began = time.perf_counter()
            doc.line_index()
            seconds = time.perf_counter() - began
            return seconds, len(doc.lines)

    build(sample)
    seconds, lines = build(path)
    return Report(seconds, str(lines))


def line(path: str, sample: str, number: int) -> Report:
    """Reads one line by its number, from 1, through an index that is there."""
    import insitu

    def read(name: str, index: int) -> tuple[float, str]:
        with insitu.open(name, "r") as doc:
            doc.line_index()
            began = time.perf_counter()
            text = doc.lines[index]
            return time.perf_counter() - began, text

    read(sample, 0)
    return Report(*read(path, number - 1))


def count(path: str, sample: str, pattern: str, regex: bool, fast: bool) -> Report:
    """Counts matches; without ``fast`` as if that extra were not installed."""
    import insitu

    if not fast:
        sys.modules["hyperscan"] = None  # type: ignore[assignment]  # importing it now fails

    def matches(name: str) -> tuple[float, int]:
        with insitu.open(name, "r") as doc:
            began = time.perf_counter()
            found = doc.count(pattern, regex=regex)
            return time.perf_counter() - began, found

    matches(sample)
    seconds, found = matches(path)
    return Report(seconds, str(found))


def read_many(path: str, sample: str, reads: int, seed: int) -> Report:
    """Reads at random offsets in one call."""
    import insitu

    def read(name: str, times: int) -> tuple[float, list[bytes]]:
        with insitu.open(name, "r") as doc:
            offsets = _offsets(doc.size, times, seed)
            began = time.perf_counter()
            found = doc.read_many(offsets, READ_BYTES)
            return time.perf_counter() - began, found

    read(sample, 10)
    seconds, found = read(path, reads)
    return Report(seconds, _digest(found))


def seek_and_read(path: str, sample: str, reads: int, seed: int) -> Report:
    """The peer: the same reads with an ordinary file object, one after the other."""
    with open(path, "rb") as file:
        offsets = _offsets(file.seek(0, 2), reads, seed)
        found = []
        began = time.perf_counter()
        for offset in offsets:
            file.seek(offset)
            found.append(file.read(READ_BYTES))
        seconds = time.perf_counter() - began
    return Report(seconds, _digest(found))


def pread(path: str, sample: str, reads: int, seed: int) -> Report:
    """The peer: the same reads with one system call each."""
    with open(path, "rb", buffering=0) as file:
        offsets = _offsets(file.seek(0, 2), reads, seed)
        descriptor = file.fileno()
        began = time.perf_counter()
        found = [os.pread(descriptor, READ_BYTES, offset) for offset in offsets]
        seconds = time.perf_counter() - began
    return Report(seconds, _digest(found))


def _offsets(size: int, reads: int, seed: int) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(size - READ_BYTES) for _ in range(reads)]


def _digest(found: list[bytes]) -> str:
    return hashlib.blake2b(b"".join(found)).hexdigest()


CALLS: dict[str, Callable[..., Report]] = {
    call.__name__: call
    for call in (overwrite, pwrite, insert_front, draft, index, line, count, read_many, seek_and_read, pread)
}


def main() -> None:
    """Makes the call that the command line names, with its arguments in JSON."""
    from benchmarks import format_inside

    name, arguments = sys.argv[1:]
    values: dict[str, Any] = json.loads(arguments)
    report = (CALLS | format_inside.CALLS)[name](**values)
    print(json.dumps({"seconds": report.seconds, "answer": report.answer, "notes": report.notes}))


if __name__ == "__main__":
    main()
