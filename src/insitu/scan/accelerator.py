"""Hyperscan as a guide for RE2: it names the places where matches can be, RE2 decides what they are.

Only expressions are guided whose matches Hyperscan is sure to report all of: it reports every end of
every way of matching, RE2's choice among them. What the two read differently (Unicode, white space, the
ends of the text) is not guided; the list of what is, is closed.

Source: https://intel.github.io/hyperscan/dev-reference/compilation.html
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Final

from insitu.scan.syntax import Kind, Token, starts_with_literal, tokens

# More candidates than this in a window cost more calls back into Python than RE2 takes alone.
CANDIDATES_MAX: Final = 2048

# After so many windows with too many candidates the guide is not asked again.
CROWDED_MAX: Final = 3

# Larger counts make Hyperscan's compiler slow.
_REPEAT_MAX: Final = 64

# Classes and assertions that both engines read alike, in bytes and (the first two) in UTF-8 text.
_ALIKE: Final = frozenset({r"\d", r"\w", "$", r"\b", r"\B"})
_ALIKE_BYTES: Final = frozenset({r"\D", r"\W", "."})
_SIMPLE_CLASS: Final = re.compile(r"\[(?:[\w .,;/@#%=!<>~'\"-]|\\[dw])+\]", re.ASCII)
_SIMPLE_CLASS_BYTES: Final = re.compile(r"\[\^?(?:[\w .,;/@#%=!<>~'\"-]|\\[dw])+\]", re.ASCII)
_SIMPLE_OPEN: Final = re.compile(r"\((?:\?(?:P?<\w+>|(s?):))?|\(\?s\)", re.ASCII)
_NOT_ASCII: Final = 128


class Candidates:
    """Where matches can be in one text: none ends, or starts, elsewhere."""

    def __init__(self, spans: list[tuple[int, int]], size: int) -> None:
        self._size: Final = size
        spans.sort(key=lambda span: span[1])
        self._stops: Final = [stop for _, stop in spans]
        # The least start among the candidates from each one on.
        self._starts: Final = list(accumulate((start for start, _ in reversed(spans)), min))[::-1]

    def ahead(self, state: int) -> tuple[int, int] | None:
        """See ``regex.Places``."""
        index = bisect_right(self._stops, state)
        return (max(self._starts[index], state), self._size) if index < len(self._stops) else None


class Accelerator:
    """A compiled guide; several threads may ask it at once."""

    def __init__(self, database: Any, scratch: Any) -> None:
        self._database = database
        self._scratch = scratch
        self._local = threading.local()
        self._crowded = 0

    def places(self, view: memoryview) -> Candidates | None:
        """Where matches can be in a text; None where that is in too many places to be of use."""
        import hyperscan

        if self._crowded >= CROWDED_MAX:
            return None
        if not hasattr(self._local, "scratch"):
            self._local.scratch = self._scratch.clone()
        spans: list[tuple[int, int]] = []

        def note(_id: int, start: int, stop: int, _flags: int, _context: object) -> bool:
            spans.append((start, stop))
            return len(spans) > CANDIDATES_MAX

        try:
            self._database.scan(view, match_event_handler=note, scratch=self._local.scratch)
        except hyperscan.ScanTerminated:
            self._crowded += 1
            return None
        return Candidates(spans, len(view))


def accelerator(pattern: str, *, utf8: bool) -> Accelerator | None:
    """Makes the guide for an expression; None where it is not needed, not sure, or not installed."""
    translated = _translated(list(tokens(pattern)), utf8)
    if translated is None:
        return None
    try:
        import hyperscan

        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        flags = hyperscan.HS_FLAG_MULTILINE | hyperscan.HS_FLAG_SOM_LEFTMOST
        database.compile(expressions=[translated.encode("ascii")], flags=[flags])
        return Accelerator(database, hyperscan.Scratch(database))
    except ImportError:
        return None
    except hyperscan.error:
        # Empty matches, or more states than Hyperscan takes: RE2 does those alone.
        return None


def _translated(parts: list[Token], utf8: bool) -> str | None:
    """The expression for Hyperscan; None where RE2 is as fast, or the two might differ."""
    if starts_with_literal(parts):
        return None
    texts = []
    for index, token in enumerate(parts):
        text = _alike(token, utf8, first=index == 0)
        if text is None or (token.kind is Kind.REPEAT and parts[index - 1].kind is Kind.ASSERTION):
            return None
        texts.append(text)
    return "".join(texts)


def _alike(token: Token, utf8: bool, *, first: bool) -> str | None:
    """The token for Hyperscan, where both read it alike; else None."""
    kind, text = token.kind, token.text
    if kind is Kind.LITERAL:
        return f"\\x{ord(token.char):02x}" if ord(token.char) < _NOT_ASCII else None
    if kind is Kind.REPEAT:
        return text if all(int(number) <= _REPEAT_MAX for number in re.findall(r"\d+", text)) else None
    if kind in (Kind.CLOSE, Kind.EITHER):
        return text
    if kind in (Kind.OPEN, Kind.FLAGS):
        return text if _SIMPLE_OPEN.fullmatch(text) else None
    if text == "^":
        # Hyperscan sees no line start behind a line end that ends the text.
        return text if first else None
    simple = _SIMPLE_CLASS if utf8 else _SIMPLE_CLASS_BYTES
    known = text in _ALIKE or (not utf8 and text in _ALIKE_BYTES) or simple.fullmatch(text)
    return text if known else None
