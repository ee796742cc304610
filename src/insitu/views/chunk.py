"""One chunk: a piece of a content for a model to read, and the span to edit."""

from __future__ import annotations

from typing import Any

from insitu.core.spans import Span
from insitu.views.readable import Readable


class Chunk:
    """A piece of the content.

    Attributes:
        number: from 1.
        span: its bytes; the chunks of a content are contiguous and cover it.
        lines: numbers of the first and the last line it has something of.
        rows: numbers of the first and the last row or record it has something of; None where there are none.
        path: the headings it stands under, from the outermost in, as they are written.
        size: in the unit of the budget; an estimate where that is one.
        hash: XXH3 of its bytes (64 bits, hexadecimal): to tell whether they are still what they were.
        id: XXH3 of its bytes, seeded with that of its path: stays while both do, wherever the chunk moves.
            Equal chunks share one.
        split: it has only a part of a paragraph, table, row or the like that alone exceeds the budget.
        oversized: it exceeds the budget: a single character does.
        header: the bytes of the header row, if the chunk does not hold it; None: there is none.
        before_bytes, after_bytes: how many of the bytes around it are shown with it, for reading only; 0
            without ``overlap``.
    """

    __slots__ = (
        *("_source", "after_bytes", "before_bytes", "hash", "header", "id", "lines", "number"),
        *("oversized", "path", "rows", "size", "span", "split"),
    )

    def __init__(
        self,
        source: Readable,
        number: int,
        span: Span,
        lines: tuple[int, int],
        rows: tuple[int, int] | None,
        path: tuple[str, ...],
        size: int,
        hash_: str,
        id_: str,
        header: Span | None,
        split: bool,
        oversized: bool,
    ) -> None:
        self._source = source
        self.number = number
        self.span = span
        self.lines = lines
        self.rows = rows
        self.path = path
        self.size = size
        self.hash = hash_
        self.id = id_
        self.header = header
        self.split = split
        self.oversized = oversized
        self.before_bytes = 0
        self.after_bytes = 0

    def __repr__(self) -> str:
        return f"<insitu.Chunk {self.number}, bytes {self.span.start}:{self.span.stop}>"

    @property
    def before(self) -> Span:
        """The bytes in front of it that are shown with it."""
        return Span(self.span.start - self.before_bytes, self.span.start)

    @property
    def after(self) -> Span:
        """The bytes behind it that are shown with it."""
        return Span(self.span.stop, self.span.stop + self.after_bytes)

    def bytes(self) -> bytes:
        """Its bytes, as they are now."""
        return self._source.read(self.span.start, self.span.size)

    def text(self, *, context: bool = False) -> str:
        """Its text; what is no text comes as surrogate escapes, so that it can be written back as it was.

        Bytes behind the last whole code unit of UTF-16 or UTF-32 come as those of ASCII do.

        Args:
            context: with the header row and the read-only context around it.
        """
        if not context:
            return self._decoded(self.span)
        header = "" if self.header is None else self._decoded(self.header)
        return header + self._decoded(self.before) + self._decoded(self.span) + self._decoded(self.after)

    def as_dict(self) -> dict[str, Any]:
        """All that is known of it but its text, with the values of JSON."""
        return {
            "number": self.number,
            "id": self.id,
            "hash": self.hash,
            "bytes": list(self.span),
            "lines": list(self.lines),
            "rows": None if self.rows is None else list(self.rows),
            "path": list(self.path),
            "size": self.size,
            "header": None if self.header is None else list(self.header),
            "before": list(self.before),
            "after": list(self.after),
            "split": self.split,
            "oversized": self.oversized,
        }

    def _decoded(self, span: Span) -> str:
        encoding, data = self._source.text, self._source.read(span.start, span.size)
        whole = len(data) - len(data) % encoding.unit
        return encoding.decode(data[:whole]) + data[whole:].decode("ascii", "surrogateescape")
