"""``file_append``: text at the end of a file, or a new file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from insitu.core.spans import Span
from insitu.errors import MissingFileError
from insitu.views.text import Encoding
from insitu.workspace.changing import Changed, Edit, Made, Place, Work
from insitu.workspace.described import line_count, line_is_ended
from insitu.workspace.line_edits import inserted, with_endings
from insitu.workspace.request import Tool

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk


class Append(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_append``."""

    tool: ClassVar[Tool] = Tool(
        "file_append",
        "Append to or create a file",
        "Add lines at the end of a file, or make a new file.",
        "append",
    )

    shows_lines: ClassVar[bool] = False  # the caller has just written them

    text: str
    create: Annotated[bool, Meta(description="Never overwrites.")] = False
    ensure_newline: Annotated[bool, Meta(description="Whole lines.")] = True

    def run(self, desk: Desk, call: Call) -> Changed:
        """Appends, or makes the file."""
        if self.create:
            return self._created(desk, call)
        try:
            return super().run(desk, call)
        except MissingFileError as error:
            raise MissingFileError(
                error.message, hint="To make it, call file_append again with create=true.", **error.facts
            ) from None

    def make(self, work: Work) -> Made:
        """Makes the text pending behind the last byte."""
        document = work.document
        size = document.size
        if self.ensure_newline:
            offset, data = inserted(document, None, self.text)
        else:
            offset, data = size, with_endings(document, self.text, Span(size, size))
        now = "end of file"
        if line_count(document).exact:
            now = f"from line {len(document.lines) + 1}" if not size or line_is_ended(document) else now
        document.replace_spans([(Span(offset, offset), data)] if data else [])
        return Made([Place(now=now)], 1)

    def _created(self, desk: Desk, call: Call) -> Changed:
        text = self.text
        if self.ensure_newline and text and not text.endswith("\n"):
            text += "\n"
        data = Encoding("utf-8").encode(text)
        if self.dry_run:
            desk.check_new(self.path)
            return Changed(path=self.path, edit_id=0, version="", count=1, dry_run=True)
        shown, version = desk.create(self.path, data, call)
        return Changed(
            path=shown,
            edit_id=0,
            version=version,
            count=1,
            bytes_written=len(data),
            created=True,
        )
