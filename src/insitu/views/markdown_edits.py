"""Planning edits of sections: what is put where, which blank lines go with it, and what must come of it.

An edit is planned as splices and as the headings the document shall have afterwards. The splices are laid
over the content and scanned: where other headings come out, the edit is tried with a blank line more, and
then refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import LimitError, RequestError
from insitu.formats.markdown_blocks import BlockScanner, Heading, Leaf
from insitu.formats.markdown_rules import ATX, HEADINGS_MAX
from insitu.formats.markdown_titles import joined, title_place
from insitu.scan.windows import WINDOW_BYTES, windows

if TYPE_CHECKING:
    from insitu.views.markdown_outline import Outline

# What is put in, and what is moved, is held in memory.
HELD_BYTES_MAX: Final = 32 << 20

_LF_ALONE: Final = re.compile(rb"(?<!\r)\n")
_BLANK_LINE: Final = re.compile(rb"[ \t]*(?:\r\n?|\n)")
_REST_OF_LINE: Final = re.compile(rb"[ \t]*(?:\r\n?|\n)?")
_ATX_START: Final = re.compile(rb" {0,3}#{1,6}(?:[ \t\r\n]|\Z)")

# How far back blank lines before a place are looked for.
_GAP_BYTES: Final = 4 << 10


class Place(NamedTuple):
    """A gap between blocks: where something is put in, and what surrounds it."""

    offset: int
    blank: bool
    """Whether blank lines stand there already."""
    ended: bool
    """Whether the line before has an ending."""
    before: bool
    """Whether text precedes that new text must be kept apart from by a blank line."""
    after: bool
    """Whether text follows, likewise."""
    final: bool
    """Whether nothing follows."""


def newline_of(reader: Reader) -> bytes:
    """The first line ending of a content; CR only where its first window has no LF."""
    head = reader.read(0, min(WINDOW_BYTES, reader.size))
    at = head.find(b"\n")
    if at < 0:
        # A CR that ends the window may belong to an LF behind it.
        return b"\r" if b"\r" in (head if len(head) == reader.size else head[:-1]) else b"\n"
    return b"\r\n" if head[:at].endswith(b"\r") else b"\n"


def with_newline(text: bytes, newline: bytes) -> bytes:
    """A caller's text with the document's line ends in the place of LF; CR LF and CR stay.

    Raises:
        LimitError: it is too long to be held.
    """
    if len(text) > HELD_BYTES_MAX:
        raise LimitError(
            f"A section's text may have {HELD_BYTES_MAX:,} bytes, not {len(text):,}; nothing was changed.",
            hint="Put it in with doc.insert(offset, insitu.extent(...)).",
        )
    return text if newline == b"\n" else _LF_ALONE.sub(newline, text)


def blocks_of(text: bytes, newline: bytes) -> bytes:
    """A text as whole lines, without blank lines around it."""
    while (blank := _BLANK_LINE.match(text)) and blank.end():
        text = text[blank.end() :]
    text = text.rstrip(b" \t\r\n") if not text.strip(b" \t\r\n") else _without_final_blanks(text)
    return text + newline if text and not text.endswith((b"\n", b"\r")) else text


def _without_final_blanks(text: bytes) -> bytes:
    end = len(text.rstrip(b" \t\r\n"))
    rest = _REST_OF_LINE.match(text, end)
    return text[: rest.end()] if end and rest else b""


def headings_of(text: bytes) -> tuple[list[Heading], Leaf]:
    """The headings of a text by itself, and what is left open behind it."""
    scanner = BlockScanner()
    found = [*scanner.feed(text), *scanner.close()]
    return found, scanner.state.leaf


def place_before(reader: Reader, offset: int, *, low: int) -> Place:
    """The gap that ends where a block starts, or at the end of the content.

    Args:
        low: where the heading before ends, which nothing need be kept apart from, or the document begins.
    """
    start = max(low, offset - _GAP_BYTES)
    data = reader.read(start, offset - start)
    core = _without_final_blanks(data)
    empty = start == low and not core
    final = offset == reader.size
    next_atx = final or _ATX_START.match(reader.read(offset, min(16, reader.size - offset))) is not None
    previous = reader.read(offset - 1, 1) if offset else b"\n"
    blank = len(core) < len(data)
    return Place(
        offset, blank, previous in (b"\n", b"\r"), not blank and not empty, not final and not next_atx, final
    )


def inserted(place: Place, text: bytes, newline: bytes, *, more: tuple[bool, bool] = (False, False)) -> bytes:
    """The bytes that put a text in a gap, with the blank lines it needs.

    Args:
        more: whether to add one before, and after, in any case.
    """
    before = b"" if place.ended else newline
    # A heading needs none; between blocks it does as its neighbours do, at the end there is none to follow.
    if (place.before and (place.final or not _ATX_START.match(text))) or more[0]:
        before += newline
    after = newline if not place.final and (place.blank or place.after or more[1]) else b""
    return before + text + after


def core_span(reader: Reader, span: Span) -> Span:
    """A span without the blank lines at both its ends; empty if it has no others."""
    start = span.start
    for window in windows(reader, span.start, span.stop):
        data = bytes(window.own)
        at = 0
        while (blank := _BLANK_LINE.match(data, at)) and blank.end() > at:
            at = blank.end()
        start = window.span.start + at
        if at < len(data):
            break
    stop = span.stop
    while stop > start:
        low = max(start, stop - _GAP_BYTES)
        data = reader.read(low, stop - low)
        kept = len(_without_final_blanks(data))
        if kept:
            return Span(start, low + kept)
        stop = low
    return Span(start, start)


def relevelled(reader: Reader, outline: Outline, indexes: range, by: int) -> Iterator[tuple[Span, bytes]]:
    """Yields the splices that change the levels of headings; a setext heading becomes ATX from 3 on.

    Raises:
        RequestError: a level would leave 1 to 6.
    """
    levels = outline.levels[indexes.start : indexes.stop]
    low, high = int(levels.min()) + by, int(levels.max()) + by
    if low < 1 or high > HEADINGS_MAX:
        raise RequestError(
            f"A heading would be of level {low if low < 1 else high}, and levels are 1 to {HEADINGS_MAX}; "
            "nothing was changed.",
            hint="Change fewer levels, or move the deepest sections first.",
        )
    for index in indexes:
        span = outline.heading(index)
        if span.size > HELD_BYTES_MAX:
            raise LimitError(f"The heading at byte {span.start:,} is too long; nothing was changed.")
        yield from _relevelled(reader.read(*_offset_size(span)), span.start, int(outline.levels[index]) + by)


def _relevelled(heading: bytes, start: int, level: int) -> Iterator[tuple[Span, bytes]]:
    place = title_place(heading)
    if not place.setext:
        at = len(heading) - len(heading.lstrip(b" "))
        found = ATX.match(re.split(rb"[\r\n]", heading, maxsplit=1)[0], at)
        assert found is not None
        yield Span(start + at, start + found.end()), b"#" * level
        return
    line = _last_line(heading)
    body = heading[line:].rstrip(b" \t\r\n")
    marker = len(body.lstrip(b" "))
    if level <= 2:
        at = start + line + len(body) - marker
        yield Span(at, at + marker), (b"=" if level == 1 else b"-") * marker
        return
    stop = line + len(body)
    yield Span(start, start + stop), b"#" * level + b" " + joined(heading[place.start : place.stop])


def _last_line(heading: bytes) -> int:
    text = heading.removesuffix(b"\n").removesuffix(b"\r")
    return max(text.rfind(b"\n"), text.rfind(b"\r")) + 1


def applied(data: bytes, offset: int, edits: Iterable[tuple[Span, bytes]]) -> bytes:
    """Bytes that stand at an offset with splices made in them."""
    parts = []
    at = offset
    for span, new in edits:
        parts += [data[at - offset : span.start - offset], new]
        at = span.stop
    return b"".join([*parts, data[at - offset :]])


def _offset_size(span: Span) -> tuple[int, int]:
    return span.start, span.size
