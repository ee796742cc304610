"""Python's own ``re``, for lookaround and backreferences: slow, and it can hang."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import PatternError
from insitu.scan.patterns import MATCH_BYTES_MAX, Columns, Pattern, too_long
from insitu.scan.windows import Window

# How far lookbehind sees in front of a window.
LOOKBEHIND_BYTES: Final = 1 << 16


class PythonRegex(Pattern):
    r"""A regular expression of Python's ``re``, multiline, over bytes.

    It holds the GIL (one core), takes exponential time for some expressions, and cannot tell which
    bytes it looked at. So it is given MATCH_BYTES_MAX bytes behind each place where a match may start:
    exact for every expression that decides there, and an error for a match that goes on to the last of
    them. One that has to look further (``a(?=[\s\S]{2000000}b)``) does not see it. Unlike RE2, it takes
    the end of the span searched for the end of the text.

    Raises:
        PatternError: ``re`` does not accept the expression, or it is a ``str`` with other than ASCII
            characters (bytes are matched, not characters).
    """

    threaded = False
    margin_bytes = LOOKBEHIND_BYTES

    def __init__(self, source: str | bytes) -> None:
        self.source = source
        try:
            encoded = source.encode("ascii") if isinstance(source, str) else source
            self._engine: Final = re.compile(encoded, re.MULTILINE)
        except UnicodeEncodeError:
            raise PatternError(
                f"Python's re matches bytes here, and {source!r} holds other characters than ASCII.",
                hint="Use the standard engine (RE2), or give the expression as bytes.",
                pattern=source,
            ) from None
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternError(
                f"Python's re does not accept the regular expression {source!r}: {error}.",
                hint="See the syntax in the documentation of Python's re module.",
                pattern=source,
            ) from None
        self.groups = self._engine.groups
        self.names = dict(self._engine.groupindex)

    def context(self, window_bytes: int) -> tuple[int, int]:
        del window_bytes
        return LOOKBEHIND_BYTES, MATCH_BYTES_MAX

    def groups_of(self, text: memoryview, start: int, stop: int) -> Sequence[bytes]:
        found = self._engine.match(text, start)
        if found is None or found.end() != stop:
            found = self._engine.fullmatch(text, start, stop)
        if found is None:
            raise PatternError(
                f"What {self.source!r} matches depends on more than {LOOKBEHIND_BYTES} bytes around it.",
                hint="Use an expression that looks less far.",
                pattern=self.source,
            )
        return [bytes(group or b"") for group in (found[0], *found.groups())]

    def stretch(self, reader: Reader, window: Window, bound: Span) -> Columns:
        base = window.offset
        last = window.span.stop == bound.stop
        cut = base + len(window.view) < bound.stop
        end = min(len(window.view), bound.stop - base)
        starts: list[int] = []
        stops: list[int] = []
        for found in self._engine.finditer(window.view, window.before, end):
            start, stop = found.span()
            if start + base >= window.span.stop + last:
                break
            if cut and stop == end:
                raise too_long(start + base, self.source)
            starts.append(start + base)
            stops.append(stop + base)
        return Columns(starts, stops)
