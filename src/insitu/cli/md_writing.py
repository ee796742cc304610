"""``insitu md``: texts put into a document, in, before and behind its sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from insitu.cli.md_options import (
    edit_section,
    edit_sections,
    encoded,
    level_option,
    one_of,
    pad_option,
    scope_option,
    section_argument,
)
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output
from insitu.cli.texts import Text, text_options

if TYPE_CHECKING:
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_section import Scope, Section


@verb("replace")
@file_argument
@section_argument
@level_option
@scope_option("body")
@text_options
@pad_option
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

    def change(found: Section) -> None:
        found.replace(encoded(text, found.view), scope, padding=pad)

    edit_section(
        file, section, level, options, output, change, f"replaced the {scope} of {section}", scope=scope
    )


@verb("append")
@file_argument
@section_argument
@level_option
@click.option("--own", is_flag=True, help="Before the first section below, not behind the last.")
@text_options
@pad_option
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

    def change(found: Section) -> None:
        found.append(encoded(text, found.view), "own" if own else "subtree", padding=pad)

    edit_section(file, section, level, options, output, change, f"appended to {section}")


@verb("prepend")
@file_argument
@section_argument
@level_option
@text_options
@pad_option
@edit_options(expect=True)
def prepend(
    file: str, section: str, level: int | None, text: Text, pad: bool, options: EditOptions, output: Output
) -> None:
    """Add a text right behind the heading of a section.

        insitu md prepend README.md "Usage" --text "Read this first."

    A crash leaves the old file or the new one.
    """

    def change(found: Section) -> None:
        found.prepend(encoded(text, found.view), padding=pad)

    edit_section(file, section, level, options, output, change, f"prepended to {section}")


@verb("insert")
@file_argument
@click.option("--before", metavar="SECTION", help="Before this section.")
@click.option("--after", metavar="SECTION", help="Behind this section and all below it.")
@level_option
@text_options
@pad_option
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
    address = one_of(before=before, after=after)[1]

    def change(view: Markdown) -> str:
        found = view.section(address, level=level)
        put = found.insert_before if before is not None else found.insert_after
        put(encoded(text, view), padding=pad)
        return f"inserted {'before' if before is not None else 'after'} {address}"

    edit_sections(file, options, output, change)


@verb("create")
@file_argument
@click.argument("title")
@click.option("--under", metavar="SECTION", help="As the last section of this one.")
@click.option("--top", is_flag=True, help="In no section, at the end of the file.")
@click.option("--text", default="", help="What follows the heading.")
@pad_option
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

    edit_sections(file, options, output, change)
