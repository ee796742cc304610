"""One row at a time: read as it means, written as it was."""

from __future__ import annotations

import numpy as np
import pytest

from insitu.errors import TextError
from insitu.formats.csv_cells import decoded, new_row, parse_row, rendered
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_keys import matching_cells
from insitu.formats.csv_scan import split_rows

PLAIN = Dialect()
ESCAPING = Dialect(escape=b"\\")
BARE = Dialect(quote=None, escape=b"\\")


@pytest.mark.parametrize(
    ("data", "dialect", "values", "ending"),
    [
        (b"", PLAIN, [b""], b""),
        (b"\r\n", PLAIN, [b""], b"\r\n"),
        (b'a,"b, ""c""", d \r\n', PLAIN, [b"a", b'b, "c"', b" d "], b"\r\n"),
        (b'"",,""""\n', PLAIN, [b"", b"", b'"'], b"\n"),
        (b'"a\nb",c', PLAIN, [b"a\nb", b"c"], b""),
        (b'"a"b,"c" ,d"e\n', Dialect(lenient=True), [b'"a"b', b'"c" ', b'd"e'], b"\n"),
        (b'"a\\"b","c""d",e\\,f,\\\\\n', ESCAPING, [b'a"b', b'c"d', b"e,f", b"\\"], b"\n"),
        (b'a\\,b,"c"\n', BARE, [b"a,b", b'"c"'], b"\n"),
        (b"a\\\n", ESCAPING, [b"a\n"], b""),
        (b"a\\\\\n", ESCAPING, [b"a\\"], b"\n"),
        (b"a\\", ESCAPING, [b"a\\"], b""),
        (b"a\r", Dialect(newline="any"), [b"a"], b"\r"),
        (b"a\r", PLAIN, [b"a\r"], b""),
        (b"a\n\r", Dialect(newline="\r"), [b"a\n"], b"\r"),
    ],
)
def test_a_row_means_what_its_dialect_says(
    data: bytes, dialect: Dialect, values: list[bytes], ending: bytes
) -> None:
    row = parse_row(data, dialect)
    assert [decoded(row, at, dialect) for at in range(len(row.cells))] == values
    assert row.ending == ending


@pytest.mark.parametrize(
    ("value", "dialect", "quoted", "expected"),
    [
        (b"a", PLAIN, False, b"a"),
        (b"a", PLAIN, True, b'"a"'),
        (b" a ", PLAIN, False, b" a "),
        (b"a,b", PLAIN, False, b'"a,b"'),
        (b'a"b', PLAIN, False, b'"a""b"'),
        (b'a"b', Dialect(lenient=True), False, b'"a""b"'),
        (b"a\nb", PLAIN, True, b'"a\nb"'),
        (b"a\r", PLAIN, False, b'"a\r"'),
        (b"", PLAIN, True, b'""'),
        (b"a\\b", ESCAPING, False, b'"a\\\\b"'),
        (b'a"b', ESCAPING, True, b'"a\\"b"'),
        (b"a,b\n\\", BARE, False, b"a\\,b\\\n\\\\"),
    ],
)
def test_a_value_is_quoted_only_where_it_was_or_needs_to_be(
    value: bytes, dialect: Dialect, quoted: bool, expected: bytes
) -> None:
    assert rendered(value, dialect, quoted=quoted) == expected
    row = parse_row(b"x" + dialect.delimiter + expected, dialect)
    assert len(row.cells) == 2
    assert decoded(row, 1, dialect) == value


def test_an_empty_cell_that_is_alone_is_no_blank_line() -> None:
    assert rendered(b"", PLAIN, quoted=False, alone=True) == b'""'
    assert rendered(b"", BARE, quoted=False, alone=True) == b""


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(TextError, match="neither quotes nor an escape"):
        rendered(b"a,b", Dialect(quote=None), quoted=False)


def test_a_new_row_follows_its_neighbour() -> None:
    neighbour = parse_row(b'1,"x",y\r\n', PLAIN)
    assert new_row([b"2", b"a", b"b,c"], neighbour, b"\r\n", PLAIN) == b'2,"a","b,c"\r\n'
    assert new_row([b"2", b"a"], None, b"\n", PLAIN) == b"2,a\n"
    assert new_row([b""], None, b"\n", PLAIN) == b'""\n'


@pytest.mark.parametrize(
    ("data", "dialect", "value", "expected"),
    [
        (b'a,k\nb,"k"\nc,kk\nd\ne,\nf,k\n', PLAIN, b"k", [0, 1, 5]),
        (b'a,""\nb,\nc\n', PLAIN, b"", [0, 1]),
        (b'a,"k""k"\nb,k\n', PLAIN, b'k"k', [0]),
        (b'a,"""k"\nb,"k"\n', PLAIN, b'""k', []),
        (b'a,k\\,k\nb,"k,k"\nc,k\\k\n', ESCAPING, b"k,k", [0, 1]),
        (b"a,k\\k\nb,kk\n", ESCAPING, b"kk", [0, 1]),
        (b'a,"k\\"k"\nb,"k""k"\n', ESCAPING, b'k"k', [0, 1]),
    ],
)
def test_cells_of_one_value_are_found_as_it_is_written(
    data: bytes, dialect: Dialect, value: bytes, expected: list[int]
) -> None:
    cells = split_rows(np.frombuffer(data, np.uint8), dialect, (1,)).cells[1]
    assert matching_cells(cells, value).tolist() == expected
