"""One pass over a Markdown document: windows on every core, headings in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import InternalError
from insitu.formats.markdown_blocks import CLEAN, Heading, Leaf, State, after
from insitu.formats.markdown_candidates import AFTER_BYTES, BEFORE_BYTES, Candidates, candidates
from insitu.formats.markdown_lines import Line, LineFeed
from insitu.formats.markdown_rules import HTML_END_BYTES_MAX, HTML_ENDS
from insitu.formats.markdown_walk import Batch, Walk
from insitu.scan.windows import STRIDE_WINDOWS, WINDOW_BYTES, Window, parallel, windows

if TYPE_CHECKING:
    from collections.abc import Iterable

# What settling a doubt reads first: most are settled within some lines.
_NEAR_BYTES: Final = 64 << 10
_STEP_BYTES: Final = 4 << 10

# A rescan after an edit ends within some headings: small windows first, and no threads for them.
_NEAR_WINDOW_BYTES: Final = 32 << 10
_NEAR_WINDOWS: Final = 32


class Scan:
    """The headings of a document from a place on, window by window.

    Args:
        encoding: of the text; None: no keys are made of titles.
        start: the start of a line before which nothing is open.
        line: its index.
        near: few windows will be asked for.
    """

    def __init__(
        self,
        reader: Reader,
        encoding: str | None,
        start: int = 0,
        line: int = 0,
        *,
        near: bool = False,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._reader = reader
        self._encoding = encoding
        self._start = start
        self._near = near
        self._progress = progress
        self._cancel = cancel
        self._walk = Walk(ExactReader(reader), encoding, start, line)

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Yields what some windows complete, and where they stop."""
        start, size = self._start, self._reader.size
        if self._near:
            stop = min(size, start + _NEAR_WINDOWS * _NEAR_WINDOW_BYTES)
            yield from self._pass(start, stop, _NEAR_WINDOW_BYTES, 1, together=1)
            start = stop
        if start < size:
            yield from self._pass(start, size, WINDOW_BYTES, None, together=STRIDE_WINDOWS)

    @property
    def unclosed(self) -> Leaf | None:
        """The fence, or HTML block of the kinds that only a string ends, that is open at the end."""
        leaf = self._walk.open
        return leaf if leaf.kind == "fence" else None

    def _pass(
        self, start: int, stop: int, window_bytes: int, threads: int | None, *, together: int
    ) -> Iterator[tuple[int, Batch]]:
        found: Iterable[tuple[int, Candidates]] = parallel(
            self._reader, self._look, start, stop,
            window_bytes=window_bytes, before=BEFORE_BYTES, after=AFTER_BYTES,
            threads=threads, progress=self._progress, cancel=self._cancel,
        )  # fmt: skip
        waiting: list[Candidates] = []
        for at, window in found:
            waiting.append(window)
            if len(waiting) == together or at == stop:
                yield at, self._walk.take(waiting)
                waiting = []

    def _look(self, window: Window) -> tuple[int, Candidates]:
        last = window.offset + len(window.view) == self._reader.size
        first = window.span.start == self._start
        size = window.span.size
        return window.span.stop, candidates(
            window.view, window.offset, window.before, size, self._encoding, first=first, last=last
        )


class ExactReader:
    """The exact scanner over a reader: settles lines that a window leaves in doubt.

    Settling goes on from the last line settled where it can: all doubts of a document cost one slow pass
    at most.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._at = 0
        self._state: State = CLEAN
        self._ahead = self._lines(0)
        self._held = Span(0, 0), b""

    def settle(self, offset: int, sync: int) -> tuple[State, Heading | None]:
        """The state behind the line at ``offset``, and the heading it completes."""
        if not sync <= self._at <= offset:
            self._at, self._state = sync, CLEAN
            self._ahead = self._lines(sync)
        for line in self._ahead:
            self._state, heading = after(self._state, line)
            self._at = line.stop
            if line.start >= offset:
                break
        else:
            raise InternalError(f"No line starts at byte {offset:,}; nothing was changed.")
        return self._state, heading

    def line_at(self, offset: int) -> Line:
        """The line that starts there."""
        return next(self._lines(offset))

    def html_stop(self, offset: int, kind: int) -> int:
        """Behind the first line that ends an HTML block of a kind; the end if none does."""
        pattern = HTML_ENDS[kind - 1]
        for window in windows(self._reader, offset, after=HTML_END_BYTES_MAX):
            found = pattern.search(window.view)
            if found is not None:
                return self._line_stop(window.offset + found.end())
        return self._reader.size

    def line_count(self, span: Span) -> int:
        """How many lines end in a span; what follows its last ending counts as one."""
        count, last = 0, b""
        for window in windows(self._reader, span.start, span.stop):
            data = bytes(window.own)
            count += data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
            count -= last == b"\r" and data[:1] == b"\n"
            last = data[-1:]
        return count + (last not in (b"\n", b"\r", b""))

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        return self._reader.read(span.start, span.size)

    def _line_stop(self, offset: int) -> int:
        return self.line_at(offset).stop if offset < self._reader.size else offset

    def _lines(self, start: int) -> Iterator[Line]:
        feed, at = LineFeed(start), start
        while at < self._reader.size:
            data = self._bytes_from(at)
            yield from feed.feed(data)
            at += len(data)
        yield from feed.close()

    def _bytes_from(self, offset: int) -> bytes:
        """Some bytes from an offset on: those held, for one doubt follows close upon another."""
        span, data = self._held
        if not span.start <= offset < span.stop:
            span = Span(offset, min(offset + _NEAR_BYTES, self._reader.size))
            data = self._reader.read(span.start, span.size)
            self._held = span, data
        return data[offset - span.start : offset - span.start + _STEP_BYTES]
