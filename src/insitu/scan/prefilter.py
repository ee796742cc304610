"""Fixed bytes as a guide for RE2: it is run only where the bytes occur that every match holds."""

from __future__ import annotations

from typing import Any, Final

from insitu.scan.required import Required

# Where the bytes occur oftener than this on average, RE2 alone is as fast: a place costs 2.5 us (to find
# it and its line, and one call of RE2), which RE2 needs for 4 KiB on two cores, and for some 30 KiB where
# it skips ahead to a prefix by itself.
GAP_BYTES: Final = 1 << 12
GAP_BYTES_PREFIXED: Final = 1 << 15

# Short texts may hold as many places as this.
PLACES_MIN: Final = 16

# After a window with too many places some are not asked about: twice as many each time, at most so many.
REST_WINDOWS_MAX: Final = 64


class Prefilter:
    """Finds what is required; several threads may ask it at once."""

    def __init__(self, required: Required, *, prefixed: bool) -> None:
        import stringzilla

        self._required: Final = required
        self._gap_bytes: Final = GAP_BYTES_PREFIXED if prefixed else GAP_BYTES
        self._find: Final[Any] = stringzilla.find
        # Threads may lose each other's updates of these: they say how much to ask, not what is true.
        self._pause = 1
        self._rest = 0

    def places(self, view: memoryview) -> Hits | None:
        """Where the bytes are in a text; None where that is in too many places to be of use."""
        if self._rest > 0:
            self._rest -= 1
            return None
        most = max(len(view) // self._gap_bytes, PLACES_MIN)
        hits: list[int] = []
        for literal in self._required.literals:
            hit = self._find(view, literal)
            while hit >= 0:
                hits.append(hit)
                if len(hits) > most:
                    self._rest = self._pause
                    self._pause = min(2 * self._pause, REST_WINDOWS_MAX)
                    return None
                hit = self._find(view, literal, hit + 1)
        self._pause = 1
        hits.sort()
        return Hits(view, hits, self._required)


class Hits:
    """The places in one text, asked about from left to right."""

    def __init__(self, view: memoryview, hits: list[int], required: Required) -> None:
        import stringzilla

        self._view: Final = view
        self._hits: Final = hits
        self._required: Final = required
        self._next = 0
        self._line_end = -1
        self._find: Final[Any] = stringzilla.find
        self._rfind: Final[Any] = stringzilla.rfind

    def ahead(self, state: int) -> tuple[int, int] | None:
        """See ``regex.Places``."""
        # A match that starts at the state or later holds a hit from ``state + first`` on: the next one or one
        # behind it. So it starts no earlier than ``last`` bytes before that hit; and where it lies
        # on one line, no earlier than the line of the hit, and what starts on that line ends there.
        hits, required = self._hits, self._required
        while self._next < len(hits) and hits[self._next] < state + required.first:
            self._next += 1
        if self._next == len(hits):
            return None
        hit = hits[self._next]
        if required.last is not None:
            low = max(hit - required.last, state)
        else:
            low = state + self._rfind(self._view[state:hit], b"\n") + 1
        if not required.one_line:
            return low, len(self._view)
        # Kept, because a file without line ends would be searched to its end for every hit.
        if hit > self._line_end:
            line_end = self._find(self._view, b"\n", hit)
            self._line_end = line_end if line_end >= 0 else len(self._view)
        return low, self._line_end
