"""Layouts of records: every way of saying one, what is refused, and values that fit or do not."""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.errors import RequestError
from insitu.formats.record_layout import layout_of, loose_bytes
from insitu.formats.record_values import array_of, differences, packed, rewritten

TICK = np.dtype([("time", "<i8"), ("price", "<f8"), ("size", "<u4")])


def _name(value: object) -> str:
    """A name that every process that collects the tests gives alike."""
    text = str(value)
    return type(value).__name__ if " at 0x" in text else text


def utf8(text: str) -> bytes:
    return text.encode()


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        (TICK, TICK),
        ("time:<i8, price:<f8, size:<u4", TICK),
        (" time : <i8,price:<f8 , size:<u4 ", TICK),
        ("[('time', '<i8'), ('price', '<f8'), ('size', '<u4')]", TICK),
        ("pos:(2,3)<f4, name:S5", np.dtype([("pos", "<f4", (2, 3)), ("name", "S5")])),
        ("when:M8[s]", np.dtype([("when", "M8[s]")])),
        ("<f8", np.dtype("<f8")),
        ("i4,f8", np.dtype("i4,f8")),
        ("2i", np.dtype("2i")),
        (float, np.dtype(float)),
        ("<iHd", np.dtype("<i4,<u2,<f8")),
        (struct.Struct("<iHd"), np.dtype("<i4,<u2,<f8")),
        (struct.Struct("<l"), np.dtype([("f0", "<i4")])),
        ("10s", np.dtype([("f0", "S10")])),
        (">2h3s?", np.dtype([("f0", ">i2"), ("f1", ">i2"), ("f2", "S3"), ("f3", "?")])),
    ],
    ids=_name,
)
def test_a_layout_is_said_in_many_ways(spec: Any, dtype: np.dtype[Any]) -> None:
    assert layout_of(spec).dtype == dtype
    assert layout_of(layout_of(spec)).dtype == dtype


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "is no record layout"),
        ("nonsense", "is no record layout"),
        ("<l", "8 bytes as a NumPy type and 4 as a struct format"),
        ("5p", "40 bytes as a NumPy type and 5 as a struct format"),
        ("<5p3s", "items 'p'"),
        ("O", "not made of bytes"),
        ("S", "not made of bytes"),
        ("a:<u4, b:O", "not made of bytes"),
        ("a:<u4 b:<u4", "no record layout"),
        ("a:<u4, b", "has no name or no type"),
        ("[('a', '<u4'", "no list of fields"),
        ("[print()]", "no list of fields"),
        (struct.Struct("<0i"), "has no bytes"),
        ("a:<u4, a:<u4", "no record layout"),
        (object(), "no record layout"),
    ],
    ids=_name,
)
def test_what_says_no_layout_is_refused(spec: Any, said: str) -> None:
    with pytest.raises(RequestError, match="nothing was changed") as caught:
        layout_of(spec)
    assert said in caught.value.message
    assert caught.value.hint


_FORMATS = st.tuples(
    st.sampled_from(["", "@", "=", "<", ">", "!"]),
    st.lists(
        st.tuples(st.sampled_from(["", "1", "2", "3"]), st.sampled_from("xcbBhHiIlLqQnNefds?")), max_size=6
    ),
)


@given(_FORMATS, st.data())
def test_a_struct_format_reads_what_struct_reads(format_: Any, data: st.DataObject) -> None:
    order, items = format_
    text = order + " ".join(count + character for count, character in items)
    try:
        size = struct.calcsize(text)
    except struct.error:
        return  # n and N, which only exist in native order
    if not any(character != "x" for _, character in items):
        return
    layout = layout_of(struct.Struct(text))
    assert layout.record_bytes == size
    record = data.draw(st.binary(min_size=size, max_size=size))
    expected = [v.rstrip(b"\0") if isinstance(v, bytes) else v for v in struct.unpack(text, record)]
    found = list(array_of(record, layout.dtype)[0].item())
    assert [_same_if_nan(value) for value in found] == [_same_if_nan(value) for value in expected]


def _same_if_nan(value: object) -> object:
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def test_counting_refuses_what_is_left_over_with_the_numbers() -> None:
    layout = layout_of(TICK)
    assert (layout.count(20 * 7, 0), layout.count(20 * 7 + 3, 3), layout.count(3, 3)) == (7, 7, 0)
    with pytest.raises(RequestError, match=r"145 bytes .* records of 20 bytes: 5 are left over") as caught:
        layout.count(145, 0)
    assert caught.value.facts == {"size": 145, "offset": 0, "record_bytes": 20, "remainder": 5}
    assert "offset 5" in caught.value.hint
    with pytest.raises(RequestError, match="only 10"):
        layout.count(10, 11)


def test_an_unknown_field_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="no field 'prise'") as caught:
        layout_of(TICK).field("prise")
    assert caught.value.hint == "The fields are: time, price, size."
    with pytest.raises(RequestError, match="no field"):
        layout_of("<f8").field("price")


