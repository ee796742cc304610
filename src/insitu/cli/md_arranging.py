"""``insitu md``: sections deleted, renamed, moved and given another level; padding taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import click

from insitu.cli.md_options import edit_section, edit_sections, level_option, one_of, section_argument
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.streaming import stream

if TYPE_CHECKING:
    from insitu.views.markdown import Markdown


@verb("delete")
@file_argument
@section_argument
@level_option
@edit_options(expect=True)
def delete(file: str, section: str, level: int | None, options: EditOptions, output: Output) -> None:
    """Delete a section with all below it.

        insitu md delete README.md "Usage" --dry-run

    A crash leaves the old file or the new one.
    """
    edit_section(file, section, level, options, output, lambda found: found.delete(), f"deleted {section}")


@verb("rename")
@file_argument
@section_argument
@click.argument("title")
@level_option
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

    edit_sections(file, options, output, change)


@verb("move")
@file_argument
@section_argument
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
    where, address = one_of(before=before, after=after, under=under)

    def change(view: Markdown) -> str:
        view.section(section).move(**{where: address})
        return f"moved {section} {where} {address}"

    edit_sections(file, options, output, change)


_by: Final = click.option(
    "--by", type=click.IntRange(1, 5), default=1, show_default=True, metavar="N", help="Levels."
)


def _shift(name: str, direction: Literal[-1, 1]) -> click.Command:
    def shift(file: str, section: str, by: int, options: EditOptions, output: Output) -> None:
        def change(view: Markdown) -> str:
            found = view.section(section)
            (found.promote if direction < 0 else found.demote)(by)
            return f"{name}d {section}"

        edit_sections(file, options, output, change)

    shift.__doc__ = f"""{name.capitalize()} a section with all below it.

    A heading underlined with = or - becomes one with # where it gets to level 3 or deeper.

        insitu md {name} README.md "Usage/Linux"
    """
    return verb(name)(file_argument(section_argument(_by(edit_options(expect=False)(shift)))))


promote = _shift("promote", -1)
demote = _shift("demote", 1)


@verb("compact")
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
