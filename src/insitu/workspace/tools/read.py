"""``file_read``: a part of a file of any size, by whatever address says where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from msgspec import Meta

from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.workspace.described import line_ending, version_of
from insitu.workspace.excerpts import read_call
from insitu.workspace.locating import Wanted, missing_text, occurrences
from insitu.workspace.near_lines import line_number
from insitu.workspace.ranges import byte_span, numbers
from insitu.workspace.reading_bytes import Form, shown_bytes
from insitu.workspace.reading_items import shown_records, shown_rows, shown_value
from insitu.workspace.reading_lines import LinesPart, LineView, Prefix, last_lines, numbered_lines
from insitu.workspace.request import Number, OfFile, Reply, Tool, as_values
from insitu.workspace.seen import part_digest

if TYPE_CHECKING:
    from insitu.workspace.call import Call
    from insitu.workspace.desk import Desk, Opened
    from insitu.workspace.excerpts import Shown

CHARS: Final = 24_000
"""Characters of an answer by default: below where hosts warn or cut (10,000 tokens; about 47,000
characters)."""

_ADDRESSES: Final = (
    *("lines", "tail", "around_line", "around_text", "bytes"),
    *("section", "rows", "records", "pointer"),
)
_CONTEXT: Final = 5


class Excerpt(Reply):
    """A part of a file as a model reads it.

    Args:
        header: the file, its version, what is shown and of how much.
        body: what is shown.
        footer: why it stops there, and the call that goes on.
        lines: numbers of the first and last line shown; None where lines were not what was asked for.
    """

    structured: ClassVar[bool] = False  # the text is all of it: hosts would send everything twice

    path: str
    version: str
    header: str
    body: str
    footer: str
    lines: tuple[int, int] | None = None

    def text(self) -> str:
        return "\n".join(part for part in (self.header, self.body, self.footer) if part)


class Read(OfFile[Excerpt], frozen=True, kw_only=True):
    """Arguments of ``file_read``."""

    tool: ClassVar[Tool] = Tool(
        "file_read",
        "Read a part of a file",
        "Read part of a file of any size by ONE address; by default from the first line. Shows "
        "number<TAB>text; numbers are not in the file. The footer says how to go on.",
        "read",
    )

    lines: Annotated[str | None, Meta(description='"10-20", "10-", "7".')] = None
    tail: Annotated[Number | None, Meta(description="The last N lines.")] = None
    around_line: Annotated[Number | None, Meta(description="A line with context.")] = None
    around_text: Annotated[str | None, Meta(description="First line with it.")] = None
    context: Annotated[int, Meta(description="For around_*.", ge=0)] = _CONTEXT
    bytes: Annotated[str | None, Meta(description='"start:stop" from 0.')] = None
    section: Annotated[str | None, Meta(description='Markdown: "Guide/Install".')] = None
    rows: Annotated[str | None, Meta(description='CSV: "1-50".')] = None
    records: Annotated[str | None, Meta(description='JSON Lines: "1-50".')] = None
    pointer: Annotated[str | None, Meta(description='JSON: "/a/0/b".')] = None
    columns: Annotated[str | None, Meta(description='Characters of each line: "2001-4000".')] = None
    prefix: Annotated[Prefix, Meta(description="anchor: number:hash, for safe line edits.")] = "line"
    form: Form = "auto"
    max_chars: Annotated[int, Meta(ge=200, le=100_000)] = CHARS

    def run(self, desk: Desk, call: Call) -> Excerpt:
        """Shows the part."""
        address = self._address()
        with desk.reading(self.path, call) as opened:
            document = opened.document
            version = version_of(document.generation)
            shown = self._shown(address, opened, call)
            desk.seen.remember(opened.shown_path, version, shown.digests, shown.parts)
            kind = f"{document.encoding}, {line_ending(document)}"
            return Excerpt(
                path=opened.shown_path,
                version=version,
                header=f"{opened.shown_path} version={version} {shown.what} "
                f"({document.size:,} bytes, {kind})",
                body=shown.body,
                footer=shown.footer,
                lines=shown.lines,
            )

    def _address(self) -> str:
        """The name of the one argument that says where."""
        given = [name for name in _ADDRESSES if getattr(self, name) is not None]
        if given == ["records", "pointer"]:
            given.pop()
        if len(given) > 1:
            raise RequestError(
                f"{' and '.join(given)} name several places.",
                hint="Give one address; pointer may go with records.",
            )
        return given[0] if given else "lines"

    def _shown(self, address: str, opened: Opened, call: Call) -> Shown:
        document = opened.document

        def again(**place: Any) -> str:
            return self._again(opened, **place)

        match address:
            case "bytes":
                return shown_bytes(
                    document, byte_span(self.bytes or "", document.size), self.form, self.max_chars, again
                )
            case "rows":
                return shown_rows(document, numbers(self.rows or "", "rows"), self.max_chars, again)
            case "records":
                asked = numbers(self.records or "", "records")
                return shown_records(
                    document, opened.shown_path, asked, self.pointer or "", self.max_chars, again
                )
            case "pointer":
                return shown_value(document, self.pointer or "", self.max_chars, again)
        view = LineView(
            again,
            opened.shown_path,
            None if self.columns is None else numbers(self.columns, "columns"),
            self.prefix,
            self.max_chars,
        )
        if address == "section":
            section = document.markdown().section(self.section or "")
            shown = view.shown(document, LinesPart(section.span(), section.line))
            part = None if shown.footer.startswith("[cut") else part_digest(document, section.span())
            return shown if part is None else shown._replace(parts=(part,))
        return view.shown(document, self._part(address, opened, call))

    def _part(self, address: str, opened: Opened, call: Call) -> LinesPart:
        """The whole lines that an address of lines names."""
        document, path = opened.document, opened.shown_path
        match address:
            case "tail":
                return last_lines(document, self.tail or 1, self.max_chars)
            case "around_line":
                number = self.around_line or 1
            case "around_text":
                text = self.around_text or ""
                found = next(occurrences(document, text, Wanted(Span(0, document.size)), call), None)
                if found is None:
                    raise missing_text(document, text, path, call)
                number = line_number(document, found.start)
            case _:
                asked = numbers(self.lines if self.lines is not None else "1-", "lines")
                return numbered_lines(document, asked.first, asked.last, path)
        numbered_lines(document, number, number, path)
        return numbered_lines(document, max(1, number - self.context), number + self.context, path)

    def _again(self, opened: Opened, **place: Any) -> str:
        """The call that shows another part in the same way."""
        given = as_values(self)
        view = ("columns", "prefix", "form", "max_chars")
        kept: dict[str, Any] = {name: given[name] for name in view if name in given}
        return read_call(opened.shown_path, **(kept | place))
