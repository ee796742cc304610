"""An index of lines that is made as far as somebody asks, and no further.

What was counted is saved beside the file as a part of its index, so that the next opening goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.kept_index import SAVED_FROM_BYTES, kept_part, line_kind, save_kept
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.engine.trail import settled

# The first lines of a file are found in one window; whoever asks for others gets the eighth part more, so
# that asking for one after the other does not make the index anew each time.
_STEP_BYTES_MIN: Final = 1 << 20
_STEP_PART: Final = 8

# What was counted of a step that is cancelled is lost: a slow disk passes one in some seconds.
_STEP_BYTES_MAX: Final = 128 << 20

# How much further than the mean says lines are counted at once, in 1/64.
_MARGIN: Final = 1

# Counting less than this again costs less than saving it.
_SAVED_STEP_BYTES: Final = 32 << 20


class GrowingIndex:
    """Where the lines of a snapshot begin. Otherwise as ``LineIndex``.

    Args:
        cancel: asked between windows while lines are counted; what was counted before stays.

    Raises:
        CancelledError: from any question: ``cancel`` said so.
        StaleError: the file was cut shorter meanwhile.

    Cost: reads the file up to what is asked about, once; what an earlier opening counted is not read.
    """

    def __init__(self, site: Site, base: Snapshot, policy: Policy, cancel: Cancel | None = None) -> None:
        self._site = site
        self._base = base
        self._policy = policy
        self._cancel = cancel
        self._certain = settled(base.generation.mtime_ns)  # asked before the first read
        self._kind = line_kind(site, base)
        known = kept_part(site, base, policy, self._kind, cancel)
        self._index = self._kind.build(base.cut(0), None, None) if known is None else known
        self._saved = self._index.size

    @property
    def newline(self) -> bytes:
        """The byte that ends lines."""
        return self._index.newline

    @property
    def size(self) -> int:
        """How many bytes were counted so far."""
        return self._index.size

    def ends_before(self, offset: int) -> int:
        """How many line ends lie in ``[0, offset)``."""
        stop = min(offset, self._base.size)
        with self._counting():
            while self._index.size < stop:
                self._grow(offset - self._index.size)
        return self._index.ends_before(offset)

    def find_end(self, number: int, stop: int) -> int | None:
        """The offset just after the line end ``number``; None where there are fewer before ``stop``."""
        index, last = self._index, min(stop, self._base.size)
        with self._counting():
            while index.count < number and index.size < last:
                missing = (number - index.count) * index.size // index.count if index.count else index.size
                self._grow(missing + missing * _MARGIN // 64)
                index = self._index
        return index.find_end(number, stop)

    def _grow(self, wanted_bytes: int) -> None:
        """Counts further, about so far at most."""
        index, base = self._index, self._base
        step = max(wanted_bytes, index.size // _STEP_PART, _STEP_BYTES_MIN)
        stop = index.size + min(step, _STEP_BYTES_MAX)
        stop += -stop % GRANULE_BYTES
        self._index = index.extended(base if stop >= base.size else base.cut(stop), cancel=self._cancel)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Saves what was counted, whatever ended it."""
        try:
            yield
        finally:
            base, size = self._base, self._index.size
            if size - self._saved >= (1 if size == base.size else _SAVED_STEP_BYTES):
                self._saved = size
                if self._certain and base.size >= SAVED_FROM_BYTES:
                    save_kept(self._site, base, self._policy, self._kind, self._index)
