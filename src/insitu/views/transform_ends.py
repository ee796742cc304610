"""Built-in transforms at the ends of lines: endings of one kind, no trailing blanks, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, Varied
from insitu.errors import RequestError
from insitu.formats.lines import CR, LF
from insitu.scan.windows import WINDOW_BYTES, Window, parallel
from insitu.views.transform_lines import LineReader, Stretch

if TYPE_CHECKING:
    from insitu.core.replacements import Column
    from insitu.views.streaming import Source

Ending = Literal["lf", "crlf"]

_BLANKS = b" \t"


@dataclass(frozen=True, slots=True)
class LineEnds:
    """Makes every line end the same way; a line end at the end of the file is neither added nor removed.

    A lone CR is text, except in a file whose lines end with CR.

    Args:
        to: ``"lf"`` or ``"crlf"``.
    """

    to: Ending

    def __post_init__(self) -> None:
        if self.to not in ("lf", "crlf"):
            raise RequestError(f"There are no line ends {self.to!r}.", hint="Give 'lf' or 'crlf'.")

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the line ends that change, on every core. Cost: one read; lines may be of any length."""
        lines = LineReader(source.reader, source.text, source.path)
        unit = lines.unit
        for batch in parallel(
            source.reader,
            lambda window: self._changes(lines, window),
            lines.origin,
            window_bytes=WINDOW_BYTES,
            before=unit,
            after=unit,
            progress=progress,
            cancel=cancel,
        ):
            if batch.places:
                yield batch

    def _changes(self, lines: LineReader, window: Window) -> Replacements:
        import numpy as np

        unit, name = lines.unit, lines.text.name
        units = lines.units(window.view)
        first, count = window.before // unit, window.span.size // unit
        is_lf, is_cr = units == LF[0], units == CR[0]
        own = slice(first, first + count)
        none = np.zeros(1, bool)
        lf_next = np.concatenate((is_lf[1:], none))[own]
        cr_before = np.concatenate((none, is_cr[:-1]))[own]
        lone_lf, pair = is_lf[own] & ~cr_before, is_cr[own] & lf_next
        lone_cr = is_cr[own] & ~lf_next if lines.newline == CR else np.zeros(count, bool)
        lf, cr = "\n".encode(name), "\r".encode(name)
        # For each kind of place: how far behind it the splice starts and stops, in units, and its bytes.
        kinds = (
            [(pair, 0, 1, b""), (lone_cr, 0, 1, lf)]
            if self.to == "lf"
            else [(lone_lf, 0, 0, cr), (lone_cr, 1, 1, lf)]
        )
        batches = []
        for places, start, stop, new in kinds:
            at = np.flatnonzero(places)
            batches.append(
                Uniform((at + start) * unit + window.span.start, (at + stop) * unit + window.span.start, new)
            )
        return batches[0] if lines.newline == LF else _merged(batches)


def _merged(batches: list[Uniform]) -> Varied:
    """Batches of places that alternate, as one."""
    import numpy as np

    starts = np.concatenate([batch.starts for batch in batches])
    stops = np.concatenate([batch.stops for batch in batches])
    kinds = np.repeat(np.arange(len(batches)), [len(batch.starts) for batch in batches])
    order = np.argsort(starts, kind="stable")
    new = [batches[kind].new for kind in kinds[order].tolist()]
    bounds = np.concatenate(([0], np.cumsum([len(data) for data in new], dtype=np.int64)))
    return Varied(starts[order], stops[order], bounds, b"".join(new))


@dataclass(frozen=True, slots=True)
class Trim:
    """Removes the spaces and tabs before every line end, and those that end the file."""

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the blanks that go, on every core.

        Raises:
            LimitError: a line is too long.
        """
        lines = LineReader(source.reader, source.text, source.path)
        for batch in lines.in_parallel(lambda stretch: _blanks(lines, stretch), progress, cancel):
            if len(batch.starts):
                yield batch


def _blanks(lines: LineReader, stretch: Stretch) -> Uniform:
    import numpy as np

    units = lines.units(stretch.data)
    blank = (units == _BLANKS[0]) | (units == _BLANKS[1])
    bounds = (lines.bounds(stretch) - stretch.offset) // lines.unit
    ends = bounds[1:].copy()
    if len(ends):
        ends -= units[ends - 1] == lines.newline[0]
        if lines.newline == LF:
            ends -= (ends > bounds[:-1]) & (ends < bounds[1:]) & (units[ends - 1] == CR[0])
    # Line ends are no blanks, so the last other unit before an end is never further than its line.
    others = np.concatenate(([-1], np.flatnonzero(~blank)))
    starts = others[np.searchsorted(others, ends) - 1] + 1
    found = starts < ends
    return Uniform(
        starts[found] * lines.unit + stretch.offset, ends[found] * lines.unit + stretch.offset, b""
    )


@dataclass(frozen=True, slots=True)
class Number:
    """Puts its number and a separator before every line.

    Args:
        start: the number of the first line.
        separator: what stands between number and line.
    """

    start: int = 1
    separator: str = "\t"

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the numbers.

        Raises:
            TextError: the encoding cannot hold the separator.
            LimitError: a line is too long.
        """
        lines = LineReader(source.reader, source.text, source.path)
        separator = source.text.encode(self.separator)
        number = self.start
        for starts in lines.in_parallel(lambda stretch: lines.bounds(stretch)[:-1], progress, cancel):
            if len(starts):
                yield self._numbered(starts, number, separator, source.text.name)
                number += len(starts)

    def _numbered(self, starts: Column, number: int, separator: bytes, codec: str) -> Varied:
        import numpy as np

        new = [str(one).encode(codec) + separator for one in range(number, number + len(starts))]
        bounds: Any = np.concatenate(([0], np.cumsum([len(data) for data in new], dtype=np.int64)))
        return Varied(starts, starts, bounds, b"".join(new))
