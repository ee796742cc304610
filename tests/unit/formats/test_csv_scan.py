"""Splitting rows and cells: the rules, case by case, and the tables of chunks against the plain machine."""

from __future__ import annotations

import random

import numpy as np
import pytest

from insitu.errors import FormatError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows, first_rows, row_widths, split_rows
from insitu.formats.csv_states import (
    CLOSED,
    ESCAPED,
    ESCAPED_QUOTED,
    FIELD,
    QUOTED,
    START,
    STATES,
    TEXT,
    machine,
)
from insitu.formats.csv_tables import row_ends, table
from tests.unit.formats.csv_oracle import read

LENIENT = Dialect(lenient=True)
ESCAPING = Dialect(escape=b"\\")

DIALECTS = (
    Dialect(),
    LENIENT,
    ESCAPING,
    Dialect(escape=b"\\", lenient=True),
    Dialect(quote=None),
    Dialect(quote=None, escape=b"\\"),
    Dialect(newline="any"),
    Dialect(newline="any", lenient=True, escape=b"\\"),
    Dialect(newline="\r"),
)

ALPHABETS = (b'ab,"\n', b'a,"\n\r\\', b'aaaa,"\r\n', b'",\n', b'"\\a\n', b'aaaaaa,,"\n', b"\\\\\\\n", b'"\n')


def split(data: bytes, dialect: Dialect, columns: range = range(5)) -> Rows:
    return split_rows(np.frombuffer(data, np.uint8), dialect, columns)


def texts(rows: Rows) -> list[list[bytes]]:
    """The cells of each row as they are written inside their quotes; a quoted one in parentheses."""
    found: list[list[bytes]] = [[] for _ in range(len(rows))]
    for column in sorted(rows.cells):
        cells = rows.cells[column]
        for at, row in enumerate(found):
            if cells.missing is None or not cells.missing[at]:
                quoted = cells.quoted is not None and cells.quoted[at]
                row.append(b"(%s)" % cells.raw(at) if quoted else cells.raw(at))
    return found


@pytest.mark.parametrize(
    ("data", "dialect", "expected"),
    [
        (b"", Dialect(), []),
        (b"\n", Dialect(), [[b""]]),
        (b"a,b\n\nc", Dialect(), [[b"a", b"b"], [b""], [b"c"]]),
        (b"a,b\r\nc,d\r\n", Dialect(), [[b"a", b"b"], [b"c", b"d"]]),
        (b"a,\r\n,\n,", Dialect(), [[b"a", b""], [b"", b""], [b"", b""]]),
        (b"a\rb\n", Dialect(), [[b"a\rb"]]),
        (b"a\rb\nc\r\nd\r", Dialect(newline="any"), [[b"a"], [b"b"], [b"c"], [b"d"]]),
        (b"a\nb\rc\r\n", Dialect(newline="\r"), [[b"a\nb"], [b"c"], [b"\n"]]),
        (b'"a\nb",c\n"""",""\n', Dialect(), [[b"(a\nb)", b"c"], [b'("")', b"()"]]),
        (b'"a","b\r\n"\r\nc\n', Dialect(), [[b"(a)", b"(b\r\n)"], [b"c"]]),
        (b'a,"b,c"', Dialect(), [[b"a", b"(b,c)"]]),
        (b'5" pipe,x\n"a"b,"c"\n', LENIENT, [[b'5" pipe', b"x"], [b'"a"b', b"(c)"]]),
        (b'"a"b"\n"c" \na""b,"d"\n', LENIENT, [[b'"a"b"'], [b'"c" '], [b'a""b', b"(d)"]]),
        (b' "a,b"\n', LENIENT, [[b' "a', b'b"']]),
        (b'a\\,b,c\\\nd\n"e\\"f"\n', ESCAPING, [[b"a\\,b", b"c\\\nd"], [b'(e\\"f)']]),
        (b'"a\\\\",b\\\\,c\n', ESCAPING, [[b"(a\\\\)", b"b\\\\", b"c"]]),
        (b'"a",b\n', Dialect(quote=None), [[b'"a"', b"b"]]),
        (b"'a,\"b';c\n", Dialect(delimiter=b";", quote=b"'"), [[b'(a,"b)', b"c"]]),
        (b'"a\\",b\n', Dialect(lenient=True, escape=b"\\", quote=None), [[b'"a\\"', b"b"]]),
    ],
)
def test_rows_and_cells_are_split_by_the_rules(
    data: bytes, dialect: Dialect, expected: list[list[bytes]]
) -> None:
    rows = split(data, dialect)
    assert texts(rows) == expected
    assert [0, *rows.ends.tolist()][:-1] == rows.starts.tolist()
    assert not data or rows.ends[-1] == len(data)


def test_only_the_columns_asked_for_are_split_and_short_rows_have_none() -> None:
    rows = split(b"a,b,c\nd\n", Dialect(), range(2, 3))
    assert list(rows.cells) == [2]
    missing = rows.cells[2].missing
    assert missing is not None and missing.tolist() == [False, True]
    assert rows.cells[2].raw(1) == b""


