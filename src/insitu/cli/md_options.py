"""What the commands on the sections of Markdown share: their options, and how a section is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import click

from insitu.cli.editing import check_expected, edit
from insitu.cli.options import EditOptions
from insitu.cli.output import Output
from insitu.cli.progress import work
from insitu.cli.texts import Text

if TYPE_CHECKING:
    import insitu
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_section import Scope, Section

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

section_argument: Final = click.argument("section")
level_option: Final = click.option(
    "--level", type=click.IntRange(1, 6), metavar="N", help="Only of this level."
)
pad_option: Final = click.option(
    "--pad", is_flag=True, help="Fill up with blank lines, so that what follows need not move."
)


def scope_option(default: str) -> Decorator:
    """Adds ``--scope``, which part of a section is meant."""
    return click.option(
        "--scope",
        type=click.Choice(["heading", "own", "body", "subtree"]),
        default=default,
        show_default=True,
        help="The heading, the text up to the next heading, all behind the heading, or all.",
    )


def view_of(doc: insitu.Document, output: Output) -> Markdown:
    """The sections of a document; a bar is shown if finding them takes a while."""
    view = doc.markdown()
    with work("Reading the outline", silent=output.quiet or output.as_json) as run:
        view.outline(progress=run.progress, cancel=run.cancel)
    return view


def edit_sections(file: str, options: EditOptions, output: Output, change: Callable[[Markdown], str]) -> None:
    """Edits the sections of a file; ``change`` says what it did."""
    edit(file, options, output, lambda doc: change(view_of(doc, output)))


def edit_section(
    file: str,
    section: str,
    level: int | None,
    options: EditOptions,
    output: Output,
    change: Callable[[Section], object],
    done: str,
    *,
    scope: Scope = "subtree",
) -> None:
    """Edits one section, which has to hold what was expected.

    Args:
        scope: which part of it is compared with that.
        done: what the command says.
    """

    def changing(view: Markdown) -> str:
        found = view.section(section, level=level)
        document = cast("insitu.Document", found.view.document)
        check_expected(document, found.span(scope), options.expect, by_lines=True, where="The section")
        change(found)
        return done

    edit_sections(file, options, output, changing)


def encoded(text: Text, view: Markdown) -> bytes:
    """A given text in the encoding of the file."""
    return text.in_encoding(view.document.text.name)


def one_of(**targets: str | None) -> tuple[str, str]:
    """The one option of several that was given."""
    given = [(name, value) for name, value in targets.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError(f"Give one of {', '.join(f'--{name}' for name in targets)}.")
    return given[0]
