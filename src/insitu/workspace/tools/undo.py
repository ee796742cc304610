"""``file_undo``: takes an edit back, or takes the taking back back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from insitu.errors import ArgumentsError
from insitu.workspace.changing import Changed
from insitu.workspace.described import version_of
from insitu.workspace.request import Number, OfFile, Tool

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk


class Reversed(Changed):
    """What an undo or redo did."""

    redone: bool = False

    def sentence(self) -> str:
        if self.dry_run:
            return f"Dry run, nothing written: this is what would change in {self.path}."
        if self.redone:
            return f"Made the edit of {self.path} again. To take it back: file_undo."
        return f"Took the edit of {self.path} back. To make it again: file_undo redo=true."


class Undo(OfFile[Reversed], frozen=True, kw_only=True):
    """Arguments of ``file_undo``."""

    tool: ClassVar[Tool] = Tool(
        "file_undo",
        "Undo an edit",
        "Take the latest edit of a file back, or the one with edit_id.",
        "edit",
    )

    edit_id: Number | None = None
    redo: Annotated[bool, Meta(description="Take the last undo back.")] = False
    dry_run: bool = False

    def run(self, desk: Desk, call: Call) -> Reversed:
        """Reverses the edit."""
        if self.redo and self.edit_id is not None:
            raise ArgumentsError(
                "redo takes no edit_id; nothing was changed.", hint="It goes by the latest undo."
            )
        if self.dry_run:
            return self._previewed(desk, call)
        shown, receipt = desk.reverse(self.path, self.edit_id, redo=self.redo, call=call)
        return Reversed.made_by(shown, receipt, receipt.splices, redone=self.redo)

    def _previewed(self, desk: Desk, call: Call) -> Reversed:
        with desk.reading(self.path, call) as opened:
            found = desk.preview_reversal(self.path, self.edit_id, redo=self.redo)
            return Reversed(
                path=opened.shown_path,
                edit_id=0,
                version=version_of(opened.document.generation),
                count=found.splices,
                dry_run=True,
                diff=desk.shown_diff(found.diff),
                notes=(f"Would take back edit {found.operation}.",),
            )
