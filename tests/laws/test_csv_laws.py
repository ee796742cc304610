"""Laws of CSV: splitting is exact however the file is cut, and identity edits change nothing."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.errors import FormatError
from insitu.formats.csv_bits import first_bit_from, moved_down, moved_up, places, where, within
from insitu.formats.csv_cells import decoded, parse_row, rendered
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_ranks import Ranked
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_specials import outcomes, specials
from insitu.formats.csv_states import START
from insitu.formats.csv_tables import row_ends, table
from insitu.views import csv_window
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
        made.append(Row(*bounds, cells))
    return made


@given(MESSY, DIALECTS, st.integers(1, 40), st.sampled_from((1, 9, 4096)))
@settings(max_examples=200, deadline=None)
def test_rows_are_those_of_the_oracle_wherever_windows_are_cut(
    data: bytes, dialect: Dialect, window_bytes: int, spare_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_window, "_SPARE_BYTES", spare_bytes)
        rows_are_those_of_the_oracle(data, dialect, window_bytes)


def rows_are_those_of_the_oracle(data: bytes, dialect: Dialect, window_bytes: int) -> None:
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


@given(st.lists(st.one_of(MESSY, TIDY), min_size=3).map(b"".join), DIALECTS, st.sampled_from((64, 128, 50)))
@settings(max_examples=200, deadline=None)
def test_stretches_told_together_do_what_each_does_alone(data: bytes, dialect: Dialect, unit: int) -> None:
    array = np.frombuffer(data, np.uint8)
    told = list(outcomes(array, dialect, ord("a"), unit))
    starts = range(0, len(data), unit)
    assert len(told) == len(starts)
    for start, listed in zip(starts, told, strict=True):
        following = (data + b"a")[min(start + unit, len(data))]
        exact = table(array[start : start + unit], dialect, following)
        assert all(outcome in (None, exact[state]) for state, outcome in enumerate(listed))


def test_well_written_csv_is_calm() -> None:
    data = np.frombuffer(b'a,"b, ""c""\n",d\r\n"",\n"x"\r\n', np.uint8)
    for lenient in (False, True):
        quick = specials(data, Dialect(lenient=lenient), ord("a"), delimiters=True)
        assert (
            quick is not None
            and quick.outcome(START) == table(data, Dialect(lenient=lenient), ord("a"))[START]
        )
        assert quick.outcome(START) is not None


SIFTED = (b"ab", b"b", b"a,b", b"a\nb", "\u00e4".encode(), b"abbbbbbbbbbbbbb")
CELLS = st.sampled_from(
    (*SIFTED, b"", b"a", b"abc", b"x", b"aab", b"ab ", b'a"b', b"abxxxxxxxxxxxbb", b"c" * 70)
)
WIDTHS = st.one_of(st.integers(1, 200), st.sampled_from((64, 128, 192)))


@st.composite
def written_tables(draw: st.DrawFn) -> tuple[bytes, Dialect]:
    """Rows as programs write them, with cells that are looked for, and maybe a mistake."""
    dialect = draw(DIALECTS.filter(lambda dialect: dialect.quote is not None))
    ending = draw(st.sampled_from((b"\r",) if dialect.newline == "\r" else (b"\n", b"\r\n")))
    rows = draw(st.lists(st.lists(st.tuples(CELLS, st.booleans()), min_size=1, max_size=4), max_size=40))
    lines = [
        dialect.delimiter.join(rendered(value, dialect, quoted=quoted) for value, quoted in row)
        for row in rows
    ]
    data = ending.join(lines) + draw(st.sampled_from((b"", ending)))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data = (
            data[:at]
            + draw(st.sampled_from((dialect.quote or b"", b"b", b"\n", dialect.delimiter)))
            + data[at:]
        )
    return data, dialect


@given(
    written_tables(),
    st.sets(st.sampled_from(SIFTED), min_size=1, max_size=3),
    WIDTHS,
    st.sampled_from((1, 50, 4096)),
)
@settings(max_examples=300, deadline=None)
def test_a_sieve_holds_back_no_row_with_one_of_its_texts(
    written: tuple[bytes, Dialect], texts: set[bytes], window_bytes: int, spare_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_window, "_SPARE_BYTES", spare_bytes)
        no_row_is_held_back(*written, texts, window_bytes)


def no_row_is_held_back(data: bytes, dialect: Dialect, texts: set[bytes], window_bytes: int) -> None:
    sieve = Sieve.of(tuple(texts), dialect, "utf-8")
    if sieve is None:
        assert dialect.escape is not None
        return
    expected = read(data, dialect)
    source = Source(BytesReader(data), Encoding("utf-8"), "f.csv")
    columns = range(max((len(row.cells) for row in expected.rows), default=0) + 1)

    def seen(rows: Rows) -> list[tuple[int, Row]]:
        return list(zip(rows.in_file(np.arange(len(rows))).tolist(), found(rows), strict=True))

    try:
        passed = scan_rows(source, dialect, columns, seen, sieve=sieve, window_bytes=window_bytes)
        through = dict(pair for batch in passed for pair in batch)
    except FormatError:
        assert not expected.closed or (expected.fault >= 0 and not dialect.lenient)
        return
    for index, row in through.items():
        assert row == expected.rows[index]
    for index, row in enumerate(expected.rows):
        parsed = parse_row(data[row.start : row.end], dialect)
        if texts.intersection(decoded(parsed, at, dialect) for at in range(len(parsed.cells))):
            assert index in through


def test_a_sieve_holds_back_what_has_none_of_its_texts() -> None:
    rows = [b'%d,"abc,ab c",%s\n' % (number, b"ab" if number % 50 == 3 else b"c") for number in range(500)]
    source = Source(BytesReader(b"".join(rows)), Encoding("utf-8"), "f.csv")
    sieve = Sieve.of((b"ab",), Dialect(), "utf-8")
    dialect = Dialect(header=False)

    def numbers(rows: Rows) -> list[int]:
        return [int(rows.cells[0].raw(at)) for at in range(len(rows))]

    for window_bytes in (64, 1000, 1 << 20):
        passed = scan_rows(source, dialect, (0,), numbers, sieve=sieve, window_bytes=window_bytes)
        through = [number for batch in passed for number in batch]
        assert set(range(3, 500, 50)) <= set(through)
        assert len(through) < 30 or window_bytes == 64


@pytest.mark.parametrize(
    ("texts", "dialect", "encoding"),
    [
        (None, Dialect(), "utf-8"),
        ((), Dialect(), "utf-8"),
        ((b"a", b""), Dialect(), "utf-8"),
        ((b'a"b',), Dialect(), "utf-8"),
        ((b"a'b",), Dialect(quote=b"'"), "utf-8"),
        ((b"ab",), Dialect(escape=b"\\"), "utf-8"),
        (("\u00e4".encode(),), Dialect(), "latin-1"),
        ((b"a", b"b", b"c", b"d", b"e"), Dialect(), "utf-8"),
    ],
)
def test_there_is_no_sieve_where_a_cell_can_be_written_otherwise_or_it_would_not_pay(
    texts: tuple[bytes, ...] | None, dialect: Dialect, encoding: str
) -> None:
    assert Sieve.of(texts, dialect, encoding) is None


@given(st.binary(max_size=400), st.integers(0, 300))
@settings(max_examples=100, deadline=None)
def test_bits_are_found_by_number_and_by_place(data: bytes, shift: int) -> None:
    array = np.frombuffer(data + b"\0", np.uint8)
    words = np.concatenate([where(array, byte) for byte in (1, 0)])
    listed = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
    assert places(words).tolist() == listed.tolist()
    ranked = Ranked(words)
    numbers = np.arange(len(ranked))
    assert len(ranked) == len(listed)
    for near in (listed, np.full(len(listed), shift % (len(words) * 64)), listed[::-1].copy()):
        assert ranked.places(numbers, near).tolist() == listed.tolist()
    at = np.arange(len(words) * 64)
    assert ranked.numbers(at).tolist() == np.searchsorted(listed, at).tolist()
    size = len(words) * 64
    upwards = np.append(listed, np.full(40, size))
    assert ranked.next_places(at).tolist() == upwards[np.searchsorted(listed, at)].tolist()
    for number, found_there in ranked.following(at, (0, 1, 7, 30)).items():
        assert found_there.tolist() == upwards[np.searchsorted(listed, at) + number].tolist()
    downwards = np.append(0, listed + 1)
    assert ranked.behind_last(at).tolist() == downwards[np.searchsorted(listed, at)].tolist()
    assert first_bit_from(words, shift) == next((p for p in listed.tolist() if p >= shift), -1)
    assert places(moved_up(words, shift)).tolist() == [p + shift for p in listed.tolist() if p + shift < size]
    assert places(moved_down(words, shift)).tolist() == [p - shift for p in listed.tolist() if p >= shift]
    start, stop = sorted((min(shift, size), len(data)))
    assert places(within(words, start, stop)).tolist() == [p for p in listed.tolist() if start <= p < stop]
