"""Regular expressions by RE2: linear time, the GIL free, and exact at every window edge."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import PatternError
from insitu.scan import syntax
from insitu.scan.accelerator import accelerator
from insitu.scan.patterns import MATCH_BYTES_MAX, Columns, Pattern, too_long
from insitu.scan.prefilter import Prefilter
from insitu.scan.required import required
from insitu.scan.windows import Window

# Bytes behind a window in which most matches that start inside end: a few dozen lines.
LOOKAHEAD_BYTES: Final = 4096

# Shorter texts are searched before Hyperscan would be loaded and compiled.
ACCELERATED_BYTES: Final = 1 << 18

# Matches of one window above which they are packed: lists of integers take five times the memory, and
# several windows wait for their turn.
PACKED_MATCHES: Final = 1 << 10

_CONTINUES: Final = 0x80  # the top two bits of a UTF-8 byte that continues a character
_TOP_BITS: Final = 0xC0
_CHARACTER_BYTES: Final = 4

# Starts and stops found so far.
_Found = tuple[list[int], list[int]]


class Places(Protocol):
    """Where matches can be in one text; asked with ascending states."""

    def ahead(self, state: int) -> tuple[int, int] | None:
        """A stretch of the text, ``low`` to ``high``, to search next; None: no match starts any more.

        No match starts at ``state`` or later and before ``low``. What starts before ``high`` ends there or
        before; ``high`` lies behind ``state``.
        """


class Guide(Protocol):
    """Names places in a text; several threads may ask it at once."""

    def places(self, view: memoryview) -> Places | None:
        """None: not known here, or in so many places that they are of no use."""


class _Text(NamedTuple):
    """Bytes being searched: ``view`` begins at ``offset``, matches end at ``stop`` or before.

    ``cut``: the file's bytes go on behind the view, and matches might, too.
    """

    view: memoryview
    offset: int
    stop: int
    cut: bool


class Regex(Pattern):
    r"""A regular expression in RE2's syntax, with ``^`` and ``$`` matching at line ends.

    ``bytes`` match bytes (classes know ASCII; a case-insensitive one knows Latin-1); ``str`` match
    characters of UTF-8 text, and none of the bytes that are no UTF-8 (``\C`` matches any byte). ``\A``
    and ``\z`` are the ends of the file. After an empty match the search goes on one character further:
    an expression that prefers an empty match to a longer one at the same place (``a*?``) yields only
    the empty one, where Python's ``re`` would go on to yield the longer one as well.

    Raises:
        PatternError: RE2 does not accept the expression; the message holds its reason.
    """

    margin_bytes = 1

    def __init__(self, source: str | bytes, *, accelerated: bool = True) -> None:
        self.source = source
        self._utf8: Final = isinstance(source, str)
        text = source if isinstance(source, str) else source.decode("latin-1")
        import re2

        self._unanchored: Final = re2._re2.RE2.Anchor.UNANCHORED
        self._anchored: Final = re2._re2.RE2.Anchor.ANCHOR_BOTH
        outline = self._compile(f"(?m){text}", captures=True)
        self.groups = outline.NumberOfCapturingGroups()
        self.names = {name.decode(): index for name, index in outline.NamedCapturingGroups()}
        self._outline: Final = outline
        self._whole: Final = self._compile(f"(?m){text}")
        # See ``syntax.open_ended``; anchored to the end, RE2 runs it backwards from there, and so finds the
        # leftmost start from which bytes behind the cut might matter, mostly within a few bytes.
        open_ended = syntax.open_ended(text)
        self._open: Final = self._compile(f"(?m){open_ended}")
        self._reaching: Final = self._compile(rf"(?m)(?:{open_ended})\z")
        self._text_source: Final = text
        self._accelerated = accelerated
        self._accelerator: Guide | None = None
        self._prefilter: Final = self._prefilter_of(list(syntax.tokens(text)))
        self._compiling: Final = threading.Lock()

    def context(self, window_bytes: int) -> tuple[int, int]:
        # Before: what ^ and \b look at. After: never more than a window, so that small ones stay small.
        return 1, min(LOOKAHEAD_BYTES, window_bytes + _CHARACTER_BYTES)

    def groups_of(self, text: memoryview, start: int, stop: int) -> Sequence[bytes]:
        spans = self._outline.Match(self._anchored, text, start, stop)
        return [b"" if low < 0 else bytes(text[low:high]) for low, high in spans]

    def stretch(self, reader: Reader, window: Window, bound: Span) -> Columns:
        found: _Found = ([], [])
        last = window.span.stop == bound.stop
        limit = window.span.stop + last
        text = self._text(reader, window.view, window.offset, bound)
        state = self._scan(text, window.span.start, limit, found)
        size = LOOKAHEAD_BYTES
        while state is not None:
            if text.stop - state >= MATCH_BYTES_MAX:
                raise too_long(state, self.source)
            size = min(max(2 * size, 2 * (text.stop - state)), MATCH_BYTES_MAX + _CHARACTER_BYTES)
            low = max(state - 1, 0)
            view = memoryview(reader.read(low, min(state + size, reader.size) - low))
            text = self._text(reader, view, low, bound)
            state = self._scan(text, state, limit, found)
        if len(found[0]) > PACKED_MATCHES:
            return Columns(array("q", found[0]), array("q", found[1]))
        return Columns(*found)

    def _text(self, reader: Reader, view: memoryview, offset: int, bound: Span) -> _Text:
        high = offset + len(view)
        if high >= min(bound.stop + 1, reader.size):
            return _Text(view, offset, bound.stop, cut=False)
        # A cut may not part the bytes of a character: RE2 takes several steps inside one atom then.
        size = len(view) - 1
        if self._utf8:
            for shorter in range(size, max(size - _CHARACTER_BYTES, 0), -1):
                if view[shorter] & _TOP_BITS != _CONTINUES:
                    size = shorter
                    break
        return _Text(view[:size], offset, offset + size, cut=True)

    def _scan(self, text: _Text, state: int, limit: int, found: _Found) -> int | None:
        """Appends to ``found`` the matches from ``state`` on that start before ``limit``.

        Returns:
            None when done; else the state at which more text is needed to tell.
        """
        state -= text.offset
        limit -= text.offset
        end = text.stop - text.offset
        if not text.cut:
            self._collect(self._whole, text, state, limit, found)
            return None
        # Every way of matching that starts before ``reaching`` ends inside the text: it is settled.
        reaching = self._reaching.Match(self._unanchored, text.view, state, end)[0][0]
        state, _ = self._collect(self._whole, text, state, min(reaching, limit), found)
        if reaching >= limit:
            return None
        state, start = self._collect(self._open, text, max(state, reaching), limit, found)
        return None if start is None else start + text.offset

    def _collect(
        self, engine: Any, text: _Text, state: int, limit: int, found: _Found
    ) -> tuple[int, int | None]:
        """Runs the sequence until a match starts at ``limit`` or later, or touches the cut (open-ended).

        Returns:
            The last state, and the start of the match that touched the cut.
        """
        match, unanchored = engine.Match, self._unanchored
        places = self._places(text.view) if engine is self._whole else None
        starts, stops = found[0].append, found[1].append
        view, offset = text.view, text.offset
        end = text.stop - offset
        watched = end if engine is self._open else -1
        while state < limit and state <= end:
            high = end
            if places is not None:
                if (ahead := places.ahead(state)) is None or ahead[0] >= limit:
                    break
                state, high = ahead[0], min(ahead[1], end)
            start, stop = match(unanchored, view, state, high)[0]
            if start < 0 and high < end:
                state = high
                continue
            if start < 0 or start >= limit:
                break
            if stop == watched:
                return state, start
            if stop > start:
                starts(start + offset)
                stops(stop + offset)
                state = stop
            else:
                # RE2 goes byte by byte; between the bytes of one character is no place.
                if not (self._utf8 and start < len(view) and view[start] & _TOP_BITS == _CONTINUES):
                    starts(start + offset)
                    stops(stop + offset)
                state = stop + 1
        return state, None

    def _places(self, view: memoryview) -> Places | None:
        """Where matches can be, from the guide that knows it."""
        places = self._prefilter.places(view) if self._prefilter else None
        if places is None and self._accelerated and len(view) >= ACCELERATED_BYTES:
            with self._compiling:
                if self._accelerator is None:
                    self._accelerator = accelerator(self._text_source, utf8=self._utf8)
                    self._accelerated = self._accelerator is not None
            places = self._accelerator.places(view) if self._accelerator else None
        return places

    def _prefilter_of(self, parts: list[syntax.Token]) -> Guide | None:
        def newline_in(text: str) -> bool:
            return bool(self._compile(text).Match(self._anchored, b"\n", 0, 1)[0][0] == 0)

        needed = required(parts, "utf-8" if self._utf8 else "latin-1", newline_in)
        if needed is None or (needed.last is None and not needed.one_line):
            return None
        return Prefilter(needed, prefixed=syntax.starts_with_literal(parts))

    def _compile(self, text: str, *, captures: bool = False) -> Any:
        import re2

        options = re2.Options()
        options.encoding = options.Encoding.UTF8 if self._utf8 else options.Encoding.LATIN1
        options.never_capture = not captures
        options.log_errors = False
        engine = re2._re2.RE2(text.encode("utf-8" if self._utf8 else "latin-1"), options)
        if not engine.ok():
            raise PatternError(
                f"RE2 does not accept the regular expression {self.source!r}: {engine.error().decode()}.",
                hint="Lookaround and backreferences are not in RE2's syntax; Python's own re has them"
                " (engine='re'), slowly.",
                pattern=self.source,
            )
        return engine
