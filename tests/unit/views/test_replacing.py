"""Search and replace as batches: a few as they are, many as columns that say what they replace."""

from __future__ import annotations

import pytest

from insitu.core.replacements import Few, Uniform, Varied, listed
from insitu.core.spans import Span
from insitu.errors import ExpectationError, NoMatchError
from insitu.views.replacing import FEW_MATCHES, Replace
from insitu.views.streaming import Source
from insitu.views.text import Encoding
from tests.readers import BytesReader

SPARSE_THEN_DENSE = b"old" + b"." * (3 << 20) + b"old" * 10_000


def source(data: bytes) -> Source:
    return Source(BytesReader(data), Encoding("utf-8"), "file")


def places(data: bytes, size: int) -> list[Span]:
    """Where ``old`` occurs, one by one."""
    found, at = [], -size
    while (at := data.find(b"old", at + size)) >= 0:
        found.append(Span(at, at + size))
    return found


@pytest.mark.parametrize("data", [b"", b"no", b"old", b"old and old", b"old" * FEW_MATCHES])
@pytest.mark.parametrize("regex", [False, True])
def test_a_few_matches_are_told_without_columns(data: bytes, regex: bool) -> None:
    batches = list(Replace(b"old", b"new", regex=regex).batches(source(data)))
    assert all(isinstance(batch, Few) for batch in batches)
    assert [edit for batch in batches for edit in listed(batch)] == [
        (span, b"new") for span in places(data, 3)
    ]


def test_many_matches_say_what_they_replace_also_where_the_first_are_few() -> None:
    batches = list(Replace("old", "new").batches(source(SPARSE_THEN_DENSE)))
    assert len(batches) > 1
    assert {batch.old if isinstance(batch, Uniform) else None for batch in batches} == {b"old"}
    assert [span for batch in batches for span, _ in listed(batch)] == places(SPARSE_THEN_DENSE, 3)


def test_many_matches_of_an_expression_do_not_know_what_they_replace() -> None:
    constant = list(Replace("o.d", "new", regex=True).batches(source(SPARSE_THEN_DENSE)))
    assert {batch.old for batch in constant if isinstance(batch, Uniform)} == {None}
    filled = list(Replace("o(.)d", r"\1", regex=True).batches(source(SPARSE_THEN_DENSE)))
    assert all(isinstance(batch, Varied) for batch in filled)
    assert [edit for batch in filled for edit in listed(batch)] == [
        (span, b"l") for span in places(SPARSE_THEN_DENSE, 3)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, FEW_MATCHES + 1, 10_000])
@pytest.mark.parametrize("data", [b"old, old, old", SPARSE_THEN_DENSE])
def test_no_more_are_replaced_than_asked_for(data: bytes, count: int) -> None:
    batches = Replace("old", "new", count=count).batches(source(data))
    assert [span for batch in batches for span, _ in listed(batch)] == places(data, 3)[:count]


@pytest.mark.parametrize(("data", "error"), [(b"none", NoMatchError), (b"old, old", ExpectationError)])
def test_another_number_than_expected_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(Replace("old", "new", expect=1).batches(source(data)))
