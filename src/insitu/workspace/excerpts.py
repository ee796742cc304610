"""Lines as a model is shown them: cut to a budget, long ones to a window, nothing invisible.

Whatever a line holds (a gigabyte, NULs, escape sequences, bytes that are no text), what is shown is short
and printable, and says what it leaves out.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

from insitu.core.spans import Span
from insitu.document import Document
from insitu.formats.lines import find_unit, split_ending
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.text import text_start
from insitu.workspace.ranges import Numbers

LINE_CHARS_MAX: Final = 2_000
"""Characters shown of a line; a minified file would else fill an answer with its first line."""

ANCHOR_DIGITS: Final = 4
"""Hex digits of an anchor. It is checked together with its line number, so 1 in 65,536 goes unnoticed."""

_FIRST_BYTES: Final = 16 << 10

# What a terminal or a model could take for something else than text: controls, and marks that turn the
# direction of writing or have no width (Unicode TR 36, "Trojan Source" CVE-2021-42574).
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Line(NamedTuple):
    """A line of a document.

    Args:
        span: its bytes, the ending included.
        head: its first bytes: all of a line of at most a window, its ending included.
        newline: what ends lines in the document.
    """

    number: int
    span: Span
    head: bytes
    newline: bytes

    @property
    def whole(self) -> bool:
        """Whether ``head`` is all of it."""
        return len(self.head) == self.span.size

    @property
    def said(self) -> bytes:
        """What it says, without its ending; of a long line the first bytes."""
        return split_ending(self.head, self.newline)[0]

    @property
    def digest(self) -> int | None:
        """Stands for what it says; None for a line too long to be compared."""
        return xxh3_64_intdigest(self.said) if self.whole else None


def lines_from(document: Document, number: int, start: int, stop: int) -> Iterator[Line]:
    """Yields the lines of a span that starts with a line, in bounded memory.

    Args:
        number: of the first line, from 1.
    """
    newline = document.lines.newline
    top = min(text_start(document, document.text), stop)
    unit, offset, window_bytes = len(newline), max(start, top), _FIRST_BYTES
    while offset < stop:
        data = document.read(offset, min(window_bytes, stop - offset))
        at = 0
        while (end := find_unit(data, newline, at) + unit) > 0:
            yield Line(number, Span(offset + at, offset + end), data[at:end], newline)
            number, at = number + 1, end
        last = offset + len(data) == stop
        if at == 0 and not last and len(data) >= WINDOW_BYTES:
            end = _line_stop(document, newline, offset + len(data), stop)
            yield Line(number, Span(offset, end), data, newline)
            number, offset = number + 1, end
            continue
        if last and at < len(data):
            yield Line(number, Span(offset + at, stop), data[at:], newline)
            return
        offset += at
        window_bytes = min(4 * window_bytes, WINDOW_BYTES)


def _line_stop(document: Document, newline: bytes, start: int, stop: int) -> int:
    """Where the line that reaches to ``start`` stops."""
    at = start - start % len(newline)
    while (found := document.find(newline, at, stop)) >= 0:
        if found % len(newline) == 0:
            return found + len(newline)
        at = found + 1
    return stop


def anchor(line: Line) -> str:
    """A short hash of a line, its ending left out: names its contents beside its number."""
    return xxh3_64_hexdigest(line.said)[:ANCHOR_DIGITS] if line.whole else "-"


def visible(text: str) -> str:
    """The text with everything unseen shown as an escape; bytes that are no text as ``\\xNN``."""
    text = _SURROGATE.sub(
        lambda match: (
            f"\\x{ord(match[0]) - 0xDC00:02x}"
            if "\udc80" <= match[0] <= "\udcff"
            else f"\\u{ord(match[0]):04x}"
        ),
        text,
    )
    return _UNSEEN.sub(_escape, text)


def in_one_line(text: str) -> str:
    """As ``visible``, with tabs and line ends spelled out, which would be taken for those between items."""
    return visible(text).replace("\t", "\\t").replace("\n", "\\n")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def decoded(document: Document, data: bytes) -> str:
    """The text of some bytes of a document; what its codec has no escapes for is spelled out."""
    try:
        return document.text.decode(data)
    except UnicodeDecodeError:
        return data.decode(document.text.name, "backslashreplace")


def fitting(text: str, chars_max: int) -> str:
    """As much of a text, from its start, as takes at most so many characters once it is visible."""
    text = text[:chars_max]
    if len(visible(text)) <= chars_max:
        return text
    return text[: bisect_right(range(len(text) + 1), chars_max, key=lambda end: len(visible(text[:end]))) - 1]


class Shown(NamedTuple):
    """What is shown of a file.

    Args:
        what: it is, and of how much.
        footer: why it stops there, and the call that goes on.
        lines: numbers of the first and last line, where lines are shown by number.
        digests: of the lines, by number.
        parts: digests of the rows, records, values or bytes that are shown.
    """

    what: str
    body: str
    footer: str
    lines: tuple[int, int] | None = None
    digests: Mapping[int, int] = MappingProxyType({})
    parts: Sequence[int] = ()


def read_call(path: str, **arguments: object) -> str:
    """A call of ``file_read`` as a model can make it."""
    return tool_call("file_read", path=path, **arguments)


def tool_call(name: str, **arguments: object) -> str:
    """A call of a tool as a model can make it."""
    return " ".join((name, *(f"{key}={_quoted(value)}" for key, value in arguments.items())))


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Window:
    """Which characters of each line are shown.

    Args:
        path: the file, as the call that shows more of a line names it.
        columns: from 1; None: the first ones.
        chars_max: at most so many.
    """

    path: str
    columns: Numbers | None = None
    chars_max: int = LINE_CHARS_MAX

    def shown(self, document: Document, line: Line, *, numbered: bool = True) -> str:
        """What is shown of a line, without its ending; says what is left out, and the call that shows it.

        Args:
            numbered: whether the line's number is the one it has in the file.
        """
        first = 0 if self.columns is None else self.columns.start
        most = self.chars_max
        if self.columns is not None and self.columns.last is not None:
            most = min(most, self.columns.last - first)
        raw, more = self._cut(document, line, first, most)
        if not more:
            return visible(raw)
        if self.columns is not None and numbered:
            following = f"{first + len(raw) + 1}-{first + 2 * len(raw)}"
            call = read_call(self.path, lines=str(line.number), columns=following)
        else:  # by bytes, a window far inside a long line is as near as its first one
            passed = self._characters(document, line, 0, first) if first else ""
            shown = (passed + raw).encode(document.text.name, document.text.errors)
            begin = line.span.start + len(shown)
            call = read_call(self.path, bytes=f"{begin}:{line.span.stop}", form="text")
        return f"{visible(raw)} [... {more}: {call}]"

    def _cut(self, document: Document, line: Line, first: int, most: int) -> tuple[str, str]:
        """The characters that are shown, and what is left of the line behind them; empty: nothing."""
        if line.whole:
            body = decoded(document, line.said)
            raw = fitting(body[first:], most)
            left = len(body) - first - len(raw)
            return raw, f"{left:,} more characters" if left > 0 else ""
        raw = self._characters(document, line, first, most + 1)
        shown = fitting(raw, most)
        return shown, f"of {line.span.size:,} bytes" if len(shown) < len(raw) else ""

    def _characters(self, document: Document, line: Line, first: int, count: int) -> str:
        """Some characters of a line, read up to them and no further."""
        import codecs

        ending = split_ending(document.read(max(line.span.start, line.span.stop - 8), 8), line.newline)[1]
        offset, stop = line.span.start, line.span.stop - len(ending)
        decoder = codecs.getincrementaldecoder(document.text.name)(document.text.errors)
        kept, passed = "", 0
        while offset < stop and len(kept) < count:
            data = document.read(offset, min(WINDOW_BYTES, stop - offset))
            offset += len(data)
            text = decoder.decode(data)
            kept += text[max(0, first - passed) :][: count - len(kept)]
            passed += len(text)
        return kept
