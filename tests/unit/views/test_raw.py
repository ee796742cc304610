"""The file object behaves as a file opened for reading and writing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("seek"), st.integers(-20, 20), st.sampled_from([1, 2])),
        st.tuples(st.just("read"), st.integers(0, 30)),
        st.tuples(st.just("readall")),
        st.tuples(st.just("write"), st.binary(max_size=20)),
        st.tuples(st.just("truncate"), st.integers(0, 60)),
        st.tuples(st.just("truncate")),
        st.tuples(st.just("tell")),
        st.tuples(st.just("readline")),
    ),
    max_size=20,
)


def outcome(file: io.RawIOBase, step: tuple[object, ...]) -> object:
    name, *arguments = step
    try:
        return getattr(file, str(name))(*arguments)
    except (ValueError, OSError):
        return "refused"


def check(
    path: Path, data: bytes, steps: list[tuple[object, ...]], opened: Callable[[io.RawIOBase], io.IOBase]
) -> None:
    path.write_bytes(data)
    path.with_suffix(".oracle").write_bytes(data)
    with (
        insitu.open(path, policy=insitu.Policy(history=0)) as doc,
        open(path.with_suffix(".oracle"), "r+b", buffering=0) as oracle,
    ):
        ours, theirs = opened(doc.file()), opened(oracle)
        for step in steps:
            assert outcome(ours, step) == outcome(theirs, step), step
        ours.flush()
        theirs.flush()
        assert doc[:] == path.with_suffix(".oracle").read_bytes()
        assert path.read_bytes() == data


@pytest.mark.slow
@given(st.binary(max_size=50), STEPS)
def test_it_does_what_an_unbuffered_file_does(tmp_path_factory, data, steps) -> None:
    check(tmp_path_factory.getbasetemp() / "raw", data, steps, lambda raw: raw)


@pytest.mark.slow
@given(st.binary(max_size=50), STEPS)
def test_a_buffer_over_it_does_what_one_over_a_file_does(tmp_path_factory, data, steps) -> None:
    steps = [step for step in steps if step[0] != "readall"]
    check(
        tmp_path_factory.getbasetemp() / "buffered",
        data,
        steps,
        lambda raw: io.BufferedRandom(raw, 8),
    )


def test_it_is_no_more_writable_than_its_document(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with insitu.open(path, "r") as doc:
        file = doc.file()
        assert file.readable() and file.seekable() and not file.writable()
        with pytest.raises(PermissionError):
            file.write(b"x")
        with pytest.raises(PermissionError):
            file.truncate(0)
        assert io.BufferedReader(file).read() == b"abc"


def test_closing_it_leaves_the_document_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with insitu.open(path) as doc:
        with doc.file() as file:
            file.write(b"X")
        assert doc[:] == b"Xbc" and path.read_bytes() == b"abc"
    assert path.read_bytes() == b"Xbc"


def test_a_gap_left_by_seeking_is_zeros(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with insitu.open(path) as doc:
        file = doc.file()
        assert file.seek(2, os.SEEK_END) == 5
        assert file.read(4) == b""
        file.write(b"x")
    assert path.read_bytes() == b"abc\0\0x"


def test_any_buffer_is_written_as_its_bytes(tmp_path: Path) -> None:
    from array import array

    path = tmp_path / "file"
    path.touch()
    with insitu.open(path) as doc:
        file = doc.file()
        assert file.write(array("i", [1, 2])) == 8
        assert file.write(memoryview(b"abcd")[::2]) == 2
        into = array("i", [0, 0])
        file.seek(0)
        assert file.readinto(into) == 8 and into == array("i", [1, 2])
    assert path.read_bytes() == array("i", [1, 2]).tobytes() + b"ac"
