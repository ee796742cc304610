"""Search: the first match, the last, each, how many, and all of them as columns.

A search is cut into stretches of one window each, searched on all cores as if each were the first.
Read from left to right they are then joined to the one sequence that a search of the whole file
makes (see ``patterns``): where the match before reaches into a stretch, and the stretch's own sequence
does not pass through the same state, that stretch is searched again from there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from typing import Literal as Choice

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.scan.literal import Literal, WholeUnits
from insitu.scan.patterns import Columns, Pattern, Template
from insitu.scan.python_regex import PythonRegex
from insitu.scan.regex import Regex
from insitu.scan.windows import (
    THREADS_FROM_WINDOWS,
    WINDOW_BYTES,
    Window,
    bounds,
    parallel,
    window_at,
    windows,
)

if TYPE_CHECKING:
    import numpy as np

# Matches in one batch of columns: 1 MiB of offsets.
BATCH_MATCHES: Final = 1 << 16

# Batches are gathered from sparse stretches until they hold this many matches or matched bytes.
GATHER_MATCHES: Final = 1 << 12
GATHER_BYTES: Final = 1 << 21

# The first windows of a lazy search are searched alone: a near match starts no threads.
HEAD_WINDOWS: Final = THREADS_FROM_WINDOWS - 1

# Matches closer than this are read together when their replacements are made.
NEAR_BYTES: Final = 1 << 12

Engine = Choice["auto", "re2", "re"]


class Matches:
    """Some thousand matches in file order, as columns or one by one."""

    def __init__(self, reader: Reader, pattern: Pattern, columns: Columns) -> None:
        self._columns = columns
        self._reader = reader
        self._pattern = pattern

    def __len__(self) -> int:
        return len(self._columns.starts)

    @cached_property
    def starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where each starts."""
        import numpy as np

        return np.asarray(self._columns.starts, np.int64)

    @cached_property
    def stops(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where each stops."""
        import numpy as np

        return np.asarray(self._columns.stops, np.int64)

    def spans(self) -> Iterator[Span]:
        """Yields each."""
        return map(Span, *self._columns)

    def replacements(self, template: Template) -> Iterator[bytes]:
        """Yields the replacement of each match, in order.

        Cost: reads the matches again, in blocks of up to a window; nothing for a constant template.
        """
        if (constant := template.constant) is not None:
            yield from (constant for _ in range(len(self)))
            return
        margin = self._pattern.margin_bytes
        starts, stops = map(list, self._columns)
        for first, last in self._blocks(starts, stops):
            low = max(starts[first] - margin, 0)
            high = min(stops[last - 1] + margin, self._reader.size)
            text = memoryview(self._reader.read(low, high - low))
            for start, stop in zip(starts[first:last], stops[first:last], strict=True):
                yield template.fill(self._pattern.groups_of(text, start - low, stop - low))

    @staticmethod
    def _blocks(starts: list[int], stops: list[int]) -> Iterator[tuple[int, int]]:
        """Cuts the matches into index ranges that are read at once."""
        first = 0
        for index in range(1, len(starts) + 1):
            if (
                index == len(starts)
                or starts[index] - stops[index - 1] > NEAR_BYTES
                or stops[index] - starts[first] > WINDOW_BYTES
            ):
                yield first, index
                first = index


def compile_literal(needle: bytes, unit: int = 1) -> Pattern:
    """Makes a pattern of fixed bytes.

    Args:
        unit: bytes to a code unit, of which there is a whole number before each match.

    Raises:
        PatternError: no bytes, or more than a window holds.
    """
    return Literal(needle) if unit == 1 else WholeUnits(needle, unit)


def compile_regex(pattern: str | bytes, *, engine: Engine = "auto") -> Pattern:
    """Makes a pattern of a regular expression; ``^`` and ``$`` match at line ends.

    Args:
        pattern: bytes match bytes, str matches UTF-8 text.
        engine: "re2": RE2's syntax in linear time; "auto": the same matches, with whatever faster
            helper fits the expression and is installed; "re": Python's own (see ``PythonRegex``).

    Raises:
        PatternError: the engine does not accept the expression; the message holds its reason.
    """
    if engine == "re":
        return PythonRegex(pattern)
    if engine not in ("auto", "re2"):
        raise RequestError(f"There is no engine {engine!r}.", hint="Use 'auto', 're2' or 're'.")
    return Regex(pattern, accelerated=engine == "auto")


def find(reader: Reader, pattern: Pattern, start: int = 0, stop: int | None = None) -> Span | None:
    """The first match in ``[start, stop)``; None where there is none."""
    found = finditer(reader, pattern, start, stop)
    try:
        return next(found, None)
    finally:
        found.close()


def rfind(
    reader: Reader,
    pattern: Pattern,
    start: int = 0,
    stop: int | None = None,
    *,
    window_bytes: int = WINDOW_BYTES,
) -> Span | None:
    """The last occurrence of a literal in ``[start, stop)``; None where there is none.

    Raises:
        PatternError: the pattern is a regular expression.
    """
    span = bounds(reader, start, stop)
    before, after = pattern.context(window_bytes)
    for window in windows(
        reader, start, stop, window_bytes=window_bytes, before=before, after=after, backward=True
    ):
        if (last := pattern.last(window, span)) is not None:
            return last
    return None


def finditer(
    reader: Reader,
    pattern: Pattern,
    start: int = 0,
    stop: int | None = None,
    *,
    window_bytes: int = WINDOW_BYTES,
) -> Generator[Span, None, None]:
    """Yields the matches in ``[start, stop)`` from left to right, not overlapping, as they are found.

    ``^``, ``$`` and word boundaries see the bytes outside of the span; matches lie inside.

    Raises:
        PatternError: a match is longer than MATCH_BYTES_MAX; the matches before it were yielded.
    """
    span = bounds(reader, start, stop)
    head = Span(span.start, min(span.start + HEAD_WINDOWS * window_bytes, span.stop))
    tail = Span(head.stop, span.stop)
    parts = chain(
        _stretches(reader, pattern, head, span, window_bytes),
        _stretches(reader, pattern, tail, span, window_bytes) if tail.size else (),
    )
    for columns in _joined(reader, pattern, span, parts, window_bytes):
        yield from map(Span, columns.starts, columns.stops)


def count(
    reader: Reader,
    pattern: Pattern,
    start: int = 0,
    stop: int | None = None,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> int:
    """How many matches ``finditer`` would yield.

    Raises:
        PatternError: a match is longer than MATCH_BYTES_MAX.
        CancelledError: ``cancel`` said so.
    """
    span = bounds(reader, start, stop)
    before, after = pattern.context(window_bytes)
    if pattern.countable:
        return sum(
            parallel(
                reader,
                lambda window: pattern.count(window, span),
                start,
                stop,
                window_bytes=window_bytes,
                before=before,
                after=after,
                progress=progress,
                cancel=cancel,
            )
        )
    parts = _stretches(reader, pattern, span, span, window_bytes, progress, cancel)
    return sum(len(columns.starts) for columns in _joined(reader, pattern, span, parts, window_bytes))


def locate(
    reader: Reader,
    pattern: Pattern,
    start: int = 0,
    stop: int | None = None,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[Matches]:
    """Yields the matches ``finditer`` would yield, as batches of columns; never an empty one.

    Raises:
        PatternError: a match is longer than MATCH_BYTES_MAX; some matches before it were yielded.
        CancelledError: ``cancel`` said so.
    """
    span = bounds(reader, start, stop)
    parts = _stretches(reader, pattern, span, span, window_bytes, progress, cancel)
    for columns in _gathered(_joined(reader, pattern, span, parts, window_bytes)):
        for low in range(0, len(columns.starts), BATCH_MATCHES):
            high = low + BATCH_MATCHES
            yield Matches(reader, pattern, Columns(columns.starts[low:high], columns.stops[low:high]))


def _stretches(
    reader: Reader,
    pattern: Pattern,
    part: Span,
    bound: Span,
    window_bytes: int,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[tuple[Span, Columns]]:
    """Searches every window of ``part`` as if a search began there."""
    before, after = pattern.context(window_bytes)

    def work(window: Window) -> tuple[Span, Columns]:
        return window.span, pattern.stretch(reader, window, bound)

    if part.size == 0:
        return iter([work(window_at(reader, part, before, after))])
    return parallel(
        reader,
        work,
        part.start,
        part.stop,
        window_bytes=window_bytes,
        before=before,
        after=after,
        threads=None if pattern.threaded else 1,
        progress=progress,
        cancel=cancel,
    )


def _joined(
    reader: Reader,
    pattern: Pattern,
    bound: Span,
    stretches: Iterator[tuple[Span, Columns]],
    window_bytes: int,
) -> Iterator[Columns]:
    """Joins stretches, each searched from its own start, to the sequence searched from the left."""
    state = bound.start
    for span, found in stretches:
        columns = found
        if state > span.start:
            index = bisect_left(columns.starts, state)
            if index and columns.stops[index - 1] > state:
                # A match of this stretch lies across the state: its sequence does not pass through it.
                columns = Columns([], [])
                if state < span.stop or state == bound.stop:
                    window = window_at(reader, Span(state, span.stop), *pattern.context(window_bytes))
                    columns = pattern.stretch(reader, window, bound)
            else:
                columns = Columns(columns.starts[index:], columns.stops[index:])
        if len(columns.starts):
            yield columns
            state = int(columns.stops[-1]) + int(columns.stops[-1] == columns.starts[-1])


def _gathered(parts: Iterator[Columns]) -> Iterator[Columns]:
    """Puts sparse columns (lists) together, so that a batch is worth handling."""
    starts: list[int] = []
    stops: list[int] = []
    matched_bytes = 0
    for columns in parts:
        if not isinstance(columns.starts, list):
            if starts:
                yield Columns(starts, stops)
                starts, stops, matched_bytes = [], [], 0
            yield columns
            continue
        starts.extend(columns.starts)
        stops.extend(columns.stops)
        matched_bytes += sum(columns.stops) - sum(columns.starts)
        if len(starts) >= GATHER_MATCHES or matched_bytes >= GATHER_BYTES:
            yield Columns(starts, stops)
            starts, stops, matched_bytes = [], [], 0
    if starts:
        yield Columns(starts, stops)
