"""The pass over all rows: rows longer than windows, what is wrong with a file, progress and cancelling."""

from __future__ import annotations

from itertools import pairwise

import pytest

from insitu.errors import CancelledError, FormatError, LimitError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows
from insitu.views.csv_scan import WINDOW_BYTES, scan_rows
from insitu.views.csv_window import ROW_MAX_BYTES, data_start, row_end
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from tests.readers import BytesReader


def source(data: bytes) -> Source:
    return Source(BytesReader(data), Encoding("utf-8"), "f.csv")


def whole(rows: Rows) -> tuple[int, int, list[bytes]]:
    bounds = [*rows.starts.tolist(), len(rows.data)]
    return rows.first, rows.offset, [bytes(rows.data[low:high]) for low, high in pairwise(bounds)]


ROWS = [b'%d,"a\n%s"\n' % (number, b"x" * (number % 50)) for number in range(600)]
HEADED = b"id,note\n" + b"".join(ROWS)


@pytest.mark.parametrize("window_bytes", [16, 64, 1000, 1 << 20])
def test_rows_come_in_order_and_tile_the_file(window_bytes: int) -> None:
    batches = list(scan_rows(source(HEADED), Dialect(), (), whole, window_bytes=window_bytes))
    assert [row for _, _, rows in batches for row in rows] == ROWS
    number, offset = 0, len(b"id,note\n")
    for first, at, rows in batches:
        assert (first, at) == (number, offset)
        number += len(rows)
        offset += sum(map(len, rows))


def test_data_begins_behind_the_mark_and_the_header() -> None:
    marked = b"\xef\xbb\xbf" + b'"a\nb",c\r\nd\n'
    mark = marked[:3]
    for dialect, start in ((Dialect(bom=mark), 12), (Dialect(bom=mark, header=False), 3)):
        assert data_start(BytesReader(marked), dialect) == start
    assert data_start(BytesReader(b""), Dialect()) == 0
    assert list(scan_rows(source(b"a,b\n"), Dialect(), (0,), whole)) == []
    assert next(scan_rows(source(HEADED), Dialect(), (), whole, start=8))[0] == 0
    assert row_end(BytesReader(b"a,b"), Dialect(), 0) == 3


@pytest.mark.slow
def test_a_row_far_longer_than_a_window_is_handed_over_whole() -> None:
    long = b'2,"' + b"y,\n" * 2_500_000 + b'"\n'
    data = b"id,note\n1,a\n" + long + b"3,b\n"
    found = list(scan_rows(source(data), Dialect(), (1,), lambda rows: rows.cells[1].raw(len(rows) - 1)))
    assert [len(cell) for cell in found] in ([7_500_000, 1], [7_500_000])
    batches = list(scan_rows(source(data), Dialect(), (), whole))
    assert [row for _, _, rows in batches for row in rows] == [b"1,a\n", long, b"3,b\n"]


@pytest.mark.slow
def test_a_row_too_long_for_memory_is_refused_by_number_and_place() -> None:
    data = b"id,note\n1,a\n" + b'2,"' + b"y" * (ROW_MAX_BYTES + WINDOW_BYTES) + b'"\n'
    with pytest.raises(LimitError, match=r"Row 2, at byte 12, is longer than 8 MiB"):
        list(scan_rows(source(data), Dialect(), (1,), whole))


@pytest.mark.parametrize(
    ("data", "dialect", "words"),
    [
        (b'h\na\n"b\nc\n', Dialect(), r"Row 2, at byte 4, opens a quote that is never closed"),
        (b'h\na\n"b\nc\n', Dialect(lenient=True), r"Row 2, at byte 4, opens a quote"),
        (b'h\na\nb"\nc\n', Dialect(), r"Row 2, at byte 4, has a misplaced quote.*byte 5"),
        (b'"h\na\n', Dialect(), r"The row at byte 0 opens a quote"),
    ],
)
@pytest.mark.parametrize("window_bytes", [1, 3, 1 << 20])
def test_what_is_wrong_is_named_with_its_row_and_place(
    data: bytes, dialect: Dialect, words: str, window_bytes: int
) -> None:
    with pytest.raises(FormatError, match=words):
        list(scan_rows(source(data), dialect, (0,), whole, window_bytes=window_bytes))


def test_what_work_raises_comes_after_the_results_before_it() -> None:
    def work(rows: Rows) -> int:
        if rows.first > 300:
            raise ValueError(rows.first)
        return rows.first

    seen: list[int] = []
    with pytest.raises(ValueError):
        for first in scan_rows(source(HEADED), Dialect(), (), work, window_bytes=1000):
            seen.append(first)
    assert seen == sorted(seen)
    assert seen[0] == 0 and 200 < seen[-1] <= 300


def test_a_pass_reports_its_end_and_can_be_cancelled() -> None:
    reported: list[tuple[int, int]] = []
    list(
        scan_rows(
            source(HEADED), Dialect(), (), whole, progress=lambda done, size: reported.append((done, size))
        )
    )
    assert reported[-1] == (len(HEADED) - 8, len(HEADED) - 8)
    with pytest.raises(CancelledError):
        list(scan_rows(source(HEADED), Dialect(), (), whole, cancel=lambda: True))
