"""Lines as ``file_read`` shows them: as many as the answer holds, and the call that shows the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import SpanError
from insitu.scan.search import compile_literal, rfind
from insitu.views.text import text_start
from insitu.workspace.described import line_count, line_is_ended
from insitu.workspace.excerpts import LINE_CHARS_MAX, Line, Shown, Window, anchor, lines_from
from insitu.workspace.locating import lines_span
from insitu.workspace.near_lines import line_number, whole_line
from insitu.workspace.ranges import Numbers

Prefix = Literal["none", "line", "anchor"]

# Lines near the end are found one by one, each in a window of this.
_BACK_BYTES: Final = 64 << 10
_LINE_BYTES_MAX: Final = 16 << 20
_CHARACTER_BYTES_MAX: Final = 4


class LinesPart(NamedTuple):
    """Whole lines that are to be shown.

    Args:
        number: of the first line, from 1; None where it is not known, as counting would read the file.
        tail: how many lines are asked for, of which the last ones are shown; 0: the first ones are.
    """

    span: Span
    number: int | None
    tail: int = 0


@dataclass(frozen=True)
class LineView:
    """How lines are shown.

    Args:
        again: makes the call that goes on, from an address.
    """

    again: Callable[..., str]
    path: str
    columns: Numbers | None
    prefix: Prefix
    chars_max: int

    def shown(self, document: Document, part: LinesPart) -> Shown:
        """As many of the lines as fit."""
        window = Window(self.path, self.columns, min(LINE_CHARS_MAX, self.chars_max))
        texts: list[str] = []
        lines: list[Line] = []
        left, cut = self.chars_max, False
        for line in lines_from(document, part.number or 1, *part.span):
            text = self._prefixed(line, part) + window.shown(document, line, numbered=part.number is not None)
            left -= len(text) + 1
            if left < 0 and lines and not part.tail:
                cut = True
                break
            texts.append(text)
            lines.append(line._replace(head=b"") if part.number is None else line)
            while left < 0 and len(lines) > 1:
                cut = True
                left += len(texts.pop(0)) + 1
                lines.pop(0)
        numbered = (lines[0].number, lines[-1].number) if lines and part.number is not None else None
        return Shown(
            what=self._said(document, part, lines),
            body="\n".join(texts),
            footer=self._footer(document, part, lines, cut=cut),
            lines=numbered,
            digests={
                line.number: digest
                for line in (lines if numbered else ())
                if (digest := line.digest) is not None
            },
        )

    def _prefixed(self, line: Line, part: LinesPart) -> str:
        if self.prefix == "none" or part.number is None:
            return ""
        return f"{line.number}\t" if self.prefix == "line" else f"{line.number}:{anchor(line)}\t"

    def _said(self, document: Document, part: LinesPart, lines: list[Line]) -> str:
        """What is shown, and of how much."""
        if not lines:
            return "nothing" if document.size else "empty"
        total = line_count(document)
        if part.number is None:
            return f"last {len(lines)} lines of {total}"
        return f"lines {lines[0].number}-{lines[-1].number} of {total}"

    def _footer(self, document: Document, part: LinesPart, lines: list[Line], *, cut: bool) -> str:
        why = f"[cut at {self.chars_max:,} characters"
        stop = lines[0].span.start if lines else 0
        if part.tail and stop > text_start(document, document.text) and (cut or len(lines) < part.tail):
            if part.number is None:
                start = part.span.start if part.span.start < stop else max(0, stop - self.chars_max)
                address = {"bytes": f"{start}:{stop}", "form": "text"}
            else:
                address = {"lines": f"{max(1, lines[-1].number - part.tail + 1)}-{lines[0].number - 1}"}
            return f"{why}; the lines before: {self.again(**address)}]"
        if cut:
            after = lines[-1].number + 1
            if part.span.stop == document.size:
                return f"{why}; go on with {self.again(lines=f'{after}-')}]"
            last = line_number(document, part.span.stop - 1)
            return f"{why}; go on with {self.again(lines=f'{after}-{last}')}]"
        if part.span.stop < document.size:
            return ""
        ended = document.size == 0 or line_is_ended(document)
        return "[end of file]" if ended else "[end of file, without a final line ending]"


def numbered_lines(document: Document, first: int, last: int | None, path: str) -> LinesPart:
    """The lines from one number to another; only so much of an index is made as they take.

    Raises:
        SpanError: there is no first one.
    """
    if first == 1 and (last is None or not document.size):
        return LinesPart(Span(0, document.size), 1)
    try:
        start = whole_line(document, first - 1).start
    except SpanError:
        count = len(document.lines)
        raise SpanError(
            f"{path} has {count:,} lines; there is no line {first:,}.",
            hint=f'Its last lines: lines="{max(1, count - 9)}-{count}", or tail=10.' if count else "",
            line_count=count,
        ) from None
    stop = document.size if last is None else lines_span(document, first, last).stop
    return LinesPart(Span(start, stop), first)


def last_lines(document: Document, count: int, chars_max: int) -> LinesPart:
    """The last lines, found from the end; numbered where they are counted anyway.

    Of more than an answer can hold at best, those before are left out at once.
    """
    newline, size = document.lines.newline, document.size
    unit = len(newline)
    pattern = compile_literal(newline, unit)
    stop = size - unit if size and line_is_ended(document) else size
    start, found = size, 0
    while start > 0 and found < count and size - start <= _CHARACTER_BYTES_MAX * chars_max:
        low = max(0, stop - _LINE_BYTES_MAX) if found else 0
        before = rfind(document, pattern, low, stop, window_bytes=_BACK_BYTES)
        if before is None and low:
            break  # a line that would fill an answer, and is not worth reading to its start
        start, stop = (before.stop, before.start) if before is not None else (0, 0)
        found += 1
    total = line_count(document)
    number = max(1, total.count - found + 1) if total.exact else None
    return LinesPart(Span(start, size), number, tail=count)
