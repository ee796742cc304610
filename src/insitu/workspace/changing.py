"""What all editing tools share: one document, changed in one commit, told briefly.

A tool only makes its edits pending (``Edit.make``); opening, the checks of version and budget, dry runs,
the commit and the answer are here, once. A transaction makes those of several documents pending first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import msgspec

from insitu.core.spans import Span
from insitu.document import Document
from insitu.engine.receipt import Receipt
from insitu.errors import SpanError
from insitu.workspace.call import Call
from insitu.workspace.described import version_of
from insitu.workspace.excerpts import Line, decoded, fitting, lines_from, visible
from insitu.workspace.near_lines import line_number, line_start
from insitu.workspace.request import OfFile, Reply

if TYPE_CHECKING:
    from insitu.workspace.desk import Desk, Opened

# A one-line edit is answered within 600 characters; the lines around a change are what is left of it.
_LISTED: Final = 8
_SNIPPET_LINES: Final = 4
_SNIPPET_CHARS: Final = 72
_SNIPPETS: Final = 3


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """One changed place.

    Args:
        was: what was there, as an address: ``"lines 5-6"``.
        now: what is there now; empty where it is gone.
        note: what the caller should know of it, as how it was matched.
    """

    was: str = ""
    now: str = ""
    note: str = ""


class Changed(Reply):
    """What an edit did.

    Args:
        edit_id: names it for file_undo; 0 where nothing was changed.
        version: of the file now.
        rebased: whether the file had changed since the version that the caller named.
        changes: the first changed places; ``count`` says how many there are.
    """

    path: str
    edit_id: int
    version: str
    count: int
    changes: tuple[Place, ...] = ()
    rebased: bool = False
    dry_run: bool = False
    bytes_written: int = 0
    diff: str = ""
    around: str = ""
    created: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def made_by(cls, path: str, receipt: Receipt, count: int, **more: Any) -> Self:
        """The answer to a commit that made so many changes."""
        return cls(
            path=path,
            edit_id=receipt.operation,
            version=version_of(receipt.after),
            count=count,
            bytes_written=receipt.bytes_written,
            **more,
        )

    def sentence(self) -> str:
        changes = f"{self.count:,} change{'' if self.count == 1 else 's'}"
        if self.dry_run:
            return f"Dry run, nothing written: {changes} would be made in {self.path}."
        if self.created:
            return f"Created {self.path} with {self.bytes_written:,} bytes."
        if not self.edit_id:
            return f"Nothing to change in {self.path}: it holds this already."
        rebased = " (rebased: the file was not the version you named)" if self.rebased else ""
        return f"Made {changes} in {self.path}{rebased}. To take back: file_undo edit_id={self.edit_id}."

    def text(self) -> str:
        shown = "\n".join(part for part in (self.around, self.diff) if part)
        brief = msgspec.structs.replace(self, around="", diff="")
        return "\n".join(part for part in (Reply.text(brief), shown) if part)


class Pending(NamedTuple):
    """An edit of the content as it is, not made yet.

    Args:
        span: what it replaces.
        data: by what.
        note: see ``Place``.
    """

    span: Span
    data: bytes
    note: str = ""


class Work(NamedTuple):
    """What an editing tool works on.

    Args:
        seen_version: which version the caller saw last; None: it did not say.
    """

    desk: Desk
    opened: Opened
    call: Call
    seen_version: str | None

    @property
    def document(self) -> Document:
        """The document, locked."""
        return self.opened.document

    @property
    def path(self) -> str:
        """The file as answers name it."""
        return self.opened.shown_path

    @property
    def version(self) -> str:
        """The version of the file as it is."""
        return version_of(self.document.generation)

    @property
    def moved_on(self) -> bool:
        """Whether the file is no longer what the caller saw."""
        return self.seen_version is not None and self.seen_version != self.version


@dataclass(frozen=True)
class Made:
    """What a tool made pending.

    Args:
        places: the first changed places, in file order.
        count: how many there are.
        notes: what the caller should know.
    """

    places: Sequence[Place]
    count: int
    notes: tuple[str, ...] = ()


class Edit(OfFile[Changed], frozen=True, kw_only=True):
    """A request that changes one file; a tool says how by ``make``."""

    shows_lines: ClassVar[bool] = True
    """Whether the lines around a change are shown: not where a file need not be text."""

    version: str | None = None
    dry_run: bool = False

    def make(self, work: Work) -> Made:
        """Makes the edits pending in ``work.document``."""
        raise NotImplementedError(f"{type(self).__name__} lacks a make of its own.")

    def run(self, desk: Desk, call: Call) -> Changed:
        """Makes the edits and commits them, or shows what a commit would do."""
        with desk.editing(self.path, call, dry_run=self.dry_run) as opened:
            work = Work(desk, opened, call, self.version)
            moved_on = work.moved_on
            made = self.make(work)
            if self.dry_run:
                return previewed(work, made, moved_on)
            around = snippets(opened.document) if self.shows_lines else ""
            receipt = desk.commit(opened, call)
            return committed(work, made, receipt, moved_on, around)


def previewed(work: Work, made: Made, moved_on: bool) -> Changed:
    """The answer to a dry run."""
    document = work.document
    diff = work.desk.diff(work.opened)
    return Changed(
        path=work.path,
        edit_id=0,
        version=work.version,
        count=made.count,
        changes=tuple(made.places[:_LISTED]),
        rebased=moved_on,
        dry_run=True,
        bytes_written=document.plan().plan.cost.written_bytes if document.changed else 0,
        diff=diff,
        notes=made.notes,
    )


def committed(work: Work, made: Made, receipt: Receipt | None, moved_on: bool, around: str = "") -> Changed:
    """The answer to a commit; without a receipt there was nothing to change."""
    if receipt is None:
        return Changed(path=work.path, edit_id=0, version=work.version, count=0, notes=made.notes)
    return Changed.made_by(
        work.path,
        receipt,
        made.count,
        changes=tuple(made.places[:_LISTED]),
        rebased=moved_on,
        around=around,
        notes=made.notes,
    )


def make_pending(document: Document, edits: Iterable[Pending], *, lines: bool = True) -> Made:
    """Makes edits of the content as it is pending, all at once, and says where they are.

    Those that put what is there already are left out.

    Args:
        lines: whether to say it in lines, which takes an index of them.

    Raises:
        SpanError: two of them overlap.
    """
    ordered = sorted(edits, key=lambda edit: edit.span)
    for before, after in pairwise(ordered):
        if after.span.start < before.span.stop or after.span == before.span:
            raise SpanError(
                f"Two edits touch the same place, byte {after.span.start:,}; nothing was changed.",
                hint="Edits of one call take effect at once; join the two into one.",
                offset=after.span.start,
            )
    ordered = [edit for edit in ordered if _changes(document, edit)]
    listed = list(islice(ordered, _LISTED)) if lines else []
    were = [lines_of(document, edit.span) for edit in listed]
    document.replace_spans([(edit.span, edit.data) for edit in ordered])
    growth, places = 0, []
    for edit, was in zip(listed, were, strict=True):
        start = edit.span.start + growth
        now = lines_of(document, Span(start, start + len(edit.data))) if edit.data else ""
        places.append(Place(was, now, edit.note))
        growth += len(edit.data) - edit.span.size
    return Made(places, len(ordered))


def _changes(document: Document, edit: Pending) -> bool:
    return len(edit.data) != edit.span.size or document.read(edit.span.start, edit.span.size) != edit.data


def made_in(document: Document, count: int, note: str = "") -> Made:
    """What a view of a format made pending, by the lines where it is."""
    changes = document.sequence.changes()[:_LISTED]
    places = [Place(now=lines_of(document, change.current)) for change in changes]
    if note and places:
        places[0] = Place(now=places[0].now, note=note)
    return Made(places, count)


def lines_of(document: Document, span: Span) -> str:
    """The lines that a span touches, as an address: ``"line 5"``, ``"lines 5-6"``, ``"end of file"``."""
    if span.start >= document.size:
        return "end of file"
    first = line_number(document, span.start)
    if not span.size:
        return f"before line {first}"
    last = line_number(document, span.stop - 1)
    return f"line {first}" if first == last else f"lines {first}-{last}"


def snippets(document: Document) -> str:
    """The lines around the first few changes, as they will be; empty where there are more."""
    changes = document.sequence.changes()
    if not 0 < len(changes) <= _SNIPPETS:
        return ""
    shown: dict[int, str] = {}
    for change in changes:
        if not document.size:
            return ""
        first = line_number(document, min(change.current.start, document.size - 1))
        start = line_start(document, first - 1)
        for line in islice(lines_from(document, first, start, document.size), _SNIPPET_LINES):
            if line.span.start >= max(change.current.stop, change.current.start + 1):
                break
            shown[line.number] = f"{line.number}\t{_brief(document, line)}"
    return "\n".join(shown.values())


def _brief(document: Document, line: Line) -> str:
    text = decoded(document, line.said[: 4 * _SNIPPET_CHARS])
    shown = fitting(text, _SNIPPET_CHARS)
    return f"{visible(shown)}{'...' if len(shown) < len(text) or not line.whole else ''}"
