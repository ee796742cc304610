"""The current content of a document: its base with the pending edits over it, as a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable

from insitu.core.pieces import Copy, Fill, Kept, Literal
from insitu.core.protocols import Reader
from insitu.core.sequence import Sequence
from insitu.core.spans import Span


class Content:
    """Reads what the document would be if its pending edits were committed.

    Args:
        open_source: opens another file that a pasted piece names.
    """

    def __init__(self, base: Reader, sequence: Sequence, open_source: Callable[[str], Reader]) -> None:
        self._base = base
        self._sequence = sequence
        self._open_source = open_source
        # Searches read on several threads, and a rope adds up sizes while it is asked for pieces.
        self._locating = threading.Lock()

    @property
    def size(self) -> int:
        """In bytes."""
        return self._sequence.size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        if not self._sequence.changed:
            return self._base.read(offset, size)
        buffer = bytearray(size)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``."""
        if not self._sequence.changed:
            self._base.read_into(offset, buffer)
            return
        at = 0
        with self._locating:
            pieces = list(self._sequence.pieces(Span(offset, offset + len(buffer))))
        for piece in pieces:
            view = buffer[at : at + piece.size]
            match piece:
                case Kept(span):
                    self._base.read_into(span.start, view)
                case Literal(data):
                    view[:] = data
                case Fill(byte, count):
                    view[:] = bytes((byte,)) * count
                case Copy(source, span):
                    with self._locating:
                        reader = self._base if source is None else self._open_source(source)
                    reader.read_into(span.start, view)
            at += piece.size
