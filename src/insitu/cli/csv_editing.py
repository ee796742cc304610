"""``insitu csv``: cells set, rows inserted and deleted, by number, by key or by a condition."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from insitu.cli.csv_options import (
    DialectOptions,
    Numbers,
    Values,
    dialect_options,
    key_option,
    parsed_pair,
    parsed_values,
    row_of,
    rows_option,
    where_option,
)
from insitu.cli.editing import edit
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.places import clipped
from insitu.cli.streaming import stream
from insitu.errors import ExpectationError

if TYPE_CHECKING:
    import insitu
    from insitu.views.csv import Csv

_NUMBER = click.IntRange(min=1)

_expect_count_option = click.option(
    "--expect-count", type=click.IntRange(min=0), metavar="N", help="Refuse unless these are N rows."
)
_values_option = click.option(
    "--values", "given", multiple=True, required=True, metavar="ROW",
    help="""A row: JSON, '["7", "new"]' or '{"id": 7}', or cells as in the file, '7,new'. Repeatable.""",
)  # fmt: skip


@verb("set")
@file_argument
@click.argument("value")
@click.option("--row", type=_NUMBER, metavar="N", help="The row, from 1; the header is none.")
@key_option
@click.option("--column", required=True, metavar="C", help="The column by name.")
@dialect_options
@edit_options(expect=True)
def set_(
    file: str,
    value: str,
    row: int | None,
    key: tuple[str, str] | None,
    column: str,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Set one cell, by the number of its row or by a key.

    The cell keeps its quotes, and gets some only where the new value needs them. With --expect, the cell
    must say that now.

        insitu csv set orders.csv --row 1200000 --column status done

        insitu csv set orders.csv --key id=A-77 --column status done --expect pending

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """
    if (row is None) == (key is None):
        raise click.UsageError("Give the row: --row N or --key COLUMN=VALUE.")

    def change(doc: insitu.Document) -> str:
        table = told.table(doc)
        index = _index(table, file, row, key)
        found = table[index][column]
        if options.expect is not None and found != options.expect:
            raise ExpectationError(
                f"Row {index + 1:,} has {clipped(found)} in column {column!r}, not "
                f"{clipped(options.expect)}; nothing was changed in {doc.path}.",
                hint="Look at it again, and expect what is there now: "
                f"insitu csv read FILE --rows {index + 1}",
                found=found,
                expected=options.expect,
                row=index,
            )
        table.set(index, column, value)
        return f"set {column!r} of row {index + 1:,}"

    edit(file, options, output, change, label="Writing")


