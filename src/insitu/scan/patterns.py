"""What all patterns share: how far they look, how one stretch is searched, how matches are replaced.

The matches of a pattern are the sequence a whole-file search makes from the left: at each *state* (an
offset) the leftmost match that starts there or later is next, and the state after a match is where it
stops, or one byte further where it is empty. The sequence depends on nothing but state and bytes, so
two searches that reach one state go on alike; that is what lets stretches be searched in parallel.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import PatternError
from insitu.scan.windows import Window

# The longest match that is searched for. A window has to hold it; ours are as large.
MATCH_BYTES_MAX: Final = 1 << 20


class Columns(NamedTuple):
    """Starts and stops of matches in file order: lists where they are few, packed arrays where many."""

    starts: Sequence[int]
    stops: Sequence[int]


class Template:
    r"""A replacement with references to groups: ``\1`` to ``\99``, ``\g<1>``, ``\g<name>``, ``\0``.

    ``\\`` is a backslash; ``\n``, ``\r`` and ``\t`` are the characters Python's ``re`` means by them.

    Raises:
        PatternError: an unknown escape, or a group that the pattern does not have.
    """

    _REFERENCE: Final = re.compile(rb"\\(?:(\d{1,2})|g<(\w+)>|(.)|$)", re.DOTALL)
    _ESCAPES: Final = {b"\\": b"\\", b"n": b"\n", b"r": b"\r", b"t": b"\t"}

    def __init__(self, template: bytes, groups: int, names: dict[str, int]) -> None:
        parts: list[bytes | int] = []
        offset = 0
        for found in self._REFERENCE.finditer(template):
            parts.append(template[offset : found.start()])
            parts.append(self._part(found, groups, names))
            offset = found.end()
        parts.append(template[offset:])
        self._parts: Final = tuple(parts)

    @property
    def constant(self) -> bytes | None:
        """The replacement where it is the same for every match; else None."""
        if any(isinstance(part, int) for part in self._parts):
            return None
        return b"".join(part for part in self._parts if isinstance(part, bytes))

    def fill(self, groups: Sequence[bytes]) -> bytes:
        """The replacement for one match; ``groups[0]`` is the match, an unmatched group is empty."""
        return b"".join(groups[part] if isinstance(part, int) else part for part in self._parts)

    def _part(self, found: re.Match[bytes], groups: int, names: dict[str, int]) -> bytes | int:
        number, name, escape = found.groups()
        if escape is not None and escape in self._ESCAPES:
            return self._ESCAPES[escape]
        text = (number or name or b"").decode("utf-8", "replace")
        index = int(text) if text.isdecimal() else names.get(text, groups + 1)
        if (number or name) and index <= groups:
            return index
        raise PatternError(
            f"The replacement holds {found[0].decode('utf-8', 'replace')!r}, which names no group"
            f" of the pattern and is no escape.",
            hint=rf"The pattern has {groups} groups; write a backslash as \\.",
            offset=found.start(),
            groups=groups,
        )


class Pattern(ABC):
    """Something to search for. Immutable, and used by several threads at once."""

    source: str | bytes
    # Whether ``stretch`` frees the GIL for most of its time, so that threads gain.
    threaded = True
    # Whether the matches of all windows, each counted by itself with ``count``, are the matches in all.
    countable = False
    # Neighbouring bytes that ``groups_of`` wants to see on both sides of a match.
    margin_bytes = 0
    # How many groups, and the numbers of those with names; group 0 is the whole match.
    groups = 0
    names: dict[str, int] = {}  # noqa: RUF012 - never changed, replaced by subclasses

    def template(self, template: bytes) -> Template:
        """Parses a replacement; for a literal it is taken as it stands."""
        return Template(template, self.groups, self.names)

    @abstractmethod
    def context(self, window_bytes: int) -> tuple[int, int]:
        """How many bytes of context a window of that size needs, before and after it."""

    @abstractmethod
    def stretch(self, reader: Reader, window: Window, bound: Span) -> Columns:
        """The matches, from the state ``window.span.start``, that start inside the window's span.

        Matches lie inside ``bound``; what lies outside is seen by anchors only. The last window
        of the bound also has the empty match at its end.

        Raises:
            PatternError: whether or how a match ends cannot be told from MATCH_BYTES_MAX bytes.
        """

    @abstractmethod
    def groups_of(self, text: memoryview, start: int, stop: int) -> Sequence[bytes]:
        """The groups of a known match ``text[start:stop]``, seen with its neighbouring bytes."""

    def count(self, window: Window, bound: Span) -> int:
        """How many matches ``stretch`` would return; asked of ``countable`` patterns only."""
        raise NotImplementedError

    def last(self, window: Window, bound: Span) -> Span | None:
        """The last match that starts in the window; for literals only."""
        raise PatternError(
            f"A regular expression ({self.source!r}) cannot be searched backwards.",
            hint="Search forwards and keep the last match, or search for a literal.",
        )


def too_long(start: int, source: str | bytes) -> PatternError:
    """The error for a match that no window holds."""
    return PatternError(
        f"What {source!r} matches at offset {start} is longer than {MATCH_BYTES_MAX} bytes, or more bytes"
        f" than that are needed to tell where it ends; nothing shorter is reported instead.",
        hint="Narrow the expression, for example with [^\\n] instead of a dot that matches line ends,"
        " with a lazy repetition (*?) or with an upper bound ({0,1000}).",
        offset=start,
        match_bytes_max=MATCH_BYTES_MAX,
    )
