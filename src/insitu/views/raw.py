"""A file object over a document, for code that wants one."""

from __future__ import annotations

import io
import os
from typing import Any, Protocol

from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError


class Editable(Protocol):
    """What the file object asks of a document."""

    @property
    def size(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    def read(self, offset: int, size: int) -> bytes: ...
    def replace_span(self, span: Span, data: bytes) -> None: ...


class RawFile(io.RawIOBase):
    """Reads, writes and seeks in a document's current content; writes are pending edits.

    Closing it neither commits nor closes the document.
    """

    def __init__(self, document: Editable) -> None:
        self._document = document
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Unless the document is read-only."""
        return not self._document.read_only

    def tell(self) -> int:
        """Where the next read or write begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves there; may lie behind the end, as in files."""
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._document.size}
        if whence not in origins:
            raise RequestError(f"There is no whence {whence}.", hint="0: the start, 1: here, 2: the end.")
        origin = origins[whence]
        if origin + offset < 0:
            raise SpanError(f"Cannot seek to {origin + offset}, before the start of the file.")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fills ``buffer`` as far as the content goes."""
        view = memoryview(buffer).cast("B")
        size = max(0, min(len(view), self._document.size - self._at))
        if size:
            view[:size] = self._document.read(self._at, size)
            self._at += size
        return size

    def write(self, data: Any) -> int:
        """Overwrites from the current position on, extending the content where it ends."""
        written = bytes(data)
        if not written and self.writable():
            return 0  # as in files, nothing written behind the end extends nothing
        size = self._document.size
        if self._at > size:
            self._document.replace_span(Span(size, size), bytes(self._at - size))
        stop = min(self._at + len(written), self._document.size)
        self._document.replace_span(Span(self._at, stop), written)
        self._at += len(written)
        return len(written)

    def truncate(self, size: int | None = None) -> int:
        """Cuts or extends (with zeros) the content."""
        wanted = self._at if size is None else size
        now = self._document.size
        span = Span(min(wanted, now), now)
        self._document.replace_span(span, bytes(max(0, wanted - now)))
        return wanted
