"""``insitu csv``: columns added, dropped, renamed and moved, in every row by one commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from insitu.cli.csv_options import Command, DialectOptions, dialect_options
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.streaming import stream

if TYPE_CHECKING:
    from insitu.formats.csv_dialect import Dialect
    from insitu.views.streaming import MassEdit


def _place_options(command: Command) -> Command:
    """Adds where a column goes; the command gets ``before`` (None: behind the last one)."""
    option = click.option("--before", metavar="C", help="Before this column; default: behind the last one.")
    return option(command)


def _number_option(command: Command) -> Command:
    """Adds ``--number``: the column is named by its number."""
    return click.option(
        "--number", "by_number", is_flag=True, help="COLUMN is its number, from 1, and not its name."
    )(command)


def _column(given: str, by_number: bool) -> str | int:
    if not by_number:
        return given
    if not given.isdecimal() or int(given) == 0:
        raise click.BadParameter(
            f"{given!r} is no number of a column; they count from 1", param_hint="COLUMN"
        )
    return int(given) - 1


def _shape(
    file: str,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
    edit: Callable[[Dialect], MassEdit],
    done: str,
) -> None:
    """Streams an edit of columns."""
    dialect = told.dialect(file, options.encoding)

    def said(places: int) -> str:
        return f"{done} ({counted(places, 'place')})" if places else "nothing to change"

    stream(
        file,
        edit(dialect),
        options,
        output,
        label="Writing",
        done=said,
        places=partial(told.places, file, options.encoding),
    )


@verb("add-column")
@file_argument
@click.argument("name")
@click.option("--value", default="", metavar="V", help="What every row gets; default: an empty cell.")
@_place_options
@dialect_options
@edit_options(expect=False)
def add_column(
    file: str,
    name: str,
    value: str,
    before: str | None,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Add a column with one value in every row.

    The new cells stand in quotes where those beside them do, or where the value needs them. Rows too short
    to reach the column stay as they are. In a file without a header NAME is of no use but to be given.

        insitu csv add-column orders.csv currency --value EUR --before value

    A crash leaves the old file or the new one, never some of the rows: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    from insitu.views.csv_columns import CsvAddColumn

    _shape(
        file,
        told,
        options,
        output,
        lambda dialect: CsvAddColumn(name, value, before, dialect),
        f"added the column {name!r}",
    )


@verb("drop-column")
@file_argument
@click.argument("column")
@_number_option
@dialect_options
@edit_options(expect=False)
def drop_column(
    file: str,
    column: str,
    by_number: bool,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Drop a column, its cells with one delimiter each.

    A row that would be left as an empty line is left as an empty cell in quotes.

        insitu csv drop-column orders.csv note

    A crash leaves the old file or the new one, never some of the rows: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    from insitu.views.csv_columns import CsvDropColumn

    which = _column(column, by_number)
    _shape(
        file,
        told,
        options,
        output,
        lambda dialect: CsvDropColumn(which, dialect),
        f"dropped the column {column!r}",
    )


@verb("rename-column")
@file_argument
@click.argument("column")
@click.argument("name")
@_number_option
@dialect_options
@edit_options(expect=False)
def rename_column(
    file: str,
    column: str,
    name: str,
    by_number: bool,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Give a column another name: a change of the header alone.

        insitu csv rename-column orders.csv value amount

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """
    from insitu.views.csv_columns import CsvRenameColumn

    which = _column(column, by_number)
    _shape(
        file,
        told,
        options,
        output,
        lambda dialect: CsvRenameColumn(which, name, dialect),
        f"renamed the column {column!r} to {name!r}",
    )


@verb("move-column")
@file_argument
@click.argument("column")
@_number_option
@_place_options
@dialect_options
@edit_options(expect=False)
def move_column(
    file: str,
    column: str,
    by_number: bool,
    before: str | None,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Move a column before another one, or behind the last.

    Cells are moved as they are written. A row that has only one of the two cells is refused, since its
    others would come to stand in other columns.

        insitu csv move-column orders.csv id --before status

    A crash leaves the old file or the new one, never some of the rows: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    from insitu.views.csv_columns import CsvMoveColumn

    which = _column(column, by_number)
    _shape(
        file,
        told,
        options,
        output,
        lambda dialect: CsvMoveColumn(which, before, dialect),
        f"moved the column {column!r}",
    )