@pytest.mark.parametrize(
    ("data", "row", "offset"),
    [
        (b'a\nb"c\n', 1, 3),
        (b'"a"b\n', 0, 3),
        (b'x,"a" ,b\n', 0, 5),
        (b'a,b\n"c\n"d\n', 1, 8),
        (b'"a"\rb\n', 0, 3),
        (b'ok\n"a""b"c""\n', 1, 9),
    ],
)
def test_strict_dialects_refuse_misplaced_quotes_with_their_place(data: bytes, row: int, offset: int) -> None:
    with pytest.raises(FormatError, match=f"byte {offset}") as raised:
        split(data, Dialect())
    assert (raised.value.facts["row"], raised.value.facts["offset"]) == (row, offset)
    assert len(split(data, LENIENT))


def test_rows_know_where_they_are_in_the_file() -> None:
    rows = split_rows(np.frombuffer(b'a\n"b"c\n', np.uint8), LENIENT, (), 100, 7)
    assert (rows.offset, rows.first) == (100, 7)
    with pytest.raises(FormatError, match=r"Row 9, at byte 102,.*byte 105"):
        split_rows(np.frombuffer(b'a\n"b"c\n', np.uint8), Dialect(), (), 100, 7)


def reachable(dialect: Dialect) -> list[int]:
    states = [START, FIELD, TEXT]
    states += [QUOTED, CLOSED] if dialect.quote is not None else []
    states += [ESCAPED] if dialect.escape is not None else []
    return states + ([ESCAPED_QUOTED] if dialect.quote is not None and dialect.escape is not None else [])


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_tables_say_what_the_machine_does_from_every_state(dialect: Dialect) -> None:
    source = random.Random(repr(dialect))
    states = machine(dialect)
    for size in [0, 1, 2, 3, 4, 5, 9, 40, 70, 200] * 12:
        data = bytes(source.choices(source.choice(ALPHABETS), k=size))
        following = source.choice((-1, 0x0A, 0x61))
        found = table(np.frombuffer(data, np.uint8), dialect, following)
        assert len(found) == STATES
        classes = states.classes(data, following)
        for state in reachable(dialect):
            expected = states.run(classes, state)
            if expected.fault >= 0:
                # What follows is of no use any more.
                assert found[state].fault == expected.fault, (data, state)
                continue
            assert found[state] == expected, (data, state)
            ends = row_ends(np.frombuffer(data, np.uint8), dialect, state, following)
            assert ends.tolist() == states.ends(classes, state), (data, state)


@pytest.mark.parametrize("size", [300, 301, 100_000, 100_001])
@pytest.mark.parametrize("ahead", [b"", b'a"b', b",", b"\\a"])
@pytest.mark.parametrize("byte", [b'"', b"\\"])
def test_long_runs_of_quotes_and_escapes_are_stepped_over(size: int, ahead: bytes, byte: bytes) -> None:
    dialect = Dialect(escape=b"\\", lenient=True)
    data, short = ahead + byte * size, ahead + byte * (20 + size % 2)
    states = machine(dialect)
    found = table(np.frombuffer(data, np.uint8), dialect, -1)
    for state in reachable(dialect):
        plain = state
        for kind in states.classes(short, -1):
            plain = states.run(bytes((kind,)), plain).state
        assert found[state].state == states.run(states.classes(data, -1), state).state == plain


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_freely_misquoted_text_is_split_as_the_oracle_does(dialect: Dialect) -> None:
    source = random.Random(repr(dialect) + "rows")
    for size in [3, 8, 20, 60, 300] * 40:
        data = bytes(source.choices(source.choice(ALPHABETS), k=size))
        expected = read(data, dialect)
        if not expected.closed or (expected.fault >= 0 and not dialect.lenient):
            continue
        rows = split(data, dialect)
        assert [tuple(row[:3]) for row in expected.rows] == list(
            zip(rows.starts.tolist(), rows.stops.tolist(), rows.ends.tolist(), strict=True)
        )
        cells = [
            [
                b"(%s)" % data[cell.start + 1 : cell.stop - 1]
                if cell.quoted
                else data[cell.start : cell.stop]
                for cell in row.cells[:5]
            ]
            for row in expected.rows
        ]
        assert texts(rows) == cells, data


def test_samples_are_measured_up_to_their_last_whole_row() -> None:
    sample = b'a,b\n\n"c\n",d,e\r\n\r\nx,y'
    assert row_widths(sample, Dialect()).tolist() == [2, 0, 3, 0]
    assert row_widths(b"a,b", Dialect()).tolist() == [2]
    assert first_rows(sample, Dialect(), 3) == [b"a,b\n", b"\n", b'"c\n",d,e\r\n']
    assert first_rows(b"a,b", Dialect(), 3) == [b"a,b"]
