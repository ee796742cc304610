"""Built-in transform: lines that were there before are dropped, in bounded memory.

Lines are compared by a hash of 128 bits (XXH3, with a seed of chance). A first pass notes the hash of
every line; beyond a million lines the notes go to temporary files, parted by their first bits, so that
each part can be looked through by itself. A second pass drops the lines that were found to be repeated.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from operator import eq
from typing import IO, TYPE_CHECKING, Any, Final

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform
from insitu.errors import LimitError
from insitu.views.transform_lines import LineReader, Stretch

if TYPE_CHECKING:
    import numpy as np

    from insitu.views.streaming import Source

# A line's note: the hash in two halves, and its index.
_NOTE: Final = [("high", "<u8"), ("low", "<u8"), ("line", "<u8")]
_NOTE_BYTES: Final = 24

# Notes held before they are written to files, and looked through at once.
_NOTES_HELD: Final = 1 << 19

# 256 parts of half a million different lines: see ``LINES_MAX``.
_PARTS: Final = 256
_DIFFERENT_MAX: Final = 1 << 19

# A bit for each line that goes: 32 MiB.
LINES_MAX: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Dedupe:
    """Drops lines that say the same as an earlier one; endings are not compared.

    Args:
        adjacent: only those that say the same as the line before.
    """

    adjacent: bool = False

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the lines that go.

        Raises:
            LimitError: a line is too long; or, unless ``adjacent``, there are more than 268 million lines,
                or about 134 million different ones. Nothing was changed.

        Cost: with ``adjacent`` one read. Else two, at most 70 MiB of memory, and beyond half a million
            lines 24 bytes to a line of temporary files.
        """
        lines = LineReader(source.reader, source.text, source.path)
        gone = _adjacent(lines, progress, cancel) if self.adjacent else _repeated(lines, progress, cancel)
        for stretch, indexes in gone:
            if len(indexes):
                bounds = lines.bounds(stretch)
                yield Uniform(bounds[indexes], bounds[indexes + 1], b"")


def _stretches(lines: LineReader, progress: Progress | None, cancel: Cancel | None) -> Iterator[Stretch]:
    # What takes time here holds the GIL: threads would only read ahead.
    return lines.in_parallel(lambda stretch: stretch, progress, cancel, threads=1)


def _adjacent(
    lines: LineReader, progress: Progress | None, cancel: Cancel | None
) -> Iterator[tuple[Stretch, Any]]:
    import numpy as np

    last: list[bytes] = []
    for stretch in _stretches(lines, progress, cancel):
        bodies = lines.bodies(stretch.data)
        same = map(eq, bodies[1 - len(last) :], chain(last, bodies))
        indexes = list(compress(range(1 - len(last), len(bodies)), same))
        yield stretch, np.array(indexes, np.int64)
        last = bodies[-1:] or last


def _repeated(
    lines: LineReader, progress: Progress | None, cancel: Cancel | None
) -> Iterator[tuple[Stretch, Any]]:
    import numpy as np

    with ExitStack() as files:
        notes = _Notes(files)
        for stretch in _stretches(lines, progress, cancel):
            notes.add(lines.bodies(stretch.data))
        repeated = notes.repeated()
    first = 0
    for stretch in _stretches(lines, progress, cancel):
        count = len(lines.bounds(stretch)) - 1
        low = first // 8
        bits = np.unpackbits(repeated[low : (first + count + 7) // 8], bitorder="little")
        yield stretch, np.flatnonzero(bits[first - 8 * low :][:count])
        first += count


class _Notes:
    """The hashes of all lines, in memory or in temporary files."""

    def __init__(self, files: ExitStack) -> None:
        import xxhash

        # Whoever writes the lines cannot know which of them would have the same hash.
        self._hash = partial(xxhash.xxh3_128_digest, seed=int.from_bytes(os.urandom(8), "little"))
        self._files = files
        self._held: list[Any] = []
        self._held_count = 0
        self._count = 0
        self._parts: list[IO[bytes]] = []

    def add(self, bodies: list[bytes]) -> None:
        """Notes the next lines."""
        import numpy as np

        notes = np.empty(len(bodies), _NOTE)
        halves = np.frombuffer(b"".join(map(self._hash, bodies)), "<u8")
        notes["high"], notes["low"] = halves[::2], halves[1::2]
        notes["line"] = np.arange(self._count, self._count + len(bodies))
        self._held.append(notes)
        self._held_count += len(bodies)
        self._count += len(bodies)
        if self._count > LINES_MAX:
            raise LimitError(
                f"There are more than {LINES_MAX:,} lines, too many to compare; nothing was changed.",
                hint="Drop only neighbouring repetitions (adjacent), or sort the file first.",
                limit=LINES_MAX,
            )
        if self._held_count > _NOTES_HELD:
            self._write()

    def _write(self) -> None:
        import numpy as np

        if not self._parts:
            for _ in range(_PARTS):
                part_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stack
                self._parts.append(self._files.enter_context(part_file))
        notes = np.concatenate(self._held)
        part = (notes["high"] >> np.uint64(56)).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(_PARTS + 1))
        notes = notes[order]
        for number, file in enumerate(self._parts):
            file.write(notes[bounds[number] : bounds[number + 1]].tobytes())
        self._held, self._held_count = [], 0

    def repeated(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A bit for every line, set where its hash was there before."""
        import numpy as np

        bits = np.zeros(-(-self._count // 8), np.uint8)
        if not self._parts:
            _mark(iter(self._held), bits)
            return bits
        if self._held:
            self._write()
        for file in self._parts:
            file.seek(0)
            _mark(_read(file), bits)
        return bits


def _read(file: IO[bytes]) -> Iterator[Any]:
    import numpy as np

    while data := file.read(_NOTES_HELD * _NOTE_BYTES // 4):
        yield np.frombuffer(data, _NOTE)


def _mark(notes: Iterator[Any], bits: Any) -> None:
    """Sets the bits of the lines whose hashes were there before, among these notes in their order."""
    import numpy as np

    high, low = np.empty(0, np.uint64), np.empty(0, np.uint64)
    for new in notes:
        order = np.lexsort((new["low"], new["high"]))
        new = new[order]  # stable: of equal ones the first line comes first
        again = np.zeros(len(new), bool)
        again[1:] = (new["high"][1:] == new["high"][:-1]) & (new["low"][1:] == new["low"][:-1])
        if len(high):
            # Two different hashes with the same first half are next to each other.
            for side, step in (("left", 0), ("right", -1)):
                at = np.clip(np.searchsorted(high, new["high"], side) + step, 0, len(high) - 1)  # type: ignore[call-overload]
                again |= (high[at] == new["high"]) & (low[at] == new["low"])
        np.bitwise_or.at(bits, new["line"][again] // 8, (1 << (new["line"][again] % 8)).astype(np.uint8))
        different = new[~again]
        at = np.searchsorted(high, different["high"])
        high, low = np.insert(high, at, different["high"]), np.insert(low, at, different["low"])
        if len(high) > _DIFFERENT_MAX:
            raise LimitError(
                "There are too many different lines to compare; nothing was changed.",
                hint="Drop only neighbouring repetitions (adjacent), or sort the file first.",
            )
