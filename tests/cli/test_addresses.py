"""Addresses: what they mean, against plain Python, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu.cli.addresses import Tail, parsed_bytes, parsed_lines
from insitu.errors import SpanError
from tests.cli.conftest import TEN_LINES
from tests.cli.running import run

CONTENTS = st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\r\n", b"\n\n", b"x" * 70_000]), max_size=9).map(
    b"".join
)


@given(contents=CONTENTS, count=st.integers(1, 8))
def test_the_last_lines_are_those_of_splitlines(
    tmp_path_factory: pytest.TempPathFactory, contents: bytes, count: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "file"
    path.write_bytes(contents)
    lines = contents.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    with insitu.open(path, "r") as doc:
        if count > len(lines):
            with pytest.raises(SpanError, match=f"has {len(lines):,} line"):
                Tail(count).locate(doc)
        else:
            span = Tail(count).locate(doc)
            assert contents[span.start : span.stop] == b"".join(lines[-count:])


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_the_last_lines_of_wide_and_of_marked_text(tmp_path: Path, codec: str, mark: str) -> None:
    path = tmp_path / "file"
    lines = ["one\r\n", "\u0a0a\u0d0a\u0a00\n", "\n", "last"]
    data = "".join((mark, *lines)).encode(codec)
    path.write_bytes(data)
    with insitu.open(path, "r", encoding=codec) as doc:
        for count in range(1, 5):
            assert doc[slice(*Tail(count).locate(doc))] == "".join(lines[-count:]).encode(codec)
        with pytest.raises(SpanError, match="has 4 lines"):
            Tail(5).locate(doc)


@given(start=st.integers(-80, 80) | st.none(), stop=st.integers(-80, 80) | st.none())
def test_bytes_are_a_slice_that_is_never_clipped(
    tmp_path_factory: pytest.TempPathFactory, start: int | None, stop: int | None
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(TEN_LINES)
    text = f"{'' if start is None else start}:{'' if stop is None else stop}"
    size = len(TEN_LINES)
    low = 0 if start is None else start + size * (start < 0)
    high = size if stop is None else stop + size * (stop < 0)
    with insitu.open(path, "r") as doc:
        if 0 <= low <= high <= size:
            assert parsed_bytes(text).locate(doc) == (low, high)
        else:
            with pytest.raises(SpanError, match="71 bytes"):
                parsed_bytes(text).locate(doc)


LINES = {
    "3": b"line 3\n",
    "3-5": b"line 3\nline 4\nline 5\n",
    "9-": b"line 9\nline 10\n",
    "-2": b"line 1\nline 2\n",
    "1-10": TEN_LINES,
}


@pytest.mark.parametrize("text", LINES)
def test_lines_count_from_one_and_include_the_last(ten: Path, text: str) -> None:
    assert run("read", ten, "--lines", text).out == LINES[text]


@pytest.mark.parametrize("text", ["11", "10-11", "11-", "-11", "99-100"])
def test_lines_past_the_end_are_refused_with_their_count(ten: Path, text: str) -> None:
    done = run("read", ten, "--lines", text)
    assert (done.code, done.out) == (2, b"")
    assert "has 10 lines (71 bytes)" in done.err


BAD = {
    "--lines": ["0", "0-3", "5-3", "a", "", "-", "3--4", "1,x", "3:4"],
    "--bytes": ["5", "a:b", "", "-:", "1-2", "9:5", "-1:-5", "0:72", "72:", "-72:"],
    "--tail": ["0", "-1", "x", "11"],
}


@pytest.mark.parametrize(("option", "text"), [(option, text) for option in BAD for text in BAD[option]])
def test_nonsense_is_refused(ten: Path, option: str, text: str) -> None:
    done = run("delete", ten, option, text)
    assert done.code == 2
    assert done.err.startswith("insitu: ")
    assert ten.read_bytes() == TEN_LINES


def test_a_matched_text_must_be_unique(ten: Path) -> None:
    assert run("read", ten, "--match", "e 10").out == b"e 10"
    assert run("read", ten, "--match", "line 11").code == 1
    done = run("read", ten, "--match", "line 1")
    assert done.code == 3
    assert "line 1, byte 0" in done.err
    assert "line 10, byte 63" in done.err


def test_candidates_are_bounded(ten: Path) -> None:
    done = run("read", ten, "--match", "line", "--json")
    assert len(done.json["error"]["facts"]["candidates"]) == 5


def test_one_address_and_only_one_is_to_be_given(ten: Path) -> None:
    assert run("delete", ten).code == 2
    assert run("delete", ten, "--tail", 1, "--lines", 1).code == 2


def test_parsed_numbers_may_be_grouped() -> None:
    assert str(parsed_lines("1,000-2_000")) == "lines 1000-2000"
