"""What an index and a search spare changes nothing: edits are those of the pass that splits every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from insitu.core.replacements import listed
from insitu.core.spans import Span
from insitu.engine.row_index import RowIndex
from insitu.errors import FormatError, InsituError
from insitu.formats.csv_dialect import Dialect
from insitu.views import csv_indexed
from insitu.views.csv_mass import CsvDelete, CsvUpdate
from insitu.views.csv_selection import Selection, matching
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from tests.laws.test_csv_laws import DIALECTS, MESSY, TIDY, written_tables
from tests.readers import BytesReader

CONDITIONS = (
    "c1 = 'a'",
    "c2 = 'a'",
    "c1 = 'bc' or c2 = 'a'",
    "c2 in ('a', 'bc', 'ab') and c1 <> 'a'",
    "c1 = 'a' and c2 is not null",
    "c1 = 'a,b' or c1 = 'a;b' or c1 = 'b\nc'",
    "c1 = 'ä'",
)

CELLS = st.sampled_from((b"a", b"a", b"bc", b'"a"', b"x", b"xxxxxxxxx", b'"x\ny,z"', b'"q""a"', b""))
ROWS = st.lists(CELLS, min_size=1, max_size=3).map(b",".join)
PLAIN = st.tuples(st.lists(ROWS, min_size=3, max_size=12).map(b"\n".join), st.just(Dialect()))
SOME = st.lists(st.one_of(MESSY, TIDY), max_size=4).map(b"".join)
ANY = st.one_of(PLAIN, PLAIN, written_tables(), st.tuples(SOME, DIALECTS))


@pytest.fixture(autouse=True, scope="module")
def never_too_many() -> Iterator[None]:
    """In files as small as these most granules hold a text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_indexed, "_SAMPLES_HOLDING_MAX", 16)
        yield


def indexed(data: bytes, dialect: Dialect, encoding: str, granule_bytes: int) -> Source | None:
    """The data with the index of its rows; None where it cannot have one."""
    reader = BytesReader(data)
    try:
        index = RowIndex.build(reader, dialect, granule_bytes=granule_bytes)
    except FormatError:
        return None
    return Source(reader, Encoding(encoding), "f.csv", lambda asked: index if asked == dialect else None)


def outcome(edit: MassEdit, source: Source) -> Any:
    """The edits, touching deletions as one; or what was wrong."""
    edits: list[tuple[Span, bytes]] = []
    try:
        for span, new in (one for batch in edit.batches(source) for one in listed(batch)):
            joins = not new and edits and edits[-1] == (Span(edits[-1][0].start, span.start), b"")
            edits.append((Span(edits.pop()[0].start, span.stop) if joins else span, new))
    except InsituError as error:
        return type(error), error.message
    return edits


@given(
    ANY,
    st.booleans(),
    st.sampled_from(("utf-8", "utf-8", "latin-1")),
    st.one_of(st.integers(1, 8), st.integers(1, 60)),
    st.sampled_from(CONDITIONS),
    st.sampled_from(("refuse", "skip", "delete")),
)
@example((b'x,"\n\na"\n,b\nb,a', Dialect()), False, "utf-8", 4, "c2 = 'a'", "skip")
@example((b"xxxxxxxxxx,a\n" * 3, Dialect()), True, "utf-8", 3, "c2 = 'a'", "skip")
@example((b"xxxxxxxxxx,a\n" * 3, Dialect()), True, "utf-8", 4, "c2 = 'a'", "skip")
@example((b"a,b\r\n" * 9, Dialect()), True, "utf-8", 2, "c1 = 'a'", "delete")
@pytest.mark.slow
@settings(max_examples=100, deadline=None)
def test_the_edits_are_those_of_the_pass_over_all_rows(
    written: tuple[bytes, Dialect], header: bool, encoding: str, granule_bytes: int, where: str, how: Any
) -> None:
    dialect = replace(written[1], header=header)
    ending = b"\r" if dialect.newline == "\r" else b"\n"
    data = b"c1" + dialect.delimiter + b"c2" + ending + written[0]
    source = indexed(data, dialect, encoding, granule_bytes)
    if source is None:
        return
    plain = Source(*source[:3])
    edit: MassEdit = (
        CsvDelete(where, dialect) if how == "delete" else CsvUpdate({"c2": "n"}, where, dialect, short=how)
    )
    assert outcome(edit, source) == outcome(edit, plain)
    assert found(source, dialect, where) == found(plain, dialect, where)


def found(source: Source, dialect: Dialect, where: str) -> list[tuple[int, bytes]]:
    """The numbers and the bytes of the rows that a condition is true of."""
    return [
        (number, source.reader.read(start, stop - start))
        for part in matching(source, dialect, where)
        for number, start, stop in zip(part.numbers, part.starts, part.stops, strict=True)
    ]


def test_the_laws_are_about_the_indexed_pass() -> None:
    dialect = Dialect(header=False)
    source = indexed(b"a,b\nc,d\n" * 30, dialect, "utf-8", 16)
    assert source is not None
    selection = Selection.of(source, dialect, "c1 = 'a'")
    passed = csv_indexed.indexed_rows(source, dialect, selection.columns, len, selection.sieve)
    assert passed is not None
    assert sum(passed) == 30
