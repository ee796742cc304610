"""The row index: built, asked, extended, patched, saved, and kept beside the file."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from insitu.core.columns import block_of
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.engine.kept_index import kept
from insitu.engine.row_index import ROWS_LAYOUT, RowIndex, row_index_kind
from insitu.engine.saved_index import save
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import CancelledError, FormatError, InternalError, SpanError, StaleError
from insitu.formats.csv_dialect import Dialect
from insitu.storage.portable import PortableVolume
from tests.readers import BytesReader
from tests.unit.formats.csv_oracle import read

PLAIN = Dialect(header=False)
DIALECTS = (
    PLAIN,
    Dialect(header=False, lenient=True),
    Dialect(header=False, lenient=True, newline="any"),
    Dialect(header=False, lenient=True, escape=b"\\"),
    Dialect(header=False, quote=None),
)


def spans(index: RowIndex) -> list[Span]:
    return [index.span_of(row) for row in range(index.row_count)]


def expected(data: bytes, dialect: Dialect) -> list[Span]:
    mark = len(dialect.bom)
    return [Span(row.start + mark, row.end + mark) for row in read(data[mark:], dialect).rows]


def quoted_rows(count: int) -> bytes:
    return b"".join(
        b'%d,"a ""b""\n%d",%s\n' % (number, number, b"x" * (number % 7)) for number in range(count)
    )


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        (b"", PLAIN),
        (b"a", PLAIN),
        (b'a,b\n"c\n\nd",e\n\nf', PLAIN),
        (b'\xef\xbb\xbf"a\nb"\nc\n', Dialect(header=False, bom=b"\xef\xbb\xbf")),
        (b"\xef\xbb\xbf", Dialect(header=False, bom=b"\xef\xbb\xbf")),
        (b"a\rb\r\nc\n\rd", Dialect(header=False, newline="any")),
        (quoted_rows(40), PLAIN),
    ],
)
@pytest.mark.parametrize("granule_bytes", [1, 2, 3, 5, 16, 1 << 18])
def test_every_row_is_found_whatever_the_granules(data: bytes, dialect: Dialect, granule_bytes: int) -> None:
    index = RowIndex.build(BytesReader(data), dialect, granule_bytes=granule_bytes)
    rows = expected(data, dialect)
    assert spans(index) == rows
    assert index.size == len(data)
    for number, row in enumerate(rows):
        assert index.row_at(row.start) == index.row_at(row.stop - 1) == number


def test_rows_that_are_not_there_are_refused() -> None:
    index = RowIndex.build(BytesReader(b"a\nb\n"), PLAIN)
    for row in (-1, 2, 3):
        with pytest.raises(SpanError):
            index.span_of(row)


def test_a_question_reads_one_granule() -> None:
    reader = BytesReader(quoted_rows(100_000))
    index = RowIndex.build(reader, PLAIN)
    reader.read_bytes = 0
    assert reader.data[slice(*index.span_of(70_000))].startswith(b"70000,")
    assert reader.read_bytes <= 2 * (1 << 18) + 2


def test_rows_that_vanished_behind_the_index_are_stale() -> None:
    reader = BytesReader(b"a\n" * 100)
    index = RowIndex.build(reader, PLAIN)
    reader.data = b"x" * 200
    with pytest.raises(StaleError):
        index.span_of(50)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'h\na\n"b\nc\n', r"Row 2, at byte 4, opens a quote that is never closed"),
        (b'"h\n', r"The header, at byte 0, opens"),
        (b'h\na\nb"c\nd\n', r"Row 2, at byte 4, has a misplaced quote.*byte 5"),
        (b'\xef\xbb\xbfh\nx"\n', r"Row 1, at byte 5, has a misplaced quote.*byte 6"),
    ],
)
def test_what_is_wrong_is_named_with_its_row_and_place(data: bytes, words: str) -> None:
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef") else b""
    for granule_bytes in (4, 1 << 18):
        with pytest.raises(FormatError, match=words):
            RowIndex.build(BytesReader(data), Dialect(bom=bom), granule_bytes=granule_bytes)


def test_building_can_be_cancelled() -> None:
    with pytest.raises(CancelledError):
        RowIndex.build(BytesReader(b"a\n"), PLAIN, cancel=lambda: True)


def test_a_file_that_was_appended_to_is_read_from_its_last_granule_on() -> None:
    data = quoted_rows(50_000)
    reader = BytesReader(data)
    for cut in (len(data) - 1000, len(data) - 3, 0):
        before = data[:cut]
        try:
            index = RowIndex.build(BytesReader(before), PLAIN)
        except FormatError:
            continue
        reader.read_bytes = 0
        extended = index.extended(reader)
        assert cut == 0 or reader.read_bytes < 600_000
        assert extended.row_count == 50_000
    with pytest.raises(InternalError):
        RowIndex.build(reader, PLAIN).extended(BytesReader(b""))


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_a_patched_index_is_the_index_of_the_changed_file(dialect: Dialect) -> None:
    source = random.Random(str(dialect))
    for _ in range(40):
        alphabet = source.choice((b'ab,"\n', b"ab,\n", b'aaa,"\r\n\\'))
        data = bytes(source.choices(alphabet, k=source.randrange(200)))
        cuts = sorted(source.sample(range(len(data) + 1), min(len(data) + 1, 2 * source.randrange(4))))
        edits = list(zip(cuts[::2], cuts[1::2], strict=False))
        after, triples, at = bytearray(), [], 0
        for start, stop in edits:
            new = bytes(source.choices(alphabet, k=source.randrange(6)))
            after += data[at:start] + new
            triples.append((start, stop, len(new)))
            at = stop
        result = bytes(after + data[at:])
        outcomes = []
        for make in (
            lambda: RowIndex.build(BytesReader(data), dialect, granule_bytes=16).patched(  # noqa: B023
                [block_of(triples)],  # noqa: B023
                BytesReader(result),  # noqa: B023
            ),
            lambda: RowIndex.build(BytesReader(result), dialect, granule_bytes=16),  # noqa: B023
        ):
            try:
                outcomes.append(spans(make()))
            except FormatError:
                outcomes.append([])
        try:
            RowIndex.build(BytesReader(data), dialect)
        except FormatError:
            continue
        assert outcomes[0] == outcomes[1], (data, triples, result)


def test_patching_reads_the_surroundings_of_a_change_and_no_more() -> None:
    data = quoted_rows(100_000)
    index = RowIndex.build(BytesReader(data), PLAIN)
    span = index.span_of(60_000)
    reader = BytesReader(data[: span.start] + b'new,"row\n"\n' + data[span.stop :])
    patched = index.patched([block_of([(*span, 11)])], reader)
    assert reader.read_bytes < 1_100_000
    assert reader.data[slice(*patched.span_of(60_000))] == b'new,"row\n"\n'
    assert patched.span_of(99_999).stop == len(reader.data)
    with pytest.raises(InternalError):
        index.patched([block_of([(0, 1, 7)])], reader)


def test_an_opened_quote_is_followed_until_the_states_agree_again() -> None:
    data = b"a,b\n" * 200_000 + b'"c","d"\n' + b"e,f\n" * 200_000
    index = RowIndex.build(BytesReader(data), Dialect(header=False, lenient=True))
    reader = BytesReader(b'"' + data[1:])
    patched = index.patched([block_of([(0, 1, 1)])], reader)
    assert reader.read_bytes < 1_400_000
    first = Span(0, len(b"a,b\n") * 200_000 + len(b'"c","d"\n'))
    assert (patched.row_count, patched.span_of(0)) == (200_001, first)
    assert patched.span_of(1) == Span(first.stop, first.stop + 4)


def test_a_saved_index_is_loaded_and_damage_is_noticed(tmp_path: Path) -> None:
    volume, path, reader = PortableVolume(), str(tmp_path / "rows.index"), BytesReader(quoted_rows(20_000))
    built = RowIndex.build(reader, PLAIN)
    save(volume, path, built.to_bytes(b"stamp"))
    loaded = RowIndex.load(volume, path, reader, PLAIN, b"stamp")
    assert loaded is not None
    assert [loaded.span_of(row) for row in (0, 9_999, 19_999)] == [
        built.span_of(row) for row in (0, 9_999, 19_999)
    ]
    assert ROWS_LAYOUT.saved_stamp(volume, path) == b"stamp"
    assert RowIndex.load(volume, path, reader, PLAIN, b"other") is None
    saved = Path(path).read_bytes()
    for damaged in (b"", saved[:-1], saved + b"\0", saved[:50] + b"\1" + saved[51:], b"?" * 1000):
        Path(path).write_bytes(damaged)
        assert RowIndex.load(volume, path, reader, PLAIN, b"stamp") is None
    assert ROWS_LAYOUT.saved_stamp(volume, str(tmp_path / "none")) is None
    built._granules.states[1] = 7
    save(volume, path, built.to_bytes(b"stamp"))
    assert RowIndex.load(volume, path, reader, PLAIN, b"stamp") is None, "there is no such state"


@pytest.mark.slow
def test_the_index_is_kept_for_its_dialect_and_extended_after_appends(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(quoted_rows(300_000))
    volume = PortableVolume()
    site = Site.of(volume, str(path))
    counted: list[int] = []

    def asked(dialect: Dialect) -> RowIndex:
        time.sleep(0.05)  # past the tick in which the file was changed
        with_file = volume.open(str(path))
        base = Snapshot(with_file, Generation.of(with_file.stat(), 0))
        real = base.read_into

        def read_into(offset: int, buffer: memoryview) -> None:
            counted.append(len(buffer))
            real(offset, buffer)

        base.read_into = read_into
        return kept(site, base, Policy(), row_index_kind(site, dialect))

    assert asked(PLAIN).row_count == 300_000
    assert sum(counted) >= path.stat().st_size
    counted.clear()
    assert asked(PLAIN).row_count == 300_000
    assert counted == []
    with path.open("ab") as file:
        file.write(b'1,"x\n",y\n')
    assert asked(PLAIN).row_count == 300_001
    assert 0 < sum(counted) < 600_000
    counted.clear()
    assert asked(Dialect(header=False, quote=None)).row_count > 300_001
    assert sum(counted) >= path.stat().st_size
