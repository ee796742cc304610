"""The journal's records as bytes: what was packed comes back, and what was not is not believed (J3)."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core import records
from insitu.core.columns import Block, block_of
from insitu.core.records import HEAD_BYTES, SLOT_BYTES, Kind, Progress, State

salts = st.integers(0, (1 << 63) - 1)
offsets = st.integers(0, 1 << 50)
fields = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.sampled_from(Kind), st.binary(max_size=100), salts, offsets)
def test_a_record_is_believed_only_where_and_with_what_it_was_written(kind, payload, salt, offset) -> None:
    head = records.pack_record(kind, payload, salt, offset)
    assert len(head) == HEAD_BYTES
    assert records.unpack_record(head) == (kind, len(payload), records.checksum(payload, salt, offset))
    told = records.unpack_record(head)
    assert told is not None
    assert told[2] != records.checksum(payload, salt, offset + 1)
    assert told[2] != records.checksum(payload, salt ^ 1, offset)
    assert told[2] != records.checksum(payload + b"\0", salt, offset)


@given(st.sampled_from(Kind), st.binary(max_size=40), salts, offsets, st.data())
def test_no_flipped_bit_of_a_head_goes_unnoticed(kind, payload, salt, offset, data) -> None:
    head = bytearray(records.pack_record(kind, payload, salt, offset))
    bit = data.draw(st.integers(0, 8 * len(head) - 1))
    head[bit // 8] ^= 1 << bit % 8
    told = records.unpack_record(bytes(head))
    if told is not None:
        changed_kind, size, digest = told
        fits = size == len(payload) and digest == records.checksum(payload, salt, offset)
        assert not fits, "kind, size and checksum vouch for each other"
        assert changed_kind != kind or not fits


@given(st.binary(max_size=HEAD_BYTES - 1))
def test_a_short_head_is_none(head: bytes) -> None:
    assert records.unpack_record(head) is None
    assert records.unpack_record(bytes(HEAD_BYTES)) is None


@given(
    st.builds(Progress, fields, st.sampled_from(State), fields, fields, fields, fields, fields),
    salts,
    offsets,
    st.integers(0, 8 * SLOT_BYTES - 1),
)
def test_a_slot_comes_back_or_is_none_when_torn(progress, salt, offset, bit) -> None:
    packed = records.pack_slot(progress, salt, offset)
    assert len(packed) == SLOT_BYTES
    assert records.unpack_slot(packed, salt, offset) == progress
    assert records.unpack_slot(packed + b"more", salt, offset) == progress
    torn = bytearray(packed)
    torn[bit // 8] ^= 1 << bit % 8
    assert records.unpack_slot(bytes(torn), salt, offset) is None
    assert records.unpack_slot(packed, salt, offset + SLOT_BYTES) is None
    assert records.unpack_slot(packed[:-1], salt, offset) is None


def test_a_slot_never_written_is_none() -> None:
    assert records.unpack_slot(bytes(SLOT_BYTES), 5, 4096) is None


splices = st.lists(
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 20), st.integers(0, 1 << 20)),
    min_size=1,
    max_size=40,
)


@given(splices, st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_any_block_comes_back(triples, olds, news) -> None:
    block = block_of(((a, a + b, c) for a, b, c in triples), olds=olds, news=news)
    check_round_trip(block)


@given(
    st.lists(st.integers(0, 1 << 40), min_size=1, max_size=40),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 99),
)
def test_even_columns_are_stored_as_their_stride(starts, old, new, before) -> None:
    block = block_of(((start, start + old, new) for start in starts), olds=before, news=2 * before)
    assert len(records.pack_block(block)) <= 8 * len(starts) + 64
    check_round_trip(block)


@pytest.mark.parametrize("step", [0, 1, 7])
def test_columns_may_be_ranges(step: int) -> None:
    olds = range(5, 5 + 4 * step, step) if step else array("q", [5] * 4)
    check_round_trip(Block(array("q", [1, 20, 300]), olds, range(0, 12, 3)))


def check_round_trip(block: Block) -> None:
    again = records.unpack_block(records.pack_block(block))
    assert [list(column) for column in again] == [list(column) for column in block]
    assert list(records.unpack_block(memoryview(records.pack_block(block))).starts) == list(block.starts)
