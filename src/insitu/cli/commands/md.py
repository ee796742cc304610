"""``insitu md``: the sections of Markdown files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import click

from insitu.cli.editing import check_expected, edit
from insitu.cli.md_front import front_matter
from insitu.cli.options import (
    EditOptions,
    Verb,
    VerbGroup,
    edit_options,
    encoding_option,
    file_argument,
    output_options,
    verb,
)
from insitu.cli.output import Output, counted, write, write_line
from insitu.cli.progress import work
from insitu.cli.streaming import stream
from insitu.cli.texts import Text, text_options

if TYPE_CHECKING:
    import insitu
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_section import Scope, Section

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

_WINDOW_BYTES: Final = 1 << 20

_section: Final = click.argument("section")
_level: Final = click.option("--level", type=click.IntRange(1, 6), metavar="N", help="Only of this level.")
_pad: Final = click.option(
    "--pad", is_flag=True, help="Fill up with blank lines, so that what follows need not move."
)


def _scope(default: str) -> Decorator:
    return click.option(
        "--scope",
        type=click.Choice(["heading", "own", "body", "subtree"]),
        default=default,
        show_default=True,
        help="The heading, the text up to the next heading, all behind the heading, or all.",
    )


@click.group("md", cls=VerbGroup, no_args_is_help=False)
def md() -> None:
    """Read and change the sections of a Markdown file.

    SECTION is a heading path, matched as a suffix ("Linux", "Install/Linux"; \\/ is a slash in a title),
    "Child[2]" for the second that fits, "#slug", or an id as 'md outline --json' shows it. A section that
    is missing, or that several fit, is refused with the addresses of what may have been meant.

        insitu md outline README.md

        insitu md append README.md "Install/Linux" --text "Use the package of your distribution."

    A crash leaves the old file or the new one, as with every edit.
    """


md.add_command(front_matter)


def _view(doc: insitu.Document, output: Output) -> Markdown:
    """The sections of a document; a bar is shown if finding them takes a while."""
    view = doc.markdown()
    with work("Reading the outline", silent=output.quiet or output.as_json) as run:
        view.outline(progress=run.progress, cancel=run.cancel)
    return view


def _edit(file: str, options: EditOptions, output: Output, change: Callable[[Markdown], str]) -> None:
    edit(file, options, output, lambda doc: change(_view(doc, output)))


def _expected(section: Section, options: EditOptions, scope: Scope = "subtree") -> None:
    """Refuses a section that does not hold what was expected."""
    document = cast("insitu.Document", section.view.document)
    check_expected(document, section.span(scope), options.expect, by_lines=True, where="The section")


def _given(view: Markdown, text: Text) -> bytes:
    return text.in_encoding(view.document.text.name)


@md.command("outline", cls=Verb)
@file_argument
@_level
@encoding_option
@output_options
def outline(file: str, level: int | None, encoding: str | None, output: Output) -> None:
    """List the sections: line, level and title.

    With --json, each with its address, slug, id and span. A code fence that is never closed is reported.

        insitu md outline README.md --level 2
    """
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        view = _view(doc, output)
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


@md.command("read", cls=Verb)
@file_argument
@_section
@_level
@_scope("subtree")
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
        found = _view(doc, output).section(section, level=level)
        span = found.span(scope)
        if output.as_json:
            output.fields({"path": file, **_fields(found, found.slug), "text": found.read(scope)})
            return
        for start in range(span.start, span.stop, _WINDOW_BYTES):
            write(doc.read(start, min(_WINDOW_BYTES, span.stop - start)))


@md.command("replace", cls=Verb)
@file_argument
@_section
@_level
@_scope("body")
@text_options
@_pad
@edit_options(expect=True)
def replace(
    file: str,
    section: str,
    level: int | None,
    scope: Scope,
    text: Text,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Put a text in the place of a section's; the blank lines around it stay.

        insitu md replace README.md "Usage" --text "See the manual." --dry-run

    A crash leaves the old file or the new one.
    """

    def change(view: Markdown) -> str:
        found = view.section(section, level=level)
        _expected(found, options, scope)
        found.replace(_given(view, text), scope, padding=pad)
        return f"replaced the {scope} of {section}"

    _edit(file, options, output, change)


