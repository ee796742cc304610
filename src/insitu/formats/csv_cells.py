"""Cells and rows of CSV one at a time: what is written means, and how a new value is to be written.

A cell keeps the way it was written in: a quoted one stays quoted, an unquoted one is quoted only if its new
value needs it. A new row takes its line end from its neighbour, and column by column whether to quote.
Spaces are part of a value (RFC 4180, 2.4), so they stay unless the value is changed. Everything is bytes of
the file's encoding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from insitu.errors import TextError
from insitu.formats.csv_dialect import Dialect


class Cell(NamedTuple):
    """One cell of a row: ``[start, stop)`` of the row's bytes, its quotes included."""

    start: int
    stop: int
    quoted: bool
    """Whether it is one quoted text, from its first byte to its last."""


class WrittenRow(NamedTuple):
    """A row as it is written: its bytes, its cells, and its line end."""

    data: bytes
    cells: tuple[Cell, ...]
    ending: bytes


def parse_row(data: bytes, dialect: Dialect) -> WrittenRow:
    """Splits the bytes of one whole row, which has its line end unless it ends the file.

    Cost: about a microsecond per cell.
    """
    ending = _ending(data, dialect)
    size = len(data) - len(ending)
    pattern = _cell_pattern(dialect)
    cells = []
    at = 0
    while True:
        found = pattern.match(data, at, size)
        assert found is not None, "the pattern fits the empty cell"
        stop = found.end(2)
        quoted = found.group(1) is not None and found.group(2) == b"" and stop - at > 1
        cells.append(Cell(at, stop, quoted))
        if stop >= size:
            return WrittenRow(data, tuple(cells), ending)
        at = stop + 1


def decoded(row: WrittenRow, column: int, dialect: Dialect) -> bytes:
    """The value of a cell: what it stands for, its quotes and escapes undone."""
    cell = row.cells[column]
    text = row.data[cell.start + cell.quoted : cell.stop - cell.quoted]
    quote, escape = dialect.quote, dialect.escape
    if escape is not None and escape in text:
        return _escape_pattern(dialect, cell.quoted).sub(rb"\1\2", text)
    return text.replace(quote * 2, quote) if cell.quoted and quote is not None else text


def rendered(value: bytes, dialect: Dialect, *, quoted: bool, alone: bool = False) -> bytes:
    """How a value is written.

    Args:
        value: in the encoding of the file.
        quoted: whether it is to stand in quotes anyway.
        alone: whether it is the only cell of its row, which empty would be a blank line: many readers skip
            those.

    Raises:
        TextError: the dialect has no way to write it.
    """
    quote, escape = dialect.quote, dialect.escape
    special = [byte for byte in (dialect.delimiter, b"\r", b"\n", quote, escape) if byte is not None]
    needed = any(byte in value for byte in special) or (alone and not value)
    if quote is None:
        return _escaped(value, dialect) if needed and value else value
    if not quoted and not needed:
        return value
    inside = value if escape is None else value.replace(escape, escape * 2)
    return quote + inside.replace(quote, (quote if escape is None else escape) + quote) + quote


class Spelling(NamedTuple):
    """How a value is written."""

    bare: bytes
    """In a cell without quotes: with quotes where it needs them."""
    inside: bytes
    """Between the quotes of a cell that has them."""


def spelled(text: bytes, dialect: Dialect, width: int = 2) -> Spelling:
    """How a value is written in a dialect.

    Args:
        text: in the encoding of the file.
        width: how many columns the file has. Where it is one, an empty cell would be a blank line, which
            many readers skip: it is written in quotes.

    Raises:
        TextError: the dialect has no way to write it.
    """
    bare = rendered(text, dialect, quoted=False, alone=width == 1)
    return Spelling(bare, bare if dialect.quote is None else rendered(text, dialect, quoted=True)[1:-1])


def new_row(values: Sequence[bytes], neighbour: WrittenRow | None, ending: bytes, dialect: Dialect) -> bytes:
    """The bytes of a new row, its line end included.

    Args:
        neighbour: the row whose quoting it takes, column by column; None: only where it is needed.
        ending: its line end.
    """
    pattern = () if neighbour is None else neighbour.cells
    alone = len(values) == 1
    return (
        dialect.delimiter.join(
            rendered(value, dialect, quoted=at < len(pattern) and pattern[at].quoted, alone=alone)
            for at, value in enumerate(values)
        )
        + ending
    )


def _escaped(value: bytes, dialect: Dialect) -> bytes:
    """A value of a dialect without quotes."""
    escape = dialect.escape
    if escape is None:
        raise TextError(
            f"{value[:40]!r} holds a delimiter or a line end, and the dialect has neither quotes nor an "
            "escape to write it with; nothing was changed.",
            hint="Name the quote or the escape: quote='\"' (--quote), escape='\\\\' (--escape).",
        )
    value = value.replace(escape, escape * 2)
    for byte in (dialect.delimiter, b"\r", b"\n"):
        value = value.replace(byte, escape + byte)
    return value


def _ending(data: bytes, dialect: Dialect) -> bytes:
    """The line end of a row."""
    last = data[-1:]
    ends = {"\n": b"\n", "\r": b"\r", "any": b"\r\n"}[dialect.newline]
    if not last or last not in ends:
        return b""
    escape = dialect.escape
    if escape is not None and (len(data) - 1 - len(data[:-1].rstrip(escape))) % 2:
        return b""  # an escaped line end at the end of the file
    return data[-2:] if last == b"\n" and data.endswith(b"\r\n") else last


@lru_cache(maxsize=32)
def _cell_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    """One cell: its closing quote, if it opens with one, and the text up to the delimiter."""
    delimiter = re.escape(dialect.delimiter)
    escape = b"" if dialect.escape is None else re.escape(dialect.escape)
    escaping = b"" if not escape else b"|" + escape + b"."
    dangling = b"" if not escape else b"|" + escape
    text = b"((?:[^" + delimiter + escape + b"]" + escaping + dangling + b")*+)"
    if dialect.quote is None:
        return re.compile(b"()?" + text, re.DOTALL)
    quote = re.escape(dialect.quote)
    inside = b"(?:[^" + quote + escape + b"]|" + quote * 2 + escaping + b")*+"
    return re.compile(b"(?:" + quote + inside + b"(" + quote + b"))?" + text, re.DOTALL)


@lru_cache(maxsize=32)
def _escape_pattern(dialect: Dialect, quoted: bool) -> re.Pattern[bytes]:
    """An escape with what it escapes; in quoted cells two quotes, too."""
    assert dialect.escape is not None
    pattern = re.escape(dialect.escape) + b"(.)"
    if quoted and dialect.quote is not None:
        pattern += b"|" + re.escape(dialect.quote) + b"(" + re.escape(dialect.quote) + b")"
    else:
        pattern += b"|(?!)()"
    return re.compile(pattern, re.DOTALL)
