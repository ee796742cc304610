"""``insitu insert``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from insitu.cli.addresses import Bytes, Lines, typed
from insitu.cli.editing import check_expected, edit
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.texts import Text, text_options

if TYPE_CHECKING:
    import insitu

_NUMBER = click.IntRange(min=1)


@verb("insert")
@file_argument
@click.option("--at", type=int, metavar="OFFSET", help="Before this byte, from 0; negative: from the end.")
@click.option("--before-line", type=_NUMBER, metavar="N", help="Before line N, from 1.")
@click.option("--after-line", type=_NUMBER, metavar="N", help="After line N, from 1.")
@click.option("--end", is_flag=True, help="At the end of the file.")
@text_options
@edit_options(expect=True)
def insert(
    file: str,
    at: int | None,
    before_line: int | None,
    after_line: int | None,
    end: bool,
    text: Text,
    options: EditOptions,
    output: Output,
) -> None:
    """Insert text, moving what follows.

    Before or after a line, and at the end, the text becomes lines of its own with the file's line ending,
    unless --exact; an unterminated last line is ended first. With --expect, the line named (or what
    follows the offset, or what the file ends with) must be that text.

        insitu insert orders.log --after-line 1200 --text "2026-03-14 late order" --dry-run

        date | insitu insert orders.log --end -

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """
    given = [at is not None, before_line is not None, after_line is not None, end]
    if sum(given) != 1:
        raise click.UsageError("Give one place: --at OFFSET, --before-line N, --after-line N or --end.")

    def change(doc: insitu.Document) -> str:
        if at is not None:
            return _insert_at(doc, at, text, options.expect)
        if end:
            return _append(doc, text, options.expect)
        return _insert_lines(
            doc, before_line or after_line or 0, after_line is not None, text, options.expect
        )

    edit(file, options, output, change, label="Inserting")


def _insert_at(doc: insitu.Document, at: int, text: Text, expected: str | None) -> str:
    import insitu

    start = Bytes(at, None).locate(doc).start
    if expected is not None:
        stop = min(doc.size, start + len(typed(expected, doc.encoding)))
        check_expected(doc, insitu.Span(start, stop), expected, by_lines=False, where="What follows")
    return f"inserted {counted(text.put(doc, insitu.Span(start, start)), 'byte')}"


def _insert_lines(doc: insitu.Document, number: int, after: bool, text: Text, expected: str | None) -> str:
    import insitu

    if doc.size == 0 and number == 1 and not after and expected is None:
        return _append(doc, text, None)  # there is no line 1 to be before, but no doubt either
    span = Lines(number, number).locate(doc)
    check_expected(doc, span, expected, by_lines=True, where=f"Line {number:,}")
    before = doc.size
    if text.exact:
        offset = span.stop if after else span.start
        return f"inserted {counted(text.put(doc, insitu.Span(offset, offset)), 'byte')}"
    doc.lines.insert(number if after else number - 1, text.in_lines(doc))
    return f"inserted {counted(doc.size - before, 'byte')} {'after' if after else 'before'} line {number:,}"


def _append(doc: insitu.Document, text: Text, expected: str | None) -> str:
    import insitu

    if expected is not None:
        size = min(doc.size, len(typed(expected, doc.encoding)))
        end = insitu.Span(doc.size - size, doc.size)
        check_expected(doc, end, expected, by_lines=False, where="At the end")
    before = doc.size
    if text.exact:
        text.put(doc, insitu.Span(before, before))
    else:
        doc.lines.append(text.in_lines(doc))
    return f"appended {counted(doc.size - before, 'byte')}"
