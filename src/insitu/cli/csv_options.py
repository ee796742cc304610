"""What the commands of ``insitu csv`` can be told: the dialect, rows, and the values of new rows."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from insitu.cli.output import counted
from insitu.errors import AmbiguousError, NoMatchError, RequestError, SpanError

if TYPE_CHECKING:
    import insitu
    from insitu.core.spans import Span
    from insitu.formats.csv_dialect import Dialect
    from insitu.views.csv import Csv

Command = Callable[..., None]
Values = list[str | None] | dict[str, str | None]

# Words for bytes that a shell makes hard to type.
_NAMED: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_NONE: Final = "none"

# So many rows with one key are named.
_CANDIDATES_MAX: Final = 5


# What ends rows, for the library.
_ROW_ENDS: Final = {"lf": "\n", "cr": "\r", "any": "any"}


def _special(_context: click.Context, option: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    if given.lower() == _NONE and option.name != "delimiter":
        return ""
    character = _NAMED.get(given.lower(), given)
    if len(character) != 1:
        raise click.BadParameter(f"{given!r} is not one character; 'tab' is a word for the tabulator")
    return character


_DIALECT: Final = (
    click.option(
        "--delimiter", metavar="C", callback=_special,
        help="What separates cells: one character, or 'tab'; default: as it seems (see csv info).",
    ),
    click.option(
        "--quote", metavar="C", callback=_special, help="What stands around cells; 'none': nothing does."
    ),
    click.option(
        "--escape", metavar="C", callback=_special,
        help="What takes the next character as it is; 'none': nothing does.",
    ),
    click.option(
        "--header/--no-header", "header", default=None,
        help="Whether the first row names the columns; default: as it seems.",
    ),
    click.option(
        "--lenient/--strict", "lenient", default=None,
        help="Whether misplaced quotes are text, or refused; default: as it seems.",
    ),
    click.option(
        "--row-ends", "newline", type=click.Choice(list(_ROW_ENDS)),
        callback=lambda _context, _option, given: given and _ROW_ENDS[given],
        help="What ends rows: LF and CR LF, lone CRs, or all three; default: as it seems.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class DialectOptions:
    """How the file is written, as far as it was said; None: as it seems, an empty text: there is none."""

    delimiter: str | None
    quote: str | None
    escape: str | None
    header: bool | None
    lenient: bool | None
    newline: str | None

    def table(self, doc: insitu.Document) -> Csv:
        """The rows of a document."""
        return doc.csv(**asdict(self))

    def dialect(self, file: str, encoding: str | None) -> Dialect:
        """How the file is written, for a mass edit of it.

        Raises:
            AmbiguousError: that is a guess which could be wrong.
        """
        import insitu
        from insitu.views.csv_sniffing import Given, sniffed
        from insitu.views.streaming import Source

        with insitu.open(file, "r", encoding=encoding) as doc:
            found = sniffed(Source(doc.base, doc.text, doc.path), Given(**asdict(self)))
            found.check_certain(file)
            return found.dialect

    def places(self, file: str, encoding: str | None, spans: Iterable[Span]) -> list[dict[str, Any]]:
        """Which row, or rows up to another, or cell of one, spans of a file are; row 0 is the header."""
        import insitu
        from insitu.formats.csv_cells import parse_row

        with insitu.open(file, "r", encoding=encoding) as doc:
            table = self.table(doc)
            index, found = table.index(), []
            for span in spans:
                at = min(index.row_at(span.start), index.row_count - 1)
                row = index.span_of(at)
                place: dict[str, Any] = {"row": at + 1 - table.dialect.header}
                if span.holds(row):
                    last = index.row_at(max(span.start, span.stop - 1))
                    place |= {"to": last + 1 - table.dialect.header} if last > at else {}
                else:
                    cells = parse_row(doc.read(row.start, row.size), table.dialect).cells
                    column = bisect_right([row.start + cell.start for cell in cells], span.start) - 1
                    if column < len(table.header):
                        place["column"] = table.header[column]
                found.append(place)
            return found


def dialect_options(command: Command) -> Command:
    """Adds what every command on CSV can be told of the file; the command gets ``told``."""

    @functools.wraps(command)
    def telling(*args: Any, **values: Any) -> None:
        mine = {name: values.pop(name) for name in DialectOptions.__dataclass_fields__}
        command(*args, told=DialectOptions(**mine), **values)

    result: Command = telling
    for option in reversed(_DIALECT):
        result = option(result)
    return result


def where_option(*, required: bool) -> Callable[[Command], Command]:
    """Adds a condition; the command gets ``where`` and ``null_empty``."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--null-empty", is_flag=True, help="In the condition, empty cells without quotes are NULL."
        )(command)
        return click.option(
            "--where", required=required, metavar="SQL",
            help="The rows that this is true of, as \"status = 'new' and value > 5\".",
        )(command)  # fmt: skip

    return decorate


def rows_option(*, required: bool) -> Callable[[Command], Command]:
    """Adds rows by number; the command gets ``rows``."""
    return click.option(
        "--rows",
        required=required,
        metavar="A-B",
        callback=_rows,
        help="Rows A to B, from 1; also A, A- and -B.",
    )


