"""Half-open byte spans and their arithmetic."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Bytes ``[start, stop)``; empty where both are equal."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes the span holds."""
        return self.stop - self.start

    def moved(self, by: int) -> Span:
        """The span ``by`` bytes further right (left where negative)."""
        return Span(self.start + by, self.stop + by)

    def overlaps(self, other: Span) -> bool:
        """Whether at least one byte lies in both."""
        return self.start < other.stop and other.start < self.stop

    def holds(self, other: Span) -> bool:
        """Whether every byte of ``other`` lies in this span."""
        return self.start <= other.start and other.stop <= self.stop

    def widened(self, unit: int) -> Span:
        """The smallest span around this one that starts and stops on multiples of ``unit``."""
        return Span(floor(self.start, unit), ceil(self.stop, unit))


def floor(offset: int, unit: int) -> int:
    """The largest multiple of ``unit`` that is not above ``offset``."""
    return offset - offset % unit


def ceil(offset: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not below ``offset``."""
    return offset + -offset % unit
