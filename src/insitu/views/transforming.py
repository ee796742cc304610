"""Transform: items of a file passed through a Python function; what it changes is a mass edit.

    insitu.transform("huge.log", lambda line: line.replace("failed", "retry"))
    insitu.transform("huge.log", "cleaning:line", workers=4, context=1)

Only items that come back different become splices, so that a commit is as cheap as the change.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.replacements import Replacements, Varied
from insitu.core.spans import Span
from insitu.engine.reopening import Way
from insitu.engine.snapshot import Snapshot
from insitu.errors import CancelledError, FunctionError, InsituError, RequestError
from insitu.scan.windows import PROGRESS_INTERVAL_S, WINDOW_BYTES
from insitu.views.text import Encoding
from insitu.views.transform_crew import Value, Work, check_not_a_worker, in_order
from insitu.views.transform_function import (
    Function,
    RecordFunction,
    at_once,
    neighbour,
    packed,
    resolved,
    takes_context,
    unpacked,
)
from insitu.views.transform_lines import LINE_BYTES_MAX, LineReader
from insitu.views.transform_work import Changes, ChunkWork, Failure, LineWork

if TYPE_CHECKING:
    from insitu.views.streaming import Source

By = Literal["lines", "chunks", "records", "rows"]

KINDS: Final = ("lines", "chunks", "records", "rows")

# A smaller file is done before other processes have started, in about a tenth of a second.
SMALL_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Transform:
    """What to pass every item through, and how: a mass edit.

    Args:
        function: takes an item, or an item and its ``Context``; returns it as it is, changed, None to drop
            it, or several. Or its name, ``MODULE:FUNCTION`` or ``FILE.py:FUNCTION``.
        by: ``"lines"`` are text with their endings; what is returned gets an ending as a line that is
            assigned to ``doc.lines`` does. ``"chunks"`` are bytes of ``chunk_bytes`` each.
            ``"records"`` are the values of JSON Lines. ``"rows"`` are mappings from the columns of CSV to
            texts, in one process; the file tells how it is written.
        context: how many items before and behind the function sees.
        workers: how many processes; 1 is this one.
        as_bytes: lines are bytes instead of text.
        chunk_bytes: the size of a chunk; the last one may be shorter.
        line_bytes_max: longer lines are refused; at least a mebibyte.

    Raises:
        RequestError: the arguments do not fit together, or there is no such function.
    """

    function: Function | str
    by: By = "lines"
    context: int = 0
    workers: int = 1
    as_bytes: bool = False
    chunk_bytes: int = WINDOW_BYTES
    line_bytes_max: int = LINE_BYTES_MAX

    def __post_init__(self) -> None:
        if self.by not in KINDS:
            raise RequestError(f"A file is not passed by {self.by!r}.", hint=f"By one of {', '.join(KINDS)}.")
        if self.context < 0 or self.workers < 1 or self.chunk_bytes < 1 or self.line_bytes_max < WINDOW_BYTES:
            raise RequestError(
                "A transform needs a context of 0 or more, at least one worker, chunks of a byte or more, "
                f"and lines of up to {WINDOW_BYTES:,} bytes or more."
            )
        if self.workers > 1:
            check_not_a_worker()
        if self.by == "rows" and self.workers > 1:
            raise RequestError("Rows are passed in one process.", hint="Leave workers out.")
        if not takes_context(resolved(self.function)) and self.context:
            raise RequestError(
                f"The function takes one argument, so it cannot see {self.context} items of context.",
                hint="Define it as f(item, context).",
            )

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what the function changed.

        Raises:
            FunctionError: it raised, or ended its process; names the item.
            TextError: what it returned cannot be written; names the item.
            LimitError: a line is too long.
            CancelledError: ``cancel`` said so.
        """
        content, text, path = source.reader, source.text, source.path
        function = resolved(self.function)
        if self.by == "rows":
            from insitu.views.transform_rows import row_batches  # which worker processes have no use for

            width = self.context if takes_context(function) else None
            yield from row_batches(source, function, width, progress, cancel)
            return
        job = _Job(self, path, text, takes_context(function))
        lines = job.lines(content)
        report = _Report(content.size, progress, cancel)
        windows = self._windows(content, lines)
        results: Iterable[tuple[Span, Value]]
        if self.workers > 1 and isinstance(content, Snapshot) and content.size > SMALL_BYTES:
            start = _Start(job, packed(self.function), Way.to(content, path))
            results = in_order(start, windows, self.workers, cancel)
        else:
            work = job.work(content, function, lines)
            results = ((window, work(window)) for window in windows)
        for window, result in results:
            report.check()
            if isinstance(result, Failure):
                raise self._failed(result, lines, path)
            if isinstance(result, InsituError):
                raise result
            if result.starts:
                yield _replacements(result)
            report.done(window.stop)
        report.finish()

    def _windows(self, content: Reader, lines: LineReader | None) -> Iterator[Span]:
        """What is worked on at once: chunks, or stretches in which lines start."""
        if lines is not None:
            return lines.windows()
        size, step = content.size, self.chunk_bytes
        return (Span(low, min(low + step, size)) for low in range(0, size, step))

    def _failed(self, failed: Failure, lines: LineReader | None, path: str) -> InsituError:
        """The error that names the item."""
        offset, item = failed.offset, self.by.removesuffix("s")
        if lines is None:
            number = offset // self.chunk_bytes + 1
        else:
            number = lines.count(Span(lines.origin, offset)) + 1
        place = f"{item} {number:,} (offset {offset:,}) of {path}"
        facts = {item: number, "offset": offset, "path": path}
        if failed.error is not None:
            error = failed.error
            return type(error)(f"At {place}: {error.message}", hint=error.hint, **{**error.facts, **facts})
        raised = FunctionError(
            f"The function failed at {place}: {failed.summary}; nothing was changed.",
            hint="Mend the function, or let it return the item unchanged there.",
            traceback=failed.traceback,
            **facts,
        )
        raised.add_note(failed.traceback)
        return raised