FITTING: list[tuple[str, Any, Any]] = [
    ("u1", 255, 255),
    ("u1", True, 1),
    ("i2", 3.0, 3),
    ("u8", 2**64 - 1, 2**64 - 1),
    ("f4", 0.1, np.float32(0.1)),
    ("f8", 1, 1.0),
    ("?", 1, True),
    ("S3", "ab", b"ab"),
    ("S3", "é", "é".encode()),
    ("S3", b"abc", b"abc"),
    ("U2", "é", "é"),
    ("V2", b"ab", np.void(b"ab")),
    ("M8[s]", "2026-03-14T09:30", np.datetime64("2026-03-14T09:30:00")),
    ("(2,)u1", [1, 2], [1, 2]),
    ("c16", 1j, 1j),
]

NOT_FITTING: list[tuple[str, Any]] = [
    *(("u1", 256), ("u1", -1), ("i2", 1.5), ("i8", 2**63), ("i8", math.nan), ("i8", "1"), ("i8", None)),
    *(("u1", np.int64(300)), ("i8", 1j), ("f8", 1j), ("f4", 1e300), ("f8", None), ("f8", "x")),
    *(
        ("?", 2),
        ("?", None),
        ("?", "yes"),
        ("S3", "abcd"),
        ("S3", 5),
        ("S1", "é"),
        ("U2", "abc"),
        ("U2", b"a"),
    ),
    *(("V2", b"a"), ("V2", "abc"), ("(2,)u1", [1]), ("(2,)u1", 1), ("(2,)u1", "ab"), ("(2,)u1", [1, 256])),
    *(("M8[s]", "2026-03-14T09:30:00.5"), ("M8[s]", "soon")),
]


@pytest.mark.parametrize(("dtype", "value", "expected"), FITTING, ids=str)
def test_values_that_fit_are_packed(dtype: str, value: Any, expected: Any) -> None:
    found = packed([value], np.dtype(dtype), utf8)
    assert found.dtype == np.dtype(dtype).base
    assert np.array_equal(found[0], expected)


@pytest.mark.parametrize(("dtype", "value"), NOT_FITTING, ids=str)
def test_values_that_would_come_out_as_others_are_refused(dtype: str, value: Any) -> None:
    with pytest.raises(RequestError, match="nothing was changed"):
        packed([value], np.dtype(dtype), utf8)
    if not isinstance(value, list | None):
        with pytest.raises(RequestError):
            packed(np.array([value]), np.dtype(dtype), utf8)


@pytest.mark.parametrize(
    "row",
    [
        (1, 2.5, 3),
        [1, 2.5, 3],
        {"size": 3, "price": 2.5, "time": 1},
        OrderedDict(time=1, price=2.5, size=3),
        np.array([(1, 2.5, 3)], TICK)[0],
        np.array([(1, 2.5, 3)], [("a", "i2"), ("b", "f4"), ("c", "i8")])[0],
    ],
    ids=lambda row: type(row).__name__,
)
def test_records_are_given_as_tuples_or_mappings(row: Any) -> None:
    assert packed([row], TICK, utf8)[0].item() == (1, 2.5, 3)


def test_columns_of_another_order_go_by_their_names() -> None:
    other = np.array([(3, 2.5, 1)], [("size", "i8"), ("price", "f4"), ("time", "i2")])
    assert packed(other, TICK, utf8)[0].item() == (1, 2.5, 3)


@pytest.mark.parametrize("row", [(1, 2), 5, "abc", {"time": 1}, {"time": 1, "price": 2, "size": 3, "x": 4}])
def test_records_of_other_fields_are_refused(row: Any) -> None:
    with pytest.raises(RequestError):
        packed([row], TICK, utf8)
    with pytest.raises(RequestError, match=r"[Ff]ields"):
        packed(np.zeros(1, [("time", "<i8")]), TICK, utf8)


def test_the_field_that_a_value_does_not_fit_is_named() -> None:
    with pytest.raises(RequestError, match=r"Field size: .*-1"):
        packed([(1, 2, -1)], TICK, utf8)


def test_padding_and_truth_stay_as_they_are_written() -> None:
    dtype = np.dtype({"names": ["a", "ok"], "formats": ["<u2", "?"], "offsets": [1, 4], "itemsize": 6})
    unused, truths = loose_bytes(dtype)
    assert unused is not None
    assert truths is not None
    assert (unused.tolist(), truths.tolist()) == (
        [True, False, False, True, False, True],
        [False, False, False, False, True, False],
    )
    old = bytes([9, 1, 0, 8, 2, 7]) * 2
    new = np.array([(5, True), (1, False)], dtype)
    assert rewritten(old, new, dtype) == bytes([9, 5, 0, 8, 2, 7, 9, 1, 0, 8, 0, 7])
    assert loose_bytes(TICK) == (None, None)


@given(st.binary(max_size=60), st.data(), st.integers(0, 8))
def test_differences_are_all_there_is(old: bytes, data: st.DataObject, bridged: int) -> None:
    new = data.draw(st.binary(min_size=len(old), max_size=len(old)) | st.just(old))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(old)))
        new = old[:at] + new[at : at + 2] + old[at + 2 :]
    starts, stops = differences(old, new, bridged)
    result, last = bytearray(old), -math.inf
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        assert start > last + bridged
        assert old[start] != new[start]
        assert old[stop - 1] != new[stop - 1]
        result[start:stop] = new[start:stop]
        last = stop - 1
    assert bytes(result) == new
