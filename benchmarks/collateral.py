"""Counts what an edit changed that it was not asked to: cells and lines that are not those of the right file.

Cells are compared as they are written, quotes included: whoever writes ``12.5`` for ``12.50``, or drops
quotes, changed a cell. Both files have to keep the rules of RFC 4180, as what is generated does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

CHUNK_BYTES = 4 << 20
_QUOTE, _COMMA, _LF, _CR = b'",\n\r'


Right = Callable[[], Iterable[bytes]]


def other_cells(path: Path, right: Right) -> int:
    """How many cells of a CSV file differ from those of the right one, place by place."""
    import numpy as np

    if _same(path, right()):
        return 0
    different = 0
    ours, theirs = _cells(_chunks(path)), _cells(right())
    ahead = [np.zeros(0, np.uint64), np.zeros(0, np.uint64)]
    ended = [False, False]
    while not all(ended):
        for side, cells in enumerate((ours, theirs)):
            if not len(ahead[side]):
                more = next(cells, None)
                ended[side] = more is None
                ahead[side] = ahead[side] if more is None else more
        count = min(map(len, ahead))
        if any(ended):
            different += sum(map(len, ahead))  # one file has more cells than the other
            ahead = [each[len(each) :] for each in ahead]
        different += int((ahead[0][:count] != ahead[1][:count]).sum())
        ahead = [each[count:] for each in ahead]
    return different


def other_lines(path: Path, right: Right) -> int:
    """How many lines of a file differ from those of the right one, place by place."""
    if _same(path, right()):
        return 0
    with path.open("rb") as file:
        return sum(a != b for a, b in zip_longest(file, _lines(right())))


def _same(path: Path, right: Iterable[bytes]) -> bool:
    with path.open("rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in right) and not file.read(1)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield from chunk.splitlines(keepends=True)


def _cells(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Yields digests of the cells, in order; of whole rows at once."""
    import numpy as np

    held = b""
    for chunk in chunks:
        held += chunk
        text = np.frombuffer(held, np.uint8)
        outside = np.cumsum(text == _QUOTE, dtype=np.uint8) & 1 == 0
        ends = np.flatnonzero(((text == _COMMA) | (text == _LF)) & outside)
        rows = np.flatnonzero(text[ends] == _LF)
        if not len(rows):
            continue
        ends = ends[: rows[-1] + 1]
        yield _digests(text, ends)
        held = held[ends[-1] + 1 :]
    if held:
        yield _digests(np.frombuffer(held + b"\n", np.uint8), np.array([len(held)]))


def _digests(text: Any, ends: Any) -> Any:
    """A digest of each cell, of which one ends before each separator; CR LF ends rows as LF does.

    The sum of bytes times powers of an odd number: one running sum serves all cells, and is moved to where
    a cell starts by dividing, as odd numbers allow in 64 bits.
    """
    import numpy as np

    powers, inverses = _powers(1 << len(text).bit_length())
    starts = np.concatenate(([0], ends[:-1] + 1))
    ends = ends - ((text[ends] == _LF) & (text[ends - 1] == _CR))
    sums = np.zeros(len(text) + 1, np.uint64)
    np.cumsum((text.astype(np.uint64) + np.uint64(1)) * powers[: len(text)], out=sums[1:])
    return (sums[ends] - sums[starts]) * inverses[starts]


@cache
def _powers(count: int) -> tuple[Any, Any]:
    """The powers of a base, and those of its inverse, in 64 bits."""
    import numpy as np

    base = 0x9E3779B97F4A7C15
    found = []
    for factor in (base, pow(base, -1, 1 << 64)):
        powers = np.full(count, factor, np.uint64)
        powers[0] = 1
        found.append(np.multiply.accumulate(powers))
    return found[0], found[1]
