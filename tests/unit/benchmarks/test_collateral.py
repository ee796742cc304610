"""Counting what an edit changed that it was not to change."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.collateral import other_cells, other_lines

TABLE = b'id,name\n1,"a, b"\n2,"two\nlines ""quoted"""\n3,\n'


def count(path: Path, data: bytes, right: bytes) -> int:
    path.write_bytes(data)
    chance = random.Random(1)
    cuts = sorted(chance.choices(range(len(right) + 1), k=3))
    pieces = [right[a:b] for a, b in zip([0, *cuts], [*cuts, len(right)], strict=True)]
    return other_cells(path, lambda: pieces)


@pytest.mark.parametrize(
    ("old", "new", "cells"),
    [
        (b"", b"", 0),
        (b"\n", b"\r\n", 0),  # how rows end is not counted
        (b'"a, b"', b'"a, c"', 1),
        (b'"a, b"', b'"a; b"', 1),
        (b"3,\n", b'3,""\n', 1),
        (b"1,", b'"1",', 1),
        (b"two\nlines", b"two lines", 1),
        (b"id,name", b"id,nam", 1),
        (b"1,", b"3,", 1),
        (b"3,\n", b"3,\n4,\n", 2),
        (b"3,\n", b"", 2),
    ],
)
def test_cells_are_compared_as_they_are_written(tmp_path: Path, old: bytes, new: bytes, cells: int) -> None:
    changed = TABLE.replace(old, new) if old != b"\n" else b"\r\n".join(TABLE.split(b"\n"))
    if old == b"\n":
        changed = changed.replace(b"two\r\n", b"two\n")
    assert count(tmp_path / "file", changed, TABLE) == cells


def test_lines_are_compared_place_by_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\nb\nc\n")
    assert other_lines(path, lambda: [b"a\nb\n", b"c\n"]) == 0
    assert other_lines(path, lambda: [b"a\n", b"x\nc\nd\n"]) == 2
