"""The verbs that edit places: each locks before it locates, so parallel calls queue and never conflict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from insitu.api.opening import LOCK_TIMEOUT_S, Path, open
from insitu.core.pieces import Piece
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.document import Document
from insitu.engine.receipt import Receipt
from insitu.views.edits import Edit, place
from insitu.views.streaming import Preview, unchanged


class Editing:
    """One edit through a locked document; ``receipt`` is there once the block has ended."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._receipt: Receipt | None = None

    @property
    def receipt(self) -> Receipt:
        """What the commit did."""
        assert self._receipt is not None
        return self._receipt

    def commit(self, progress: Progress | None, cancel: Cancel | None) -> None:
        """Commits; an edit that changes nothing gets a receipt that says so."""
        before = self.document.generation
        self._receipt = self.document.commit(progress=progress, cancel=cancel) or unchanged(before)


@contextmanager
def editing(
    path: Path,
    *,
    encoding: str | None = None,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Editing]:
    """Locks a file, lets the block edit it through a document, and commits at its end.

    Args:
        encoding: of the text; None: as it seems.
        policy: what the commit must keep to.
        lock_timeout_s: how long to wait for the lock.
        progress: told (bytes done, bytes in all).
        cancel: asked whether to stop before the commit point.
    """
    with open(path, encoding=encoding, policy=policy, lock_timeout_s=lock_timeout_s, locked=True) as document:
        edit = Editing(document)
        yield edit
        edit.commit(progress, cancel)


def write(path: Path, start: int, stop: int, data: bytes, **options: Any) -> Receipt:
    """Replaces ``[start, stop)`` by bytes of any size. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.replace_span(Span(start, stop), data)
    return edit.receipt


def insert(path: Path, offset: int, data: bytes | Piece, **options: Any) -> Receipt:
    """Inserts bytes, or a piece of another file, before ``offset``. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.insert(offset, data)
    return edit.receipt


def append(path: Path, data: bytes | Piece, **options: Any) -> Receipt:
    """Appends to a file. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.append(data)
    return edit.receipt


def delete(path: Path, start: int, stop: int, **options: Any) -> Receipt:
    """Deletes ``[start, stop)``. Options as ``editing``."""
    return write(path, start, stop, b"", **options)


def apply(path: Path, edits: Iterable[Edit], **options: Any) -> Receipt:
    """Makes many edits in one commit; all are placed in the file as it is, none sees another's effect.

    Raises:
        SpanError: two edits overlap, or one lies outside the file.
        ExpectationError, NoMatchError, AmbiguousError: an edit does not find what it expects.
        TextError: the file's encoding cannot hold a text.
    """
    with editing(path, **options) as edit:
        edit.document.replace_spans(place(edit.document, edits))
    return edit.receipt


def preview_apply(
    path: Path, edits: Iterable[Edit], *, policy: Policy | None = None, **options: Any
) -> Preview:
    """What ``apply`` would do; the file is not touched."""
    with open(path, "r", policy=policy, **options) as document:
        placed = place(document, edits)
        document.sequence.replace_many(placed)
        if not document.changed:
            return Preview(None, "", 0)
        return Preview(document.plan(), document.diff(), len(placed))
