"""Where the rows of a document's current content are: the kept index of its base, and what is pending."""

from __future__ import annotations

from typing import Protocol

from insitu.core.columns import block_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.sequence import Change, Sequence
from insitu.core.spans import Span
from insitu.engine.kept_index import kept
from insitu.engine.row_index import RowIndex, kept_rows, row_index_kind
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.formats.csv_dialect import Dialect


class Indexed(Protocol):
    """What the places of rows are told by: a document."""

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    @property
    def site(self) -> Site:
        """Where the file and its state are."""
        ...

    @property
    def policy(self) -> Policy:
        """Whether an index may be kept beside the file."""
        ...

    @property
    def base(self) -> Reader:
        """The file without the pending edits."""
        ...

    @property
    def sequence(self) -> Sequence:
        """The pending edits; another one after a commit."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes of the current content."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills a buffer; as ``read`` otherwise."""
        ...


class RowPlaces:
    """The row index of the current content, kept up with every edit.

    Cost: the first question makes the index of the base (one read of the file, or of what is kept beside
        it). An edit made through ``replaced`` costs the granules around it; after other edits all pending
        ones are looked at again, each with the granules around it.
    """

    def __init__(self, document: Indexed, dialect: Dialect) -> None:
        self._document = document
        self._dialect = dialect
        self._sequence: Sequence | None = None
        self._base: RowIndex | None = None
        self._current: RowIndex | None = None
        # What was pending when the current index was made; a list of its own after every edit.
        self._seen: list[Change] = []

    def index(self, progress: Progress | None = None, cancel: Cancel | None = None) -> RowIndex:
        """The index of the current content.

        Raises:
            FormatError: a quote is never closed, or one is misplaced and the dialect strict.
            CancelledError: ``cancel`` said so.
        """
        base = self._known_base() or self._of_base(progress, cancel)
        return self._of_current(base, cancel)

    def kept(self) -> RowIndex | None:
        """The index of the current content, where that of the base is kept: it is not built.

        Raises:
            FormatError: as ``index``.
        """
        document, known = self._document, self._known_base()
        if known is None and isinstance(document.base, Snapshot):
            known = kept_rows(document.site, document.base, document.policy, self._dialect)
        return known and self._of_current(known, None)

    def replaced(self, span: Span, new_size: int) -> None:
        """Follows an edit that was just made to the content this index is of.

        Args:
            span: what was replaced, as it lay before; ``new_size``: how many bytes are there now.
        """
        if self._current is not None:
            patched = self._current.patched([block_of([(*span, new_size)])], self._document)
            self._current, self._seen = patched, self._document.sequence.changes()

    def _known_base(self) -> RowIndex | None:
        """The index of the base, where it was asked for before."""
        return self._base if self._sequence is self._document.sequence else None

    def _of_current(self, base: RowIndex, cancel: Cancel | None) -> RowIndex:
        """The index of the base with what is pending."""
        document = self._document
        if base is not self._base:
            self._sequence, self._base, self._current = document.sequence, base, None
        changes = document.sequence.changes()
        if self._current is None or changes is not self._seen:
            self._current = base
            if changes:
                triples = ((*change.base, change.current.size) for change in changes)
                self._current = base.patched([block_of(triples)], document, cancel=cancel)
            self._seen = changes
        return self._current

    def _of_base(self, progress: Progress | None, cancel: Cancel | None) -> RowIndex:
        document, base = self._document, self._document.base
        if isinstance(base, Snapshot):
            kind = row_index_kind(document.site, self._dialect)
            return kept(document.site, base, document.policy, kind, progress, cancel)
        return RowIndex.build(base, self._dialect, progress=progress, cancel=cancel)
