"""``insitu md``: sections listed and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from insitu.cli.md_options import level_option, scope_option, section_argument, view_of
from insitu.cli.options import encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output, counted, write, write_line

if TYPE_CHECKING:
    from insitu.views.markdown_section import Scope, Section

_WINDOW_BYTES: Final = 1 << 20


@verb("outline")
@file_argument
@level_option
@encoding_option
@output_options
def outline(file: str, level: int | None, encoding: str | None, output: Output) -> None:
    """List the sections: line, level and title.

    With --json, each with its address, slug, id and span. A code fence that is never closed is reported.

        insitu md outline README.md --level 2
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        view = view_of(doc, output)
        sections = view.outline(level=level)
        unclosed = view.unclosed_fence
        if output.as_json:
            slugs = list(view.slugs())
            listed = [_fields(section, slugs[section.index]) for section in sections]
            output.fields({"path": file, "sections": listed, "unclosed_fence_line": unclosed})
            return
        for section in sections:
            write_line(f"{section.line:>7}  {'#' * section.level:<6} {section.title}")
        output.message(f"{file}: {counted(len(sections), 'section')}")
        if unclosed is not None:
            output.message(f"{file}: the code fence of line {unclosed:,} is never closed")


def _fields(section: Section, slug: str) -> dict[str, Any]:
    return {
        "title": section.title,
        "level": section.level,
        "line": section.line,
        "path": section.path,
        "slug": slug,
        "id": section.id,
        "span": section.span("subtree"),
        "body": section.span("body"),
    }


@verb("read")
@file_argument
@section_argument
@level_option
@scope_option("subtree")
@encoding_option
@output_options
def read(
    file: str, section: str, level: int | None, scope: Scope, encoding: str | None, output: Output
) -> None:
    """Write a section to standard output, exactly as it is.

        insitu md read README.md "Install/Linux" --scope body

    Nothing is changed.
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        found = view_of(doc, output).section(section, level=level)
        span = found.span(scope)
        if output.as_json:
            output.fields({"path": file, **_fields(found, found.slug), "text": found.read(scope)})
            return
        for start in range(span.start, span.stop, _WINDOW_BYTES):
            write(doc.read(start, min(_WINDOW_BYTES, span.stop - start)))