class _Job:
    """What a transform does to windows, without its function: can be pickled."""

    def __init__(self, transform: Transform, path: str, text: Encoding, with_context: bool) -> None:
        self.path = path
        self.text = text
        self._by = transform.by
        self._width = transform.context if with_context else None
        self._as_bytes = transform.as_bytes
        self._chunk_bytes = transform.chunk_bytes
        self._line_bytes_max = transform.line_bytes_max

    def lines(self, content: Reader) -> LineReader | None:
        """The lines of the content; None for chunks."""
        if self._by == "chunks":
            return None
        return LineReader(content, self.text, self.path, line_bytes_max=self._line_bytes_max)

    def work(self, content: Reader, function: Function, lines: LineReader | None) -> Work:
        """What is done to each window."""
        function = at_once(function)
        if lines is None:
            return ChunkWork(content, function, chunk_bytes=self._chunk_bytes, width=self._width)
        if self._by == "records":
            return LineWork(
                lines, RecordFunction(function), width=self._width, as_bytes=True, parse=neighbour
            )
        return LineWork(lines, function, width=self._width, as_bytes=self._as_bytes)


@dataclass(frozen=True, slots=True)
class _Start:
    """Makes the work in another process, over the same generation of the file."""

    job: _Job
    function: bytes
    way: Way

    def __call__(self) -> Work:
        content = self.way.open()
        return self.job.work(content, unpacked(self.function), self.job.lines(content))


def _replacements(changes: Changes) -> Varied:
    import numpy as np

    starts, stops, sizes = (
        np.frombuffer(column, np.int64) for column in (changes.starts, changes.stops, changes.sizes)
    )
    bounds = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=bounds[1:])
    return Varied(starts, stops, bounds, changes.data)


class _Report:
    """Progress and cancelling of one pass."""

    def __init__(self, size: int, progress: Progress | None, cancel: Cancel | None) -> None:
        self._size = size
        self._progress = progress
        self._cancel = cancel
        self._reported_s = time.monotonic()

    def check(self) -> None:
        if self._cancel is not None and self._cancel():
            raise CancelledError("The transform was cancelled; the file is unchanged.")

    def done(self, offset: int) -> None:
        if (
            self._progress is not None
            and (now_s := time.monotonic()) >= self._reported_s + PROGRESS_INTERVAL_S
        ):
            self._reported_s = now_s
            self._progress(offset, self._size)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._size, self._size)