@verb("update")
@file_argument
@where_option(required=False)
@click.option("--all", "all_", is_flag=True, help="Every row.")
@click.option(
    "--set", "sets", multiple=True, required=True, metavar="C=V",
    help="Give column C the value V. Repeatable.",
)  # fmt: skip
@click.option("--skip-short", is_flag=True, help="Leave rows alone that are too short to have the cell.")
@_expect_count_option
@dialect_options
@edit_options(expect=False)
def update(
    file: str,
    where: str | None,
    null_empty: bool,
    all_: bool,
    sets: tuple[str, ...],
    skip_short: bool,
    expect_count: int | None,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Set cells in all rows that a condition is true of.

    Conditions are SQL over the columns; texts stand in single quotes. Any number of cells is one operation.
    A cell that has the value already is not touched.

        insitu csv update orders.csv --where "status = 'pending' and value > 1000" --set status=processed

        insitu csv update orders.csv --all --set checked=yes --dry-run

    A crash leaves the old file or the new one, never some of the rows: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    from insitu.views.csv_mass import CsvUpdate

    if all_ == (where is not None):
        raise click.UsageError("Give the rows: --where CONDITION or --all.")
    pairs = [parsed_pair(given) for given in sets]
    values = dict(pairs)
    if len(values) < len(pairs):
        raise click.UsageError("A column is set twice.")
    change = CsvUpdate(
        values,
        where,
        told.dialect(file, options.encoding),
        null_empty,
        "skip" if skip_short else "refuse",
        expect_count,
    )
    stream(
        file,
        change,
        options,
        output,
        label="Updating",
        done=lambda cells: f"updated {counted(cells, 'cell')}",
        places=partial(told.places, file, options.encoding),
    )


@verb("delete")
@file_argument
@where_option(required=False)
@rows_option(required=False)
@key_option
@_expect_count_option
@dialect_options
@edit_options(expect=False)
def delete(
    file: str,
    where: str | None,
    null_empty: bool,
    rows: Numbers | None,
    key: tuple[str, str] | None,
    expect_count: int | None,
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Delete rows, by a condition, by number or by a key.

    Rows go with their line ends. The header stays.

        insitu csv delete orders.csv --where "status = 'cancelled'" --dry-run

        insitu csv delete orders.csv --rows 5-7

    A crash leaves the old file or the new one, never some of the rows: until the edit is safely noted the
    old one; from then on, the next command that may write finishes it.
    """
    from insitu.views.csv_mass import CsvDelete

    if sum(given is not None for given in (where, rows, key)) != 1:
        raise click.UsageError("Give the rows: --where CONDITION, --rows A-B or --key COLUMN=VALUE.")
    if where is not None:
        dialect = told.dialect(file, options.encoding)
        matching = CsvDelete(where, dialect, null_empty, expect_count)
        stream(
            file,
            matching,
            options,
            output,
            label="Deleting",
            done=_deleted,
            places=partial(told.places, file, options.encoding),
        )
        return
    if expect_count is not None:
        raise click.UsageError("--expect-count goes with --where.")

    def change(doc: insitu.Document) -> str:
        table = told.table(doc)
        if key is not None:
            index = row_of(table, file, key)
            del table[index]
            return f"deleted row {index + 1:,}"
        assert rows is not None
        start, stop = rows.indexes(table, file)
        del table[start:stop]
        return f"deleted {rows}"

    edit(file, options, output, change, label="Deleting")


def _deleted(runs: int) -> str:
    return f"deleted rows in {counted(runs, 'place')}"


@verb("insert")
@file_argument
@click.option("--before-row", type=_NUMBER, metavar="N", help="Before row N, from 1.")
@click.option("--after-row", type=_NUMBER, metavar="N", help="After row N, from 1.")
@click.option("--end", is_flag=True, help="Behind the last row.")
@_values_option
@dialect_options
@edit_options(expect=False)
def insert(
    file: str,
    before_row: int | None,
    after_row: int | None,
    end: bool,
    given: tuple[str, ...],
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Insert rows, before or after one, or at the end.

    A new row is written as its neighbour is: line end and, column by column, quotes. Columns that an object
    does not name stay empty.

        insitu csv insert orders.csv --after-row 7 --values '{"id": "A-78", "status": "new"}'

        insitu csv insert orders.csv --before-row 1 --values 'A-1,new,1.50,"a, b"'

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """
    if sum((before_row is not None, after_row is not None, end)) != 1:
        raise click.UsageError("Give one place: --before-row N, --after-row N or --end.")
    _insert(file, before_row, after_row, given, told, options, output)


@verb("append")
@file_argument
@_values_option
@dialect_options
@edit_options(expect=False)
def append(
    file: str,
    given: tuple[str, ...],
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    """Append rows at the end.

    A last row without a line end gets one first. A new row is written as the last one is: line end and,
    column by column, quotes.

        insitu csv append orders.csv --values '{"id": "A-79", "status": "new"}' --values 'A-80,new,2,'

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """
    _insert(file, None, None, given, told, options, output)


def _insert(
    file: str,
    before: int | None,
    after: int | None,
    given: tuple[str, ...],
    told: DialectOptions,
    options: EditOptions,
    output: Output,
) -> None:
    def change(doc: insitu.Document) -> str:
        table = told.table(doc)
        rows = [_row(parsed_values(text, table.dialect)) for text in given]
        if before is None and after is None:
            table.extend(rows)
            return f"appended {counted(len(rows), 'row')}"
        beside = before or after
        if after or len(table):  # in an empty file there is no row 1 to be before, but no doubt either
            Numbers(beside, beside).indexes(table, file)
        index = after if after is not None else (before or 1) - 1
        for row in reversed(rows):
            table.insert(index, row)
        return f"inserted {counted(len(rows), 'row')} {'after' if after else 'before'} row {beside:,}"

    edit(file, options, output, change, label="Inserting")


def _index(table: Csv, file: str, number: int | None, key: tuple[str, str] | None) -> int:
    """The index of the row that was named."""
    if key is not None:
        return row_of(table, file, key)
    return Numbers(number, number).indexes(table, file)[0]


def _row(values: Values) -> Any:
    """A new row for the library; nothing is an empty cell."""
    if isinstance(values, dict):
        return {name: value or "" for name, value in values.items()}
    return [value or "" for value in values]