@md.command("append", cls=Verb)
@file_argument
@_section
@_level
@click.option("--own", is_flag=True, help="Before the first section below, not behind the last.")
@text_options
@_pad
@edit_options(expect=True)
def append(
    file: str,
    section: str,
    level: int | None,
    own: bool,
    text: Text,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Add a text at the end of a section.

        insitu md append README.md "Changes" --text "- one more"

    A crash leaves the old file or the new one.
    """

    def change(view: Markdown) -> str:
        found = view.section(section, level=level)
        _expected(found, options)
        found.append(_given(view, text), "own" if own else "subtree", padding=pad)
        return f"appended to {section}"

    _edit(file, options, output, change)


@md.command("prepend", cls=Verb)
@file_argument
@_section
@_level
@text_options
@_pad
@edit_options(expect=True)
def prepend(
    file: str, section: str, level: int | None, text: Text, pad: bool, options: EditOptions, output: Output
) -> None:
    """Add a text right behind the heading of a section.

        insitu md prepend README.md "Usage" --text "Read this first."

    A crash leaves the old file or the new one.
    """

    def change(view: Markdown) -> str:
        found = view.section(section, level=level)
        _expected(found, options)
        found.prepend(_given(view, text), padding=pad)
        return f"prepended to {section}"

    _edit(file, options, output, change)


@md.command("insert", cls=Verb)
@file_argument
@click.option("--before", metavar="SECTION", help="Before this section.")
@click.option("--after", metavar="SECTION", help="Behind this section and all below it.")
@_level
@text_options
@_pad
@edit_options(expect=False)
def insert(
    file: str,
    before: str | None,
    after: str | None,
    level: int | None,
    text: Text,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Add a text, with its own headings, before or behind a section.

        insitu md insert README.md --after "Usage" --text "## Limits"

    A crash leaves the old file or the new one.
    """
    address = _one(before=before, after=after)[1]

    def change(view: Markdown) -> str:
        found = view.section(address, level=level)
        put = found.insert_before if before is not None else found.insert_after
        put(_given(view, text), padding=pad)
        return f"inserted {'before' if before is not None else 'after'} {address}"

    _edit(file, options, output, change)


@md.command("delete", cls=Verb)
@file_argument
@_section
@_level
@edit_options(expect=True)
def delete(file: str, section: str, level: int | None, options: EditOptions, output: Output) -> None:
    """Delete a section with all below it.

        insitu md delete README.md "Usage" --dry-run

    A crash leaves the old file or the new one.
    """

    def change(view: Markdown) -> str:
        found = view.section(section, level=level)
        _expected(found, options)
        found.delete()
        return f"deleted {section}"

    _edit(file, options, output, change)


@md.command("rename", cls=Verb)
@file_argument
@_section
@click.argument("title")
@_level
@edit_options(expect=False)
def rename(
    file: str, section: str, title: str, level: int | None, options: EditOptions, output: Output
) -> None:
    """Give a section another title.

        insitu md rename README.md "Usage" "How to use it"

    A crash leaves the old file or the new one.
    """

    def change(view: Markdown) -> str:
        view.section(section, level=level).rename(title)
        return f"renamed {section}"

    _edit(file, options, output, change)


@md.command("move", cls=Verb)
@file_argument
@_section
@click.option("--before", metavar="SECTION", help="Next to this section, before it.")
@click.option("--after", metavar="SECTION", help="Next to this section, behind it.")
@click.option("--under", metavar="SECTION", help="As the last section of this one.")
@edit_options(expect=False)
def move(
    file: str,
    section: str,
    before: str | None,
    after: str | None,
    under: str | None,
    options: EditOptions,
    output: Output,
) -> None:
    """Move a section with all below it; it gets the level of its new place.

        insitu md move README.md "Limits" --before "Usage"

    A crash leaves the old file or the new one.
    """
    where, address = _one(before=before, after=after, under=under)

    def change(view: Markdown) -> str:
        view.section(section).move(**{where: address})
        return f"moved {section} {where} {address}"

    _edit(file, options, output, change)


def _shift(name: str, direction: Literal[-1, 1]) -> Callable[..., None]:
    def shift(file: str, section: str, by: int, options: EditOptions, output: Output) -> None:
        def change(view: Markdown) -> str:
            found = view.section(section)
            (found.promote if direction < 0 else found.demote)(by)
            return f"{name}d {section}"

        _edit(file, options, output, change)

    shift.__doc__ = f"""{name.capitalize()} a section with all below it.

    A heading underlined with = or - becomes one with # where it gets to level 3 or deeper.

        insitu md {name} README.md "Usage/Linux"
    """
    return shift


_by: Final = click.option(
    "--by", type=click.IntRange(1, 5), default=1, show_default=True, metavar="N", help="Levels."
)
for _name, _direction in (("promote", -1), ("demote", 1)):
    _changed = edit_options(expect=False)(_shift(_name, -1 if _direction < 0 else 1))
    md.add_command(verb(_name)(file_argument(_section(_by(_changed)))))


@md.command("create", cls=Verb)
@file_argument
@click.argument("title")
@click.option("--under", metavar="SECTION", help="As the last section of this one.")
@click.option("--top", is_flag=True, help="In no section, at the end of the file.")
@click.option("--text", default="", help="What follows the heading.")
@_pad
@edit_options(expect=False)
def create(
    file: str,
    title: str,
    under: str | None,
    top: bool,
    text: str,
    pad: bool,
    options: EditOptions,
    output: Output,
) -> None:
    """Make a new section, the last one under another.

    Its parent is named, never guessed; a section of that title there is refused.

        insitu md create README.md "Windows" --under "Install" --text "Not yet."
    """
    if (under is None) != top:
        raise click.UsageError("Give --under SECTION or --top.")

    def change(view: Markdown) -> str:
        view.create(title, under=under, text=text, padding=pad)
        return f"created {title}"

    _edit(file, options, output, change)


@md.command("compact", cls=Verb)
@file_argument
@edit_options(expect=False)
def compact(file: str, options: EditOptions, output: Output) -> None:
    """Take padding out: runs of three or more empty lines between blocks become one, in one pass.

    Not in code, HTML and lists, where they may mean something.

        insitu md compact README.md
    """
    from insitu.views.markdown_compact import CompactMarkdown

    stream(file, CompactMarkdown(), options, output, label="Compacting", done=_compacted)


def _compacted(places: int) -> str:
    return f"took padding out of {counted(places, 'place')}"


def _one(**targets: str | None) -> tuple[str, str]:
    """The one option of several that was given."""
    given = [(name, value) for name, value in targets.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError(f"Give one of {', '.join(f'--{name}' for name in targets)}.")
    return given[0]