def key_option(command: Command) -> Command:
    """Adds a row by key; the command gets ``key``, a column and its text."""
    return click.option(
        "--key",
        metavar="COLUMN=VALUE",
        callback=_pair,
        help="The only row that has this text in this column.",
    )(command)


def row_of(table: Csv, path: str, key: tuple[str, str]) -> int:
    """The index of the only row with a key.

    Raises:
        NoMatchError: there is none.
        AmbiguousError: there are several; the first are named as candidates.
    """
    column, value = key
    found = [row.index for row in islice(table.where_key(column, value), _CANDIDATES_MAX + 1)]
    if not found:
        raise NoMatchError(
            f"No row of {path} has {value!r} in column {column!r}; nothing was changed.",
            hint=f"Texts are compared as they are: check case and spaces, or list: insitu csv filter {path} "
            f"--where CONDITION",
            path=path,
        )
    if len(found) > 1:
        more = "More than " if len(found) > _CANDIDATES_MAX else ""
        raise AmbiguousError(
            f"{more}{min(len(found), _CANDIDATES_MAX)} rows of {path} have {value!r} in column {column!r}; "
            "nothing was changed.",
            hint="Name one by its number, or change them all with: insitu csv update FILE --where CONDITION",
            candidates=[f"--row {index + 1}" for index in found[:_CANDIDATES_MAX]],
            path=path,
        )
    return found[0]


class Numbers(NamedTuple):
    """Rows by number, from 1, the last included; None stands for the first or the last row."""

    first: int | None
    last: int | None

    def indexes(self, table: Csv, path: str) -> tuple[int, int]:
        """The rows as indexes, 0-based and half-open.

        Raises:
            SpanError: there are fewer.
        """
        count = len(table)
        first, last = self.first or 1, count if self.last is None else self.last
        if max(first, last) > count:
            raise SpanError(
                f"There is no row {max(first, last):,} in {path}, which has {counted(count, 'row')}; nothing "
                "was changed.",
                hint="Rows count from 1; the header is none of them.",
                row=max(first, last),
                rows=count,
            )
        return first - 1, last

    def __str__(self) -> str:
        if self.first is not None and self.first == self.last:
            return f"row {self.first:,}"
        return f"rows {self.first or 1:,} to {'the last' if self.last is None else format(self.last, ',')}"


def _rows(_context: click.Context, _option: click.Parameter, given: str | None) -> Numbers | None:
    """Reads ``A``, ``A-B``, ``A-`` or ``-B``."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d*)(-?)(\d*)", given.strip().replace(",", ""))
    if not found or not (found[1] or found[3]):
        raise click.BadParameter(f"{given!r} is not of the form A, A-B, A- or -B, as 7, 7-9, 7- or -9")
    first = int(found[1]) if found[1] else None
    last = (int(found[3]) if found[3] else None) if found[2] else first
    if 0 in (first, last):
        raise click.BadParameter("rows count from 1, the header is none of them")
    if first is not None and last is not None and first > last:
        raise click.BadParameter(f"{given!r} is reversed: {first:,} comes after {last:,}")
    return Numbers(first, last)


def _pair(_context: click.Context, _option: click.Parameter, given: str | None) -> tuple[str, str] | None:
    return None if given is None else parsed_pair(given)


def parsed_pair(text: str) -> tuple[str, str]:
    """Reads ``COLUMN=VALUE``; the first equals sign parts them."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not of the form COLUMN=VALUE")
    return name, value


def parsed_values(text: str, dialect: Dialect) -> Values:
    """Reads the values of one new row: a JSON array or object, or cells as the file writes them.

    Raises:
        RequestError: they are neither.
    """
    if text.lstrip()[:1] in ("[", "{"):
        return _from_json(text)
    written = io.StringIO(text, newline="")
    try:
        rows = list(
            csv.reader(
                written,
                delimiter=dialect.delimiter.decode("ascii"),
                quotechar=_character(dialect.quote),
                escapechar=_character(dialect.escape),
                quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
                strict=True,
            )
        )
    except csv.Error as error:
        raise RequestError(f"The values {text!r} are no row: {error}.", hint=_VALUES_HINT) from None
    if len(rows) > 1:
        raise RequestError(
            f"{len(rows):,} rows were given with one --values.", hint="Give --values once for each row."
        )
    return list(rows[0]) if rows else [""]


def _character(byte: bytes | None) -> str | None:
    return None if byte is None else byte.decode("ascii")


_VALUES_HINT: Final = """Give a JSON array, '["7", "new"]', an object, '{"id": 7}', or cells: '7,new'."""


def _from_json(text: str) -> Values:
    try:
        given = json.loads(text, parse_int=str, parse_float=str)
    except ValueError as error:
        raise RequestError(f"The values {text!r} are no JSON: {error}.", hint=_VALUES_HINT) from None
    cells = given.values() if isinstance(given, dict) else given
    if bad := [cell for cell in cells if cell is not None and not isinstance(cell, str)]:
        raise RequestError(
            f"The value {json.dumps(bad[0])} cannot be a cell.",
            hint="Cells are text or numbers; null is empty.",
        )
    return given  # type: ignore[no-any-return]
