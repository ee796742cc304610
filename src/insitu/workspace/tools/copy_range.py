"""``file_copy_range``: lines or bytes of a file into another place, without the model retyping them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from insitu.core.pieces import Copy, Literal
from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import ArgumentsError, SpanError, TextError
from insitu.formats.lines import ended_line
from insitu.views.text import text_start
from insitu.workspace.call import Call
from insitu.workspace.changing import Changed, Made, Place, Work, committed, lines_of, previewed
from insitu.workspace.excerpts import tool_call
from insitu.workspace.expecting import check_seen, check_there, expected_lines
from insitu.workspace.locating import lines_span
from insitu.workspace.near_lines import line_start
from insitu.workspace.ranges import byte_span, numbers
from insitu.workspace.request import Index, OfFile, Tool

if TYPE_CHECKING:
    from insitu.workspace.desk import Desk, Opened


class CopyRange(OfFile[Changed], frozen=True, kw_only=True):
    """Arguments of ``file_copy_range``."""

    tool: ClassVar[Tool] = Tool(
        "file_copy_range",
        "Copy or move part of a file",
        "Copy or move lines or bytes of a file within it or to another file, without retyping them.",
        "edit",
    )

    lines: Annotated[str | None, Meta(description='"10-20"')] = None
    bytes: Annotated[str | None, Meta(description='"0:100"')] = None
    to_path: Annotated[str | None, Meta(description="Default: same file.")] = None
    to_after_line: Annotated[Index | None, Meta(description="0: at the top.")] = None
    to_offset: Annotated[Index | None, Meta(description="Default: the end.")] = None
    move: bool = False
    version: str | None = None
    dry_run: bool = False

    def run(self, desk: Desk, call: Call) -> Changed:
        """Copies, or moves."""
        if (self.lines is None) == (self.bytes is None):
            raise ArgumentsError(
                "Say what to copy by lines or by bytes, one of them; nothing was changed.",
                hint='As lines="10-20".',
            )
        if self.to_after_line is not None and self.to_offset is not None:
            raise ArgumentsError(
                "to_after_line and to_offset name two places; nothing was changed.", hint="Give one."
            )
        if self.to_path is None or desk.same(self.path, self.to_path):
            return self._within_one(desk, call)
        if self.move:
            return self._moved_between(desk, call)
        with (
            desk.reading(self.path, call) as source,
            desk.editing(self.to_path, call, dry_run=self.dry_run) as target,
        ):
            made = self._pasted(source, target, self._source(desk, source, call))
            return self._ended(desk, target, made, call)

    def _within_one(self, desk: Desk, call: Call) -> Changed:
        with desk.editing(self.path, call, dry_run=self.dry_run) as opened:
            document = opened.document
            span = self._source(desk, opened, call)
            offset = self._target(document)
            if self.move and span.start < offset < span.stop:
                raise SpanError(
                    "A part cannot be moved into itself; nothing was changed.", hint="Name a place outside."
                )
            if self.move and offset >= span.stop:
                made = self._pasted(opened, opened, span)
                document.delete(*span)
                start = offset - span.size
                now = lines_of(document, Span(start, start + span.size))
                made = Made([Place(was=made.places[0].was, now=now)], 1)
            else:
                made = self._pasted(opened, opened, span)
                if self.move:
                    grown = document.size - document.base.size
                    document.delete(span.start + grown, span.stop + grown)
            return self._ended(desk, opened, made, call)

    def _moved_between(self, desk: Desk, call: Call) -> Changed:
        """One transaction: pasted there and deleted here, or neither."""
        assert self.to_path is not None
        with desk.changing_several((self.path, self.to_path), call, dry_run=self.dry_run) as several:
            source, target = several.opened
            span = self._source(desk, source, call)
            made = self._pasted(source, target, span)
            source.document.delete(*span)
            work = Work(desk, target, call, None)
            if self.dry_run:
                return previewed(work, made, moved_on=False)
            taken, receipt = several.commit()
            if taken is not None:
                undo = tool_call("file_undo", path=source.shown_path, edit_id=taken.operation)
                made = Made(
                    made.places, made.count, (f"It was taken out there. To put it back, too: {undo}",)
                )
            return committed(work, made, receipt, moved_on=False)

    def _ended(self, desk: Desk, target: Opened, made: Made, call: Call) -> Changed:
        work = Work(desk, target, call, None)
        if self.dry_run:
            return previewed(work, made, moved_on=False)
        receipt = desk.commit(target, call)
        return committed(work, made, receipt, moved_on=False)

    def _source(self, desk: Desk, opened: Opened, call: Call) -> Span:
        """What is copied: lines of the version that the caller saw, where it says which."""
        document = opened.document
        work = Work(desk, opened, call, self.version)
        if self.bytes is not None:
            span = byte_span(self.bytes, document.size)
            check_seen(work, span, f"what bytes {self.bytes} hold")
            return span
        asked = numbers(self.lines or "", "lines")
        if self.version is not None:
            return lines_span(document, *expected_lines(work, asked, None, None))
        check_there(work, asked.first if asked.last is None else asked.last)
        return lines_span(document, asked.first, asked.last)

    def _target(self, document: Document) -> int:
        if self.to_offset is not None:
            if self.to_offset > document.size:
                raise SpanError(
                    f"There is no byte {self.to_offset:,} in the {document.size:,} of the target; nothing "
                    "was changed.",
                    hint="Leave to_offset out to append.",
                )
            return self.to_offset
        if self.to_after_line is None:
            return document.size
        try:
            return line_start(document, self.to_after_line)
        except SpanError:
            raise SpanError(
                f"The target has {len(document.lines):,} lines; nothing was changed.",
                hint="Leave to_after_line out to append.",
            ) from None

    def _pasted(self, source: Opened, target: Opened, span: Span) -> Made:
        """Makes the copy pending; whole lines stay whole lines."""
        there = target.document
        if self.lines is not None and there.size and there.text.name != source.document.text.name:
            raise TextError(
                f"{source.shown_path} is {source.document.encoding} and {target.shown_path} "
                f"{there.encoding}; nothing was changed.",
                hint="Copy bytes, if they shall be put there as they are.",
            )
        offset = self._target(there)
        whole = self.lines is not None and self.to_offset is None
        before, after = _joints(source.document, there, span, offset) if whole else (b"", b"")
        path = None if source.document is there else source.document.path
        pieces = (Literal(before), Copy(path, span), Literal(after))
        there.sequence.replace_pieces(Span(offset, offset), [piece for piece in pieces if piece.size])
        put = Span(offset + len(before), offset + len(before) + span.size)
        return Made([Place(was=f"{self.path} bytes {span.start}:{span.stop}", now=lines_of(there, put))], 1)


def _joints(source: Document, target: Document, span: Span, offset: int) -> tuple[bytes, bytes]:
    """The line endings that are needed before and behind lines that are put between lines."""
    newline = target.lines.newline
    reach = 2 * len(newline)
    last = target.read(max(0, offset - reach), min(reach, offset))
    copied = source.read(max(span.start, span.stop - reach), min(reach, span.size))
    before = ended_line(last, newline, newline) if offset > text_start(target, target.text) else b""
    after = ended_line(copied, newline, newline) if copied and offset < target.size else b""
    return before, after
