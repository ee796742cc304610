"""Edits by line numbers: whether the lines are still what the caller saw, and where they are now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import RequestError, SpanError, StaleError
from insitu.formats.lines import split_ending, split_text
from insitu.workspace.changing import Work
from insitu.workspace.excerpts import anchor, decoded, fitting, lines_from, visible
from insitu.workspace.near_lines import line_start, whole_line
from insitu.workspace.ranges import Numbers
from insitu.workspace.seen import find_again, part_digest

_REACH_LINES: Final = 1_000
"""How far lines are looked for when others were inserted or deleted before them."""

_SHOWN_LINES: Final = 12
_SHOWN_CHARS: Final = 200
_ANCHOR: Final = re.compile(r"(\d{1,18}):([0-9a-f]{4})")


def expected_lines(work: Work, asked: Numbers, text: str | None, anchored: str | None) -> tuple[int, int]:
    """Where the lines that an edit means are now: first and last number.

    Args:
        text: what they hold, as the caller saw them.
        anchored: number and hash of the first one, as ``file_read`` with prefix="anchor" shows it.

    Raises:
        StaleError: they are not what was expected, and are not found near by; the error shows them.
        SpanError: there are no such lines.
        RequestError: nothing says what they are expected to be.
    """
    document = work.document
    if asked.last is None:
        check_there(work, asked.first)
    last = len(document.lines) if asked.last is None else asked.last
    if text is not None:
        return _holding(work, asked.first, last, text)
    if anchored is not None:
        _check_anchor(work, asked.first, last, anchored)
        if asked.first == last:
            return last, last
    if work.seen_version is None:
        check_there(work, last)
        raise RequestError(
            f"Nothing says what lines {asked} of {work.path} are expected to hold; nothing was changed.",
            hint='Add version="..." of your last read, or expect_text, or (for one line) anchor. They hold '
            f"now:\n{_shown(document, asked.first, last)}",
        )
    if not work.moved_on:
        check_there(work, last)
        return asked.first, last
    digests = work.desk.seen.digests(work.path, work.seen_version, asked.first, last)
    if digests is None:
        raise _stale(work, asked.first, last, "the file changed since, and what they were is not known")
    first = _found_again(document, digests, asked.first)
    if first is None:
        raise _stale(work, asked.first, last, "they changed since you saw them")
    return first, first + last - asked.first


def check_seen(work: Work, span: Span | None, what: str) -> None:
    """Refuses to change a part that was another one in the version the caller saw, as far as is known.

    Args:
        span: where the part is now; None: only its place is known, and that goes by counting.
        what: it is, for the error.

    Raises:
        StaleError: the file has changed, and the part is none that was shown of that version.
    """
    if not work.moved_on:
        return
    assert work.seen_version is not None
    part = None if span is None else part_digest(work.document, span)
    if part is not None and work.desk.seen.saw(work.path, work.seen_version, part):
        return
    shown = ""
    if span is not None:
        data = work.document.read(span.start, min(span.size, 4 * _SHOWN_CHARS))
        shown = f", and now holds:\n{visible(fitting(decoded(work.document, data), _SHOWN_CHARS))}"
    raise StaleError(
        f"{work.path} changed since the version you saw, and {what} is not what was shown of it; nothing was "
        "changed.",
        hint=f'Read it again, or send the edit with version="{work.version}" if it still fits{shown}',
        version=work.version,
    )


def check_there(work: Work, last: int) -> None:
    """Refuses lines that are not there.

    Args:
        last: the number of the last of them.
    """
    try:
        whole_line(work.document, last - 1)
    except SpanError:
        raise no_such_line(work, last) from None


def no_such_line(work: Work, number: int) -> SpanError:
    """The refusal of a line behind the last one."""
    count = len(work.document.lines)
    return SpanError(
        f"{work.path} has {count:,} lines; there is no line {number:,}. Nothing was changed.",
        hint=f"It has lines 1 to {count}; file_append adds more." if count else "file_append adds lines.",
        line_count=count,
    )


def _holding(work: Work, first: int, last: int, text: str) -> tuple[int, int]:
    """Where lines that hold a text are: at their numbers, else at the one place near by."""
    document = work.document
    newline = document.lines.newline
    lines = split_text(document.text.encode(text), newline) or [b""]
    if len(lines) != last - first + 1:
        raise RequestError(
            f"expect_text has {len(lines)} lines, and lines {first}-{last} are {last - first + 1}; nothing "
            "was changed.",
            hint="Give the whole lines, all of them.",
        )
    digests = [xxh3_64_intdigest(_said(line, newline)) for line in lines]
    found = _found_again(document, digests, first)
    if found is None:
        raise _stale(work, first, last, "they do not hold expect_text")
    return found, found + last - first


def _said(line: bytes, newline: bytes) -> bytes:
    """What a line of the caller says: it may end as any line can."""
    lf = newline.replace(b"\r", b"\n")
    return split_ending(line, lf if line.endswith(lf) else newline)[0]


def _check_anchor(work: Work, first: int, last: int, anchored: str) -> None:
    match = _ANCHOR.fullmatch(anchored)
    if match is None or int(match[1]) != first:
        raise RequestError(
            f"{anchored[:40]!r} is no anchor of line {first}; nothing was changed.",
            hint='An anchor is "number:hash" as file_read with prefix="anchor" shows before the line.',
        )
    if last > first and work.seen_version is None:
        raise RequestError(
            f"The anchor answers for line {first} alone, and lines {first}-{last} are meant; nothing "
            "was changed.",
            hint="Add version, or give expect_text with all the lines.",
        )
    check_there(work, first)
    start = line_start(work.document, first - 1)
    line = next(lines_from(work.document, first, start, work.document.size))
    if anchor(line) != match[2]:
        raise _stale(work, first, last, "the anchor does not fit")


def _found_again(document: Document, digests: Sequence[int], first: int) -> int | None:
    """Where lines are now: looked for around their place only where they are not at it."""
    last = first + len(digests) - 1
    for reach in (0, _REACH_LINES):
        around = _digests(document, max(1, first - reach), last + reach)
        if (found := find_again(digests, around, first)) is not None:
            return found
    return None


def _digests(document: Document, low: int, high: int) -> dict[int, int | None]:
    """Digests of some lines, by number."""
    found: dict[int, int | None] = {}
    for line in lines_from(document, low, *_from_line(document, low)):
        found[line.number] = line.digest
        if line.number == high:
            break
    return found


def _from_line(document: Document, number: int) -> tuple[int, int]:
    """What is from a line on: nothing where there is none."""
    try:
        return line_start(document, number - 1), document.size
    except SpanError:
        return document.size, document.size


def _stale(work: Work, first: int, last: int, why: str) -> StaleError:
    shown = _shown(work.document, first, last)
    return StaleError(
        f"Lines {first}-{last} of {work.path} are not what the edit expects: {why}; nothing was changed.",
        hint=f'They hold now (version="{work.version}"):\n{shown}'
        if shown
        else "There are no such lines now.",
        version=work.version,
    )


def _shown(document: Document, first: int, last: int) -> str:
    shown = []
    for line in lines_from(document, first, *_from_line(document, first)):
        if line.number > min(last, first + _SHOWN_LINES - 1):
            break
        text = decoded(document, line.said[: 4 * _SHOWN_CHARS])
        shown.append(f"{line.number}\t{visible(fitting(text, _SHOWN_CHARS))}")
    if last >= first + _SHOWN_LINES:
        shown.append(f"[... to line {last}]")
    return "\n".join(shown)
