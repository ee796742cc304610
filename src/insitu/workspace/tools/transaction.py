"""``file_transaction``: edits of several files, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta

from insitu.errors import ArgumentsError
from insitu.workspace.changing import Changed, Edit, Work, committed, previewed
from insitu.workspace.request import Reply, Request, Tool

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk


class Several(Reply):
    """What a transaction did to each file, in the order of the calls."""

    files: list[Changed]
    dry_run: bool = False

    def sentence(self) -> str:
        if self.dry_run:
            return f"Dry run, nothing written: {len(self.files)} files would change together."
        return f"Changed {len(self.files)} files together. Each can be taken back with file_undo."


class Transaction(Request[Several], frozen=True, kw_only=True):
    """Arguments of ``file_transaction``."""

    tool: ClassVar[Tool] = Tool(
        "file_transaction",
        "Edit several files at once",
        "Edit several files, all or none, whatever crashes. Each call is a file_edit*, or file_append to an "
        "existing file, with its arguments; one per file.",
        "edit",
    )

    calls: Annotated[
        list[dict[str, Any]],
        Meta(
            description='As {"tool": "file_edit", "path": ..., "edits": [...]}.', min_length=1, max_length=64
        ),
    ]
    dry_run: bool = False

    def run(self, desk: Desk, call: Call) -> Several:
        """Makes all edits pending, then commits them together."""
        edits = [_edit_of(arguments, number) for number, arguments in enumerate(self.calls, 1)]
        with desk.changing_several([edit.path for edit in edits], call, dry_run=self.dry_run) as several:
            done = []
            for edit, opened in zip(edits, several.opened, strict=True):
                work = Work(desk, opened, call, edit.version)
                done.append((work, edit.make(work), work.moved_on))
            if self.dry_run:
                return Several(files=[previewed(*each) for each in done], dry_run=True)
            receipts = several.commit()
            return Several(
                files=[
                    committed(work, made, receipt, moved_on)
                    for (work, made, moved_on), receipt in zip(done, receipts, strict=True)
                ]
            )


def _edit_of(arguments: dict[str, Any], number: int) -> Edit:
    from insitu.workspace.arguments import parsed
    from insitu.workspace.catalog import TOOLS

    name = arguments.get("tool")
    kinds = {kind.tool.name: kind for kind in TOOLS if issubclass(kind, Edit)}
    if not isinstance(name, str) or name not in kinds:
        raise ArgumentsError(
            f"Call {number}: {str(name)[:60]!r} is no tool that a transaction can hold; nothing was changed.",
            hint=f"Its tools: {', '.join(kinds)}.",
        )
    values = {key: value for key, value in arguments.items() if key != "tool"}
    edit = parsed(kinds[name], values)
    assert isinstance(edit, Edit)
    if edit.dry_run:
        raise ArgumentsError(
            f"Call {number} asks for a dry run of itself; nothing was changed.",
            hint="Give dry_run beside calls: all of them are made, or none.",
        )
    if getattr(edit, "create", False) and name == "file_append":
        raise ArgumentsError(
            f"Call {number} makes a new file, which is no part of a transaction; nothing was changed.",
            hint="Make it first, with file_append create=true.",
        )
    return edit
