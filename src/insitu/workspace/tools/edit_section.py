"""``file_edit_section``: sections of Markdown files, by their heading paths."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from insitu.errors import ArgumentsError, NoMatchError
from insitu.views.markdown import Markdown
from insitu.workspace.changing import Edit, Made, Work, made_in
from insitu.workspace.excerpts import visible
from insitu.workspace.expecting import check_seen
from insitu.workspace.request import Tool

Operation = Literal["replace", "append", "prepend", "insert_before", "insert_after", "delete", "rename"]


class EditSection(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_edit_section``."""

    tool: ClassVar[Tool] = Tool(
        "file_edit_section",
        "Edit a Markdown section",
        "Edit the section under a heading, subsections included. A path that fits none or several is "
        "refused with candidates.",
        "edit",
    )

    section: Annotated[str, Meta(description='"Guide/Install"; "Install[2]" is the second.')]
    op: Annotated[Operation, Meta(description="replace keeps the heading.")] = "replace"
    text: Annotated[str, Meta(description="For rename the new title.")] = ""
    create: Annotated[bool, Meta(description="Make it, last under its parent, if missing.")] = False

    def make(self, work: Work) -> Made:
        """Changes the section."""
        page = work.document.markdown()
        if self.op != "delete" and not self.text:
            raise ArgumentsError(
                f"There is no text to {self.op}; nothing was changed.",
                hint='To empty a section, op="delete".',
            )
        if self.create and self.section not in page:
            return self._created(page, work)
        section = page.section(self.section)
        if self.op in ("replace", "delete"):
            check_seen(work, section.span(), f"the section {self.section}")
        note = visible(f"{self.op} {'/'.join(section.path)}")
        if self.op == "delete":
            section.delete()
        else:
            getattr(section, self.op)(self.text)
        return made_in(work.document, 1, note)

    def _created(self, page: Markdown, work: Work) -> Made:
        parent, _, title = self.section.rpartition("/")
        if self.op not in ("replace", "append", "prepend"):
            raise NoMatchError(
                f"{work.path} has no section {self.section!r} to {self.op}; nothing was changed.",
                hint="create goes with replace, append and prepend.",
            )
        page.create(title, under=page.section(parent) if parent else None, text=self.text)
        return made_in(work.document, 1, f"created {self.section}")
