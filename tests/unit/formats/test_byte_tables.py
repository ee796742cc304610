"""Tables of bytes and counts of what they found, against loops over the bytes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from insitu.formats.byte_tables import counts_before, is_one_of, translated


def _array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("size", [0, 1, 7, 64, 1000])
def test_a_table_is_looked_up_for_each_byte(size: int) -> None:
    data = random.Random(size).randbytes(size)
    table = bytes(range(255, -1, -1))
    assert translated(_array(data), table).tobytes() == data.translate(table)
    assert is_one_of(_array(data), b"abc\0\xff").tolist() == [byte in b"abc\0\xff" for byte in data]


@pytest.mark.parametrize("size", [0, 1, 7, 8, 63, 64, 65, 128, 1000])
def test_counts_are_those_of_the_bytes_before(size: int) -> None:
    random_ = random.Random(size)
    mask = [random_.random() < 0.3 for _ in range(size)]
    places = sorted({0, size, *(random_.randrange(size + 1) for _ in range(50))})
    found = counts_before(np.array(mask, np.bool_), np.array(places, np.int64))
    assert found.tolist() == [sum(mask[:place]) for place in places]
