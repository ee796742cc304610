"""Windows of the result rendered: the kept runs of the base, and what splices bring between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from insitu.core.columns import Pool, Window
from insitu.core.spans import Span

ReadBase = Callable[[int, int], bytes | bytearray | memoryview]

# Deleted bytes inside a window are read along with their neighbours while they are fewer than the window:
# one call instead of one per kept run (about 1 us each).
_READ_THROUGH_BYTES = 1 << 20

# Two objects of about 200 bytes stand for each splice while it is rendered: so many are 2 MB.
_RENDERED_SPLICES = 1 << 12


class Parts(NamedTuple):
    """Bytes that whoever needs them joins: that does not hold the interpreter, as making the list does."""

    glue: bytes
    """What stands between two parts."""
    parts: Sequence[bytes | bytearray | memoryview]

    def joined(self) -> bytes | bytearray | memoryview:
        """The bytes; a single part as it is."""
        return self.parts[0] if len(self.parts) == 1 else self.glue.join(self.parts)


def render(window: Window, pool: Pool, read_base: ReadBase) -> bytes | bytearray | memoryview:
    """The bytes of a window of the result; see ``parts_of``."""
    return parts_of(window, pool, read_base).joined()


def parts_of(window: Window, pool: Pool, read_base: ReadBase) -> Parts:
    """The bytes of a window of the result, valid as long as what ``read_base`` returned.

    Cost: reads the kept runs (and short deletions between them) once; memory for the window, and for some
        thousand of its splices as objects.
    """
    if not window.starts:
        return Parts(b"", (read_base(window.base.start, window.base.size),))
    if len(window.starts) <= _RENDERED_SPLICES:
        return _parts(window, pool, read_base)
    whole = bytearray()
    for part in window.parts(_RENDERED_SPLICES):
        whole += _parts(part, pool, read_base).joined()
    return Parts(b"", (whole,))


def render_into(
    window: Window, pool: Pool, read_base_into: Callable[[int, memoryview], object], buffer: memoryview
) -> None:
    """As ``render``, with every kept run read right where it belongs: for windows of few splices.

    Args:
        buffer: as long as the window.

    Cost: a read for each kept run; no copy of what is kept.
    """
    first = window.news[0]
    literals = memoryview(pool.read(first, window.news[-1] - first))
    at = 0
    for i, run in enumerate(_all_runs(window)):
        if run.size:
            read_base_into(run.start, buffer[at : at + run.size])
            at += run.size
        if i < len(window.starts):
            new = literals[window.news[i] - first : window.news[i + 1] - first]
            buffer[at : at + len(new)] = new
            at += len(new)


def _all_runs(window: Window) -> Iterator[Span]:
    """Yields the kept runs before, between and after the splices, empty ones included."""
    begins = (window.base.start, *window.stops)
    return map(Span, begins, (*window.starts, window.base.stop))


def _parts(window: Window, pool: Pool, read_base: ReadBase) -> Parts:
    """As ``parts_of``, for a window with so few splices that each may be an object."""
    runs = _kept(window, read_base)
    new = Span(window.news[0], window.news[-1])
    unit = pool.unit(new)
    if unit is not None and _repeats(window.news, len(unit)):
        return Parts(unit, runs)
    literals = memoryview(pool.read(new.start, new.size))
    parts: list[bytes | memoryview] = []
    for run, a, b in zip(runs, window.news, window.news[1:], strict=False):
        parts += (run, literals[a - new.start : b - new.start])
    parts.append(runs[-1])
    return Parts(b"", parts)


def _repeats(news: Sequence[int], size: int) -> bool:
    """Whether every splice brings so many bytes."""
    expected = range(news[0], news[-1] + 1, size)
    return news == expected if isinstance(news, range) else list(news) == list(expected)


def _kept(window: Window, read_base: ReadBase) -> list[bytes | memoryview]:
    """The kept runs before, between and after the splices, empty ones included."""
    begins = [window.base.start, *window.stops]
    ends = [*window.starts, window.base.stop]
    start, size = window.base.start, window.base.size
    if size <= window.result.size + _READ_THROUGH_BYTES:
        data = memoryview(read_base(start, size))
        return [data[a - start : b - start] for a, b in zip(begins, ends, strict=True)]
    return [bytes(read_base(a, b - a)) if a < b else b"" for a, b in zip(begins, ends, strict=True)]
