"""Finding the text that an edit names: exactly, but for which line endings the file has.

A text matches as it is written. What a model cannot see it need not get right: where the text has a line
ending, any of LF and CR LF in the file will do, line by line. Nothing else is ever folded; what would fit
with other white space or other quotes is only suggested.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import InsituError, NoMatchError, RequestError, SpanError
from insitu.scan.patterns import Pattern
from insitu.scan.search import compile_literal, compile_regex
from insitu.workspace.call import Call
from insitu.workspace.excerpts import decoded, fitting, lines_from, visible
from insitu.workspace.near_lines import line_number, line_start
from insitu.workspace.scanning import OutOfTime, matches, out_of_time

CANDIDATES_MAX: Final = 10
"""Places listed of a text that occurs several times."""

_SHOWN_CHARS: Final = 160
_SIMILAR_LINES: Final = 3
_COMPARED_LINES: Final = 2_000
_NEAR_LINES: Final = (40, 1_000)

# Characters that models write for one another, as classes of a regular expression.
_LOOK_ALIKES: Final = (
    "'\u2018\u2019\u201a\u201b`",
    '"\u201c\u201d\u201e\u201f',
    "-\u2010\u2011\u2012\u2013\u2014\u2212",
)


def pattern_of(document: Document, text: str) -> Pattern:
    """The pattern that finds a text whichever line endings the file has.

    Raises:
        RequestError: the text is empty.
        TextError: the file's encoding cannot hold it.
    """
    if not text:
        raise RequestError(
            "The text to be found is empty; nothing was changed.", hint="Give a text that is in the file."
        )
    encode = document.text.encode
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) == 1:
        return compile_literal(encode(text), document.text.unit)
    lf, cr = _escaped(encode("\n")), _escaped(encode("\r"))
    ending = b"(?:" + cr + b")?" + lf
    if document.lines.newline == encode("\r"):
        ending = b"(?:" + ending + b"|" + cr + b")"
    return compile_regex(ending.join(_escaped(encode(line)) for line in lines))


def _escaped(data: bytes) -> bytes:
    r"""A regular expression that matches these bytes: bytes beyond ASCII and controls as ``\xNN``."""
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"\\x%02x" % byte for byte in data)


_PLAIN: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _\"'=:;,<>/@#%&~`!"
)


class Wanted(NamedTuple):
    """Which occurrences of a text are meant.

    Args:
        span: where they are looked for.
        near_line: the one nearest to this line, from 1; None: no such preference.
    """

    span: Span
    near_line: int | None = None


def occurrences(document: Document, text: str, wanted: Wanted, call: Call) -> Iterator[Span]:
    """Yields the places where a text stands, in file order, or (near a line) the nearest one alone.

    Raises:
        LimitError: the search took too long.
    """
    pattern = pattern_of(document, text)
    try:
        if wanted.near_line is None:
            yield from matches(document, pattern, wanted.span, call)
        else:
            nearest = _nearest(document, pattern, wanted, call)
            if nearest is not None:
                yield nearest
    except OutOfTime as late:
        raise out_of_time(document.path, call, late, document.size) from None


def _nearest(document: Document, pattern: Pattern, wanted: Wanted, call: Call) -> Span | None:
    """The match whose line is nearest to a line: looked for around it first."""
    near = wanted.near_line
    assert near is not None

    def distance(match: Span) -> int:
        return abs(line_number(document, match.start) - near)

    for reach in _NEAR_LINES:
        around = lines_span(document, max(1, near - reach), near + reach)
        span = Span(max(around.start, wanted.span.start), min(around.stop, wanted.span.stop))
        if span.size > 0 and (found := list(matches(document, pattern, span, call))):
            return min(found, key=distance)
    return min(matches(document, pattern, wanted.span, call), key=distance, default=None)


def lines_span(document: Document, first: int, last: int | None) -> Span:
    """The bytes of the lines from ``first`` to ``last``, both from 1; cut to what the file has."""
    lines = document.lines
    try:
        start = line_start(document, first - 1)
        return Span(start, document.size if last is None else line_start(document, max(first - 1, last)))
    except SpanError:
        count = len(lines)
        low = min(first - 1, count)
        return lines.span_of(low, max(low, count if last is None else min(last, count)))


def missing_text(document: Document, text: str, path: str, call: Call | None = None) -> InsituError:
    """The refusal of a text that is not in the file, with what comes nearest to it."""
    reason, candidates = _nearest_texts(document, text, call or Call(seconds=5.0))
    return NoMatchError(
        f"The text is not in {path}{reason}; nothing was changed.",
        hint="Copy the text exactly from file_read; the nearest lines are listed."
        if candidates
        else "Search for a shorter part of it with file_search.",
        candidates=candidates,
    )


def _nearest_texts(document: Document, text: str, call: Call) -> tuple[str, list[str]]:
    """Why a text does not fit, and the lines that come nearest, each as ``number: text``."""
    try:
        folded = next(matches(document, _folding(document, text), Span(0, document.size), call), None)
    except (OutOfTime, InsituError):
        folded = None
    if folded is not None:
        number = line_number(document, folded.start)
        last = line_number(document, max(folded.start, folded.stop - 1))
        candidates = [shown for _, shown in _shown_lines(document, number, min(last, number + 9))]
        return f": line {number} differs from it in white space, quotes or dashes only", candidates
    wanted = max(text.splitlines() or [text], key=len).strip()
    lines = dict(_shown_lines(document, 1, _COMPARED_LINES)) if document.size else {}
    similar = difflib.get_close_matches(wanted[:_SHOWN_CHARS], list(lines), n=_SIMILAR_LINES, cutoff=0.6)
    return "", [lines[line] for line in similar]


def _folding(document: Document, text: str) -> Pattern:
    """What matches the text with other white space, quotes or dashes."""
    encode = document.text.encode

    def one(character: str) -> bytes:
        for alike in _LOOK_ALIKES:
            if character in alike:
                return b"(?:" + b"|".join(_escaped(encode(other)) for other in alike) + b")"
        return _escaped(encode(character))

    words = [b"".join(map(one, word)) for word in text.split()]
    if not words or document.text.unit > 1 or document.text.name != "utf-8":
        raise RequestError("There is nothing to fold.")
    return compile_regex(rb"\s+".join(words))


def _shown_lines(document: Document, first: int, last: int) -> Iterator[tuple[str, str]]:
    """Yields lines as they are compared, and as they are shown to a model."""
    start = line_start(document, first - 1)
    for line in islice(lines_from(document, first, start, document.size), last - first + 1):
        text = decoded(document, line.said[: 4 * _SHOWN_CHARS])
        yield text.strip()[:_SHOWN_CHARS], f"{line.number}: {visible(fitting(text, _SHOWN_CHARS))}"


def shown_place(document: Document, span: Span) -> str:
    """A place as a candidate: the number of its line, and the line."""
    number = line_number(document, span.start)
    return next(shown for _, shown in _shown_lines(document, number, number))
