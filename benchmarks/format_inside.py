"""Calls on files with a format that are timed inside a process of their own (see ``inside``)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.inside import Report

COVERED = "every byte, once"

# It loads what it needs, which is not what an edit costs.
_FIRST = "first edit of the process, s"


def jsonl_insert(path: str, sample: str, index: int, cached: bool) -> Report:
    """Inserts a record through an index that is there, the bytes behind it in the page cache or not."""
    import insitu

    record = {"id": 7, "kind": "sold", "state": "new", "name": "Ada Lovelace", "note": "inserted"}

    def insert(name: str, at: int) -> tuple[float, int]:
        with insitu.open(name) as doc:
            records = doc.jsonl()
            count = len(records)
            if not cached:
                _drop_from_cache(name)
            began = time.perf_counter()
            records.insert(at, record, padding=True)
            receipt = doc.commit()
            seconds = time.perf_counter() - began
            assert receipt is not None
            return seconds, count

    copy = _copied(sample, path)
    insert(copy, 10)
    seconds, count = insert(path, index)
    with insitu.open(path, "r") as doc:
        records = doc.jsonl()
        in_place = records[index] == record and len(records) == count + 1
        place = "in its place" if in_place else "NOT in its place"
        return Report(seconds, f"{len(records)} records, the new one {place}")


def _copied(sample: str, path: str) -> str:
    """A copy of a small file beside the large one, to make the call on once before the clock runs."""
    name = f"{path}.sample"
    with open(sample, "rb") as old, open(name, "wb") as new:
        new.write(old.read())
        os.fsync(new.fileno())
    return name


def _drop_from_cache(path: str) -> None:
    """Takes a file out of the page cache; what is on the disk already, that is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def csv_index(path: str, sample: str) -> Report:
    """Builds the row index; the answer is the number of rows."""
    import insitu

    def build(name: str) -> tuple[float, int]:
        with insitu.open(name, "r") as doc:
            table = doc.csv()
            began = time.perf_counter()
            count = len(table)
            return time.perf_counter() - began, count

    build(sample)
    seconds, count = build(path)
    return Report(seconds, str(count))


def csv_cell(path: str, row: int, edits: int) -> Report:
    """Sets one cell again and again in an open document, each edit durable; the last sets it back."""
    import insitu

    def read() -> str:
        with insitu.open(path, "r") as doc:
            return str(doc.csv()[row]["id"])

    before = read()
    texts = (before, before[::-1])
    seconds, right = [], True
    opened = time.perf_counter()
    with insitu.open(path) as doc:
        table = doc.csv()
        table[row]
        notes = {"opening the table, s": time.perf_counter() - opened}
        for number in reversed(range(edits)):
            began = time.perf_counter()
            table.set(row, "id", texts[number % 2])
            doc.commit()
            seconds.append(time.perf_counter() - began)
            right = right and read() == texts[number % 2]
    first, *rest = seconds
    return Report(median(rest), "set, and set back" if right else "NOT set", {_FIRST: first, **notes})


def markdown_outline(path: str, sample: str) -> Report:
    """Lists all sections; the answer is how many there are."""
    import insitu

    def outline(name: str) -> tuple[float, int]:
        with insitu.open(name, "r") as doc:
            began = time.perf_counter()
            count = len(doc.markdown())
            return time.perf_counter() - began, count

    outline(sample)
    seconds, count = outline(path)
    return Report(seconds, str(count))


def markdown_section(path: str, title: str, edits: int, how: str) -> Report:
    """Replaces the own text of a section again and again in an outlined document, each edit durable.

    Args:
        how: ``same size``, ``padded`` or ``moved``: the last two change the size every time.
    """
    import insitu

    with insitu.open(path) as doc:
        outline = doc.markdown()
        count = len(outline)
        section = outline.section(title)
        size = len(section.text.strip("\n"))
        sizes = (size, size) if how == "same size" else (size + 300, size + 900)
        texts = [(word * size)[: each - 1] + "." for word, each in zip(("one ", "two "), sizes, strict=True)]
        seconds = []
        for number in range(edits):
            began = time.perf_counter()
            section.replace(texts[number % 2], "own", padding=how == "padded")
            doc.commit()
            seconds.append(time.perf_counter() - began)
    with insitu.open(path, "r") as doc:
        outline = doc.markdown()
        assert len(outline) == count
        right = outline.section(title).text.strip("\n") == texts[(edits - 1) % 2]
    first, *rest = seconds
    return Report(
        median(rest), f"{count} sections, one has the new text" if right else "NOT set", {_FIRST: first}
    )


def chunks(path: str, sample: str, kind: str) -> Report:
    """Cuts into chunks of 400 tokens, as estimated; the answer is whether they are the file."""
    import insitu

    def cut(name: str) -> tuple[float, int, bool]:
        count = at = 0
        contiguous = True
        with insitu.open(name, "r") as doc:
            began = time.perf_counter()
            for chunk in doc.chunks(kind=kind):
                count += 1
                contiguous = contiguous and chunk.span.start == at
                at = chunk.span.stop
            return time.perf_counter() - began, count, contiguous and at == doc.size

    cut(sample)
    began = time.process_time()
    seconds, count, whole = cut(path)
    busy = time.process_time() - began
    answer = COVERED if whole else "NOT every byte"
    return Report(seconds, answer, {"chunks": count, "processor time, s": busy})


CALLS: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (jsonl_insert, csv_index, csv_cell, markdown_outline, markdown_section, chunks)
}
