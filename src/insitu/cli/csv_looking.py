"""``insitu csv``: looking at rows, cells and columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from insitu.cli.csv_options import DialectOptions, Numbers, dialect_options, rows_option, where_option
from insitu.cli.options import encoding_option, file_argument, output_options, verb
from insitu.cli.output import Output, byte_size, sheet, table, write, write_line
from insitu.cli.places import printable
from insitu.cli.progress import work
from insitu.errors import LimitError

if TYPE_CHECKING:
    import insitu
    from insitu.formats.csv_dialect import Dialect
    from insitu.views.csv import Csv
    from insitu.views.csv_selection import Matches

# One JSON object is held in memory, here and by whoever parses it.
_JSON_BYTES_MAX: Final = 16 << 20

_WINDOW_BYTES: Final = 1 << 20
_ROWS_AT_ONCE: Final = 1000


@verb("info")
@file_argument
@dialect_options
@encoding_option
@output_options
def info(file: str, told: DialectOptions, encoding: str | None, output: Output) -> None:
    """Show how the file is written, and how sure that is.

    The dialect is told by a sample from the start of the file. Where that leaves a doubt, it is shown, and
    commands that write ask for the options that settle it.

        insitu csv info orders.csv

    Nothing is changed, so a crash leaves the file as it is.
    """
    with _opened(file, told, encoding) as (doc, rows):
        facts = _facts(doc, rows)
        shown = {**facts, "delimiter": printable(facts["delimiter"])}
        output.result(table(sheet(shown)))
        output.fields({"path": file, **facts})


@verb("columns")
@file_argument
@dialect_options
@encoding_option
@output_options
def columns(file: str, told: DialectOptions, encoding: str | None, output: Output) -> None:
    """List the columns with their numbers.

    Those of a file without a header are called c1, c2 and so on, as many as its first row has.

        insitu csv columns orders.csv

    Nothing is changed, so a crash leaves the file as it is.
    """
    with _opened(file, told, encoding) as (_, rows):
        names = rows.header
        if names:
            output.result(table([(str(at), printable(name)) for at, name in enumerate(names, 1)]))
        output.fields({"path": file, "columns": list(names)})


@verb("count")
@file_argument
@where_option(required=False)
@dialect_options
@encoding_option
@output_options
def count(
    file: str,
    where: str | None,
    null_empty: bool,
    told: DialectOptions,
    encoding: str | None,
    output: Output,
) -> None:
    """Count the rows, or those that a condition is true of.

    The header is no row.

        insitu csv count orders.csv --where "status = 'pending' and value > 1000"

    Nothing is changed, so a crash leaves the file as it is.
    """
    from insitu.views.csv_selection import count as counted_rows

    with (
        _opened(file, told, encoding) as (_, rows),
        work("Counting", silent=output.quiet or output.as_json) as run,
    ):
        number = counted_rows(
            rows.source,
            rows.dialect,
            where,
            null_empty=null_empty,
            progress=run.progress,
            cancel=run.cancel,
        )
    output.result(f"{number}\n")
    output.fields({"path": file, "count": number, "where": where})


@verb("head")
@file_argument
@click.option(
    "-n", "--rows", "limit", type=click.IntRange(min=0), default=10, show_default=True,
    metavar="N", help="How many rows.",
)  # fmt: skip
@dialect_options
@encoding_option
@output_options
def head(file: str, limit: int, told: DialectOptions, encoding: str | None, output: Output) -> None:
    """Write the header and the first rows, exactly as they are.

    Quoted line ends do not cut a row in two. With --json, each row by the names of its columns.

        insitu csv head orders.csv -n 3

    Nothing is changed, so a crash leaves the file as it is.
    """
    with _opened(file, told, encoding) as (doc, rows):
        _write_matching(file, doc, rows, None, limit, False, output)


@verb("filter")
@file_argument
@where_option(required=True)
@click.option("--max", "limit", type=click.IntRange(min=0), metavar="N", help="The first N of them only.")
@dialect_options
@encoding_option
@output_options
def filter_(
    file: str,
    where: str,
    null_empty: bool,
    limit: int | None,
    told: DialectOptions,
    encoding: str | None,
    output: Output,
) -> None:
    """Write the header and the rows that a condition is true of, exactly as they are.

    With --json, up to 16 MB of rows in one object, by the names of their columns.

        insitu csv filter orders.csv --where "value > 1000" > large.csv

    Nothing is changed, so a crash leaves the file as it is.
    """
    with _opened(file, told, encoding) as (doc, rows):
        _write_matching(file, doc, rows, where, limit, null_empty, output)


@verb("read")
@file_argument
@rows_option(required=True)
@click.option("--column", metavar="C", help="Only what this cell says, a line each.")
@dialect_options
@encoding_option
@output_options
def read(
    file: str,
    rows: Numbers,
    column: str | None,
    told: DialectOptions,
    encoding: str | None,
    output: Output,
) -> None:
    """Write rows exactly as they are, or what one of their cells says.

    Rows count from 1, the header is none of them. With --column, quotes and escapes are undone.

        insitu csv read orders.csv --rows 1200000-1200010

        insitu csv read orders.csv --rows 7 --column status

    Nothing is changed, so a crash leaves the file as it is.
    """
    with _opened(file, told, encoding) as (doc, table):
        start, stop = rows.indexes(table, file)
        if column is not None:
            _read_column(file, table, range(start, stop), column, output)
        else:
            _read_rows(file, doc, table, range(start, stop), output)


@contextmanager
def _opened(file: str, told: DialectOptions, encoding: str | None) -> Iterator[tuple[insitu.Document, Csv]]:
    """A file opened for reading, and its rows."""
    import insitu

    with insitu.open(file, "r", encoding=encoding) as doc:
        yield doc, told.table(doc)


def _read_rows(file: str, doc: insitu.Document, table: Csv, rows: range, output: Output) -> None:
    """Writes whole rows as they are."""
    if not rows:
        span = (doc.size, doc.size)
    else:
        span = table.span_of_row(rows[0]).start, table.span_of_row(rows[-1]).stop
    if output.as_json:
        _check_json(span[1] - span[0])
        _rows_fields(file, table, ((row.index, row.cells) for row in table[rows.start : rows.stop]), output)
        return
    for start in range(*span, _WINDOW_BYTES):
        write(doc.read(start, min(_WINDOW_BYTES, span[1] - start)))


def _read_column(file: str, table: Csv, rows: range, column: str, output: Output) -> None:
    """Writes what one cell of each row says, on lines of their own."""
    texts: list[dict[str, Any]] = []
    size = 0
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE):
        for row in table[start : min(start + _ROWS_AT_ONCE, rows.stop)]:
            text = row[column]
            if output.as_json:
                size += len(text)
                _check_json(size)
                texts.append({"row": row.index + 1, "text": text})
            else:
                write_line(text)
    output.fields({"path": file, "column": column, "rows": texts})


def _write_matching(
    file: str,
    doc: insitu.Document,
    table: Csv,
    where: str | None,
    limit: int | None,
    null_empty: bool,
    output: Output,
) -> None:
    """Writes the header and the rows that a condition is true of."""
    from insitu.views.csv_selection import matching
    from insitu.views.csv_window import data_start

    source, dialect = table.source, table.dialect
    if not output.as_json:
        write(doc.read(0, data_start(source.reader, dialect)))
    with work("Filtering", silent=True) as run:
        found = matching(source, dialect, where, null_empty=null_empty, limit=limit, cancel=run.cancel)
        if output.as_json:
            _rows_fields(file, table, _parsed(doc, dialect, found), output)
            return
        for matches in found:
            write(matches.data)


def _parsed(
    doc: insitu.Document, dialect: Dialect, found: Iterable[Matches]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields the index and the texts of each row, as many as one JSON object may hold."""
    from insitu.formats.csv_cells import decoded, parse_row

    size = 0
    for matches in found:
        size += len(matches.data)
        _check_json(size)
        at = 0
        for index, length in zip(
            matches.numbers.tolist(), (matches.stops - matches.starts).tolist(), strict=True
        ):
            row = parse_row(matches.data[at : at + length], dialect)
            at += length
            yield index, tuple(doc.text.decode(decoded(row, cell, dialect)) for cell in range(len(row.cells)))


def _rows_fields(file: str, table: Csv, rows: Iterable[tuple[int, tuple[str, ...]]], output: Output) -> None:
    listed = [{"row": index + 1, "cells": list(cells)} for index, cells in rows]
    output.fields({"path": file, "columns": list(table.header), "rows": listed})


def _check_json(size: int) -> None:
    """Refuses what one JSON object would not hold."""
    if size > _JSON_BYTES_MAX:
        raise LimitError(
            f"The rows hold more than {byte_size(_JSON_BYTES_MAX)}, and JSON at most that.",
            hint="Read them in parts, or without --json.",
            size=size,
        )


def _facts(doc: insitu.Document, table: Csv) -> dict[str, Any]:
    """How a file is written, for people and programs."""
    dialect = table.dialect
    byte = {"delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}
    return {
        **{name: None if value is None else value.decode("ascii") for name, value in byte.items()},
        "header": dialect.header,
        "lenient": dialect.lenient,
        "row_ends": {"\n": "LF or CR LF", "\r": "CR", "any": "LF, CR LF or CR"}[dialect.newline],
        "byte_order_mark": bool(dialect.bom),
        "encoding": doc.encoding,
        "columns": list(table.header),
        "doubts": list(table.doubts),
    }
