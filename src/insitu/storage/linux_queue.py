"""Queues for a file's lock, kept by the kernel in record locks on the folder: a dead waiter leaves none.

A waiter holds one byte of the folder, shared, behind those of all who came before: it is first when no byte
before its own is held. Each name has a stretch of the offsets to itself; two that share one by chance, and
two that take the same place in the same moment, wait for each other a little and lose nothing.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from typing import Final

from insitu.storage import linux_calls as calls

# Of the 63 bits of an offset 32 tell names apart. No queue outlives so many waiters: it ends as soon as
# nobody waits. The first of the places are for those who go ahead.
_PLACES: Final = 1 << 31
_AHEAD: Final = 1 << 24


class FolderQueue:
    """A ``Queue`` in an open folder, which it closes.

    Args:
        folder: descriptor of the folder that the file lies in.
        name: the file's name in it.
    """

    __slots__ = ("_folder", "_place", "_start")

    def __init__(self, folder: int, name: str) -> None:
        self._folder = folder
        self._start = zlib.crc32(os.fsencode(name)) * _PLACES
        self._place: int | None = None

    def join(self, *, ahead: bool = False) -> None:
        """Takes the last place, or that of those ahead; where the file system has no record locks, none."""
        place = self._start + (0 if ahead else _AHEAD)
        stop = self._start + (_AHEAD if ahead else _PLACES)
        with suppress(OSError):
            while place < stop and (taken := calls.shared_byte(self._folder, place, stop)) is not None:
                place = taken + 1
            if place < stop:
                calls.share_byte(self._folder, place)
                self._place = place

    def first(self) -> bool:
        """Whether nobody waits who came before; before joining: whether nobody waits."""
        stop = self._start + _PLACES if self._place is None else self._place
        try:
            return stop == self._start or calls.shared_byte(self._folder, self._start, stop) is None
        except OSError:
            return True

    def close(self) -> None:
        """Gives the place up."""
        os.close(self._folder)
