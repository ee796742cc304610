"""Laws of CSV: splitting is exact however the file is cut, and identity edits change nothing."""

from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.errors import FormatError
from insitu.formats.csv_bits import places
from insitu.formats.csv_cells import decoded, parse_row, rendered
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_specials import specials
from insitu.formats.csv_states import START
from insitu.formats.csv_tables import row_ends, table
from insitu.views.csv_scan import scan_rows
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from tests.unit.formats.csv_oracle import Row, read
from tests.unit.views.test_csv_scan import BytesReader

DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from((b",", b";", b"\t")),
    quote=st.sampled_from((b'"', b'"', b"'", None)),
    escape=st.sampled_from((None, None, b"\\")),
    lenient=st.booleans(),
    header=st.just(False),
    newline=st.sampled_from(("\n", "\r", "any")),
)
MESSY = st.lists(st.sampled_from((b"a", b"bc", b",", b";", b'"', b"'", b"\\", b"\n", b"\r", b"\r\n"))).map(
    b"".join
)
TEXTS = st.text(st.sampled_from("ab ,;\"'\n\r\t\\\u00e4"), max_size=8)


def found(rows: Rows) -> list[Row]:
    """The rows in the words of the oracle, all of their cells asked for."""
    made = []
    for at in range(len(rows)):
        cells = []
        for column in sorted(rows.cells):
            part = rows.cells[column]
            if part.missing is None or not part.missing[at]:
                quoted = bool(part.quoted is not None and part.quoted[at])
                start, stop = int(part.starts[at]) - quoted, int(part.stops[at]) + quoted
                cells.append((start + rows.offset, stop + rows.offset, quoted))
        bounds = (int(column[at]) + rows.offset for column in (rows.starts, rows.stops, rows.ends))
        made.append(Row(*bounds, cells))  # type: ignore[arg-type]
    return made


@given(MESSY, DIALECTS, st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_rows_are_those_of_the_oracle_wherever_windows_are_cut(
    data: bytes, dialect: Dialect, window_bytes: int
) -> None:
    expected = read(data, dialect)
    source = Source(BytesReader(data), Encoding("utf-8"), "f.csv")
    columns = range(max((len(row.cells) for row in expected.rows), default=0) + 1)
    try:
        batches = list(scan_rows(source, dialect, columns, found, window_bytes=window_bytes))
    except FormatError:
        assert not expected.closed or (expected.fault >= 0 and not dialect.lenient)
        return
    assert expected.closed
    assert dialect.lenient or expected.fault < 0
    assert [row for rows in batches for row in rows] == expected.rows


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=6), st.sampled_from((0, 1, 2)))
@settings(max_examples=200, deadline=None)
def test_what_pythons_csv_module_writes_is_read_as_it_reads_it(rows: list[list[str]], quoting: int) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=quoting).writerows(rows)
    data, dialect = written.getvalue().encode(), Dialect(header=False)
    expected = list(csv.reader(io.StringIO(written.getvalue(), newline=""), strict=True))
    source = Source(BytesReader(data), Encoding("utf-8"), "f.csv")

    def whole(part: Rows) -> list[bytes]:
        return [bytes(part.data[low:high]) for low, high in zip(part.starts, part.ends, strict=True)]

    batches = scan_rows(source, dialect, (), whole, window_bytes=9)
    parsed = [parse_row(row, dialect) for batch in batches for row in batch]
    texts = [[decoded(row, at, dialect).decode() for at in range(len(row.cells))] for row in parsed]
    assert texts == expected


@given(TEXTS, st.booleans(), DIALECTS.filter(lambda dialect: dialect.quote or dialect.escape))
@settings(max_examples=150, deadline=None)
def test_a_value_that_is_written_is_read_again(text: str, quoted: bool, dialect: Dialect) -> None:
    value = text.encode()
    data = b"x" + dialect.delimiter + rendered(value, dialect, quoted=quoted) + dialect.delimiter + b"y\r"
    data += b"" if dialect.newline == "\r" else b"\n"
    assert read(data, dialect).fault < 0
    row = parse_row(data, dialect)
    assert [decoded(row, at, dialect) for at in range(len(row.cells))] == [b"x", value, b"y"]


@given(MESSY, DIALECTS)
@settings(max_examples=150, deadline=None)
def test_a_row_alone_is_split_as_in_the_file(data: bytes, dialect: Dialect) -> None:
    expected = read(data, dialect)
    if not expected.closed:
        return
    for row in expected.rows:
        alone = parse_row(data[row.start : row.end], dialect)
        cells = [(cell.start + row.start, cell.stop + row.start, cell.quoted) for cell in alone.cells]
        assert cells == [tuple(cell) for cell in row.cells]
        assert len(alone.ending) == row.end - row.stop


TIDY = st.lists(
    st.sampled_from((b"a", b"bc", b",", b",", b'"x"', b'"a""b"', b'"\n,"', b'"', b"\n", b"\r\n"))
).map(b"".join)


@given(st.one_of(MESSY, TIDY), DIALECTS, st.sampled_from((-1, *b'a,"\n\r')), st.booleans())
@settings(max_examples=500, deadline=None)
def test_what_is_calm_does_what_the_tables_say(
    data: bytes, dialect: Dialect, following: int, delimiters: bool
) -> None:
    array = np.frombuffer(data, np.uint8)
    quick = specials(array, dialect, following, delimiters=delimiters)
    if quick is None:
        return
    exact = table(array, dialect, following)
    for state, listed in enumerate(quick.outcomes()):
        outcome = quick.outcome(state)
        assert listed in (outcome, None), "what is told is what is told alone"
        if outcome is None:
            continue
        assert outcome == exact[state]
        split = quick.split(state)
        assert split is not None
        assert places(split.row_ends).tolist() == row_ends(array, dialect, state, following).tolist()


def test_well_written_csv_is_calm() -> None:
    data = np.frombuffer(b'a,"b, ""c""\n",d\r\n"",\n"x"\r\n', np.uint8)
    for lenient in (False, True):
        quick = specials(data, Dialect(lenient=lenient), ord("a"), delimiters=True)
        assert (
            quick is not None
            and quick.outcome(START) == table(data, Dialect(lenient=lenient), ord("a"))[START]
        )
        assert quick.outcome(START) is not None
