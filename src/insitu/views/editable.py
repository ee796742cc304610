"""Editing: what can be done to any bytes of a known size, as to a ``bytearray``, and taken back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from insitu.core.pieces import Copy, Literal, Padding, Piece
from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import listed
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.site import Site
from insitu.errors import AccessError, LimitError, RequestError
from insitu.views.readable import Readable
from insitu.views.replacing import Replace
from insitu.views.streaming import MassEdit, Source

if TYPE_CHECKING:
    from insitu.engine.row_index import RowIndex
    from insitu.formats.csv_dialect import Dialect

# Pending edits are kept in memory, about 300 bytes each; insitu.replace streams any number.
PENDING_MAX = 1_000_000


class Editable(Readable):
    """Pending edits over a reader; each can be undone and redone, and reads see them.

    Subclasses set ``sequence``, ``site`` and ``read_only`` beside what ``Readable`` asks for.

    Raises:
        AccessError: from any edit: it was opened for reading only.
        SpanError: from any call: an offset lies outside the current content.
    """

    sequence: Sequence
    site: Site
    read_only: bool

    @property
    def changed(self) -> bool:
        """Whether edits are pending."""
        return self.sequence.changed

    def __setitem__(self, key: int | slice, value: int | bytes | bytearray | memoryview) -> None:
        if isinstance(key, slice):
            start, stop, step = key.indices(self.size)
            if step != 1:
                raise RequestError("Only slices without a step can be assigned.", hint="Assign each byte.")
            self.replace_span(Span(start, max(start, stop)), _bytes_of(value))
            return
        offset = self._index_of(key)
        if not isinstance(value, int):
            raise RequestError(
                "A single byte is assigned an integer.", hint="Use doc[i:i+1] = b'...' for bytes."
            )
        self.replace_span(Span(offset, offset + 1), bytes((value,)))

    def __delitem__(self, key: int | slice) -> None:
        if isinstance(key, slice):
            self.__setitem__(key, b"")
        else:
            offset = self._index_of(key)
            self.replace_span(Span(offset, offset + 1), b"")

    def insert(self, offset: int, data: bytes | Piece) -> None:
        """Inserts bytes, or a piece of another file (``insitu.extent``), before ``offset``."""
        at = offset + self.size if offset < 0 else offset
        if not isinstance(data, Piece):
            self.replace_span(Span(at, at), _bytes_of(data))
            return
        self._check_writable(Span(at, at))
        if isinstance(data, Copy) and data.source == self.path:
            # A piece of the file itself is one of the base, which a commit may have to move.
            data = Copy(None, data.span)
        self.sequence.replace_pieces(Span(at, at), (data,))

    def append(self, data: bytes | Piece) -> None:
        """Appends at the end of the current content."""
        self.insert(self.size, data)

    def delete(self, start: int, stop: int) -> None:
        """Deletes ``[start, stop)``."""
        self.replace_span(Span(start, stop), b"")

    def replace(
        self,
        old: bytes | str,
        new: bytes | str,
        *,
        count: int | None = None,
        expect: int | None = None,
        regex: bool = False,
    ) -> int:
        r"""Replaces matches of ``old``, as one pending edit; returns how many.

        Args:
            count: how many at most; None means all.
            expect: exactly so many matches there must be.
            regex: ``old`` is an expression in RE2's syntax, ``new`` may refer to groups as ``\1``.

        Raises:
            NoMatchError, ExpectationError: there are more or fewer matches than expected.
            LimitError: more than a million; ``insitu.replace`` streams any number.
        """
        return self.make(Replace(old, new, count, expect, regex))

    def make(self, edit: MassEdit, *, progress: Progress | None = None, cancel: Cancel | None = None) -> int:
        """Makes a mass edit over the current content, as one pending edit; returns how many places changed.

        Raises:
            LimitError: more than a million; the one-call verbs stream any number.
            InsituError: as the edit says; nothing was changed.
        """
        edits: list[tuple[Span, bytes]] = []
        source = Source(self._content, self.text, self.path, self._kept_rows)
        for batch in edit.batches(source, progress, cancel):
            edits += listed(batch)
            if len(edits) > PENDING_MAX:
                raise LimitError(
                    f"More than {PENDING_MAX:,} places would change, too many to keep pending.",
                    hint="The one-call verbs, as insitu.replace, stream any number in one commit.",
                )
        self.replace_spans(edits)
        return len(edits)

    def replace_span(self, span: Span, data: bytes) -> None:
        """Replaces a span of the current content by bytes of any size; one undoable edit."""
        self._check_writable(span)
        self.sequence.replace(span, data)

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        """Replaces many spans at once: sorted, disjoint, all in present coordinates; one undoable edit."""
        self._check_writable(Span(0, 0))
        self.sequence.replace_many(edits)

    def replace_padded(self, span: Span, head: bytes, tail: bytes = b"", *, filler: bytes = b" ") -> int:
        """Replaces a span by ``head``, filler and ``tail``: so much that nothing behind it has to move.

        A change of size is rounded up to whole blocks, which the disk inserts or collapses; one that is
        less than a block smaller is filled up. A disk without ranges gets only the latter.

        Args:
            filler: one byte that means nothing between head and tail.

        Returns:
            How many bytes of filler; the receipt of the commit tells how many there are in the end.
        """
        facts = self.site.facts()
        growth = len(head) + len(tail) - span.size
        block = max(facts.atom_bytes, facts.block_bytes)
        count = -growth % block if facts.ranges or -block < growth < 0 else 0
        self._check_writable(span)
        self.sequence.replace_pieces(span, (Literal(head), Padding(filler[0], count), Literal(tail)))
        return count

    def undo(self) -> bool:
        """Takes the last pending edit back; False where there is none."""
        return self.sequence.undo()

    def redo(self) -> bool:
        """Makes the edit that was taken back last again; False where there is none."""
        return self.sequence.redo()

    def discard(self) -> None:
        """Drops everything pending."""
        self.sequence.clear()

    @abstractmethod
    def _kept_rows(self, dialect: Dialect) -> RowIndex | None:
        """The index of the current content's rows in a dialect, where one is kept."""

    def _check_writable(self, span: Span) -> None:
        if self.read_only:
            raise AccessError(f"{self.path} was opened for reading only.", hint="Open it with mode 'r+'.")
        self._check(span)


def _bytes_of(data: Any) -> bytes:
    if isinstance(data, int | str):
        raise RequestError(
            f"Bytes are needed, not {type(data).__name__}; nothing was changed.",
            hint="Encode text first: doc.insert(0, text.encode(doc.encoding)).",
        )
    return bytes(data)
