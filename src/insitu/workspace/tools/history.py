"""``file_history``: what was done to a file, newest first, and what an edit changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from msgspec import Meta

from insitu.workspace.described import version_of
from insitu.workspace.request import Number, OfFile, Reply, Tool

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk

_LIMIT: Final = 20


class Operations(Reply):
    """Edits of a file, newest first, or the diff of one."""

    path: str
    version: str
    total: int
    edits: tuple[dict[str, Any], ...] = ()
    diff: str = ""

    def sentence(self) -> str:
        if self.diff:
            return f"What the edit changed in {self.path}:\n{self.diff}"
        return f"{self.total} edits of {self.path} are kept; file_undo takes one back."

    def text(self) -> str:
        import msgspec

        brief = msgspec.structs.replace(self, diff="")
        return f"{self.sentence()}\n{Reply.text(brief).split(chr(10), 1)[-1]}"


class History(OfFile[Operations], frozen=True, kw_only=True):
    """Arguments of ``file_history``."""

    tool: ClassVar[Tool] = Tool(
        "file_history",
        "History of a file",
        "Edits of a file, newest first; with edit_id what one changed.",
        "read",
    )

    edit_id: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = _LIMIT
    before: Annotated[Number | None, Meta(description="Older than this edit_id.")] = None

    def run(self, desk: Desk, call: Call) -> Operations:
        """Looks at what is kept."""
        with desk.reading(self.path, call) as opened:
            version = version_of(opened.document.generation)
            operations = desk.operations(opened)
            if self.edit_id is not None:
                return Operations(
                    path=opened.shown_path,
                    version=version,
                    total=len(operations),
                    diff=desk.diff(opened, self.edit_id),
                )
            found = [entry for entry in operations if self.before is None or entry.number < self.before]
            return Operations(
                path=opened.shown_path,
                version=version,
                total=len(operations),
                edits=tuple(
                    {
                        "edit_id": operation.number,
                        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(operation.time)),
                        "kind": operation.kind,
                        **({"of": operation.of} if operation.of else {}),
                        "changes": operation.splices,
                        "size_before": operation.size_before,
                        "size_after": operation.size_after,
                    }
                    for operation in reversed(found[-self.limit :])
                ),
            )
