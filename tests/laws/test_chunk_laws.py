"""Chunks cover everything, fit, cut nothing in two that fits, and do not depend on how a file is read."""

from __future__ import annotations

import codecs
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.views.chunk import Chunk
from insitu.views.chunk_options import budget_of
from insitu.views.chunks import Chunks
from insitu.views.readable import Readable
from insitu.views.text import Encoding, encoding_of

ROOT = Path(__file__).resolve().parents[2]

_PARTS = (
    *(b"\n", b"\r\n", b"\n\n", b"\r", b"# H\n", b"## Two\n\n", b"```\n", b"```py\nx = 1\n\n```\n"),
    *(b"a|b\n-|-\n1|2\n", b"- item\n", b"  - sub\n", b"1. one\n\n", b"> q\n", b"title\n=====\n", b"---\n"),
    *(b"word ", b"Sentence here. And more! ", b"x" * 50, b"    ", b"\t", b"<div>\n", b"</div>\n\n"),
    *(b"\xc3\xa9", b"e\xcc\x81", "\u6f22\u5b57\u3002".encode(), "\U0001f469\u200d\U0001f467".encode()),
    *(
        b"\xff",
        b"\x80",
        b"\x00",
        b"\xef\xbb\xbf",
        b'"',
        b",",
        b"a,b,c\n",
        b'{"a": [1, 2]}\n',
        b"[",
        b"]",
        b"{",
        b"}",
    ),
    *(b"def f():\n    return 1\n\n", b"class A:\n    def g(self):\n        pass\n"),
)
_KINDS = ("auto", "markdown", "text", "code", "csv", "jsonl", "json", "log")


class Memory(Readable):
    """Bytes in memory, as a file of some name."""

    def __init__(self, data: bytes, name: str = "file.txt") -> None:
        self._data = data
        self._name = name
        self._content = self

    @property
    def path(self) -> str:
        return self._name

    @property
    def text(self) -> Encoding:
        return encoding_of(self)

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(self._data)
        return self._data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


def _chunks(data: bytes, options: dict[str, Any], **more: Any) -> list[Chunk]:
    return list(Chunks(Memory(data), budget_of(**options), **more))


def _words(text: str) -> int:
    return len(text.split()) + 1


contents = st.one_of(
    st.lists(st.sampled_from(_PARTS), max_size=60).map(b"".join),
    st.lists(st.sampled_from(_PARTS), max_size=4).flatmap(
        lambda few: st.lists(st.sampled_from(few or [b"a"]), max_size=200).map(b"".join)
    ),
    st.binary(max_size=300),
    st.text(max_size=80).map(lambda text: text.encode("utf-16", "surrogatepass")),
    st.text(max_size=80).map(lambda text: text.encode("utf-16-be", "surrogatepass") + b"x"),
    st.builds(
        lambda text, torn: codecs.BOM_UTF32_LE + text.encode("utf-32-le", "surrogatepass") + torn,
        st.text(max_size=80),
        st.binary(max_size=3),
    ),
)
budgets = st.one_of(
    st.sampled_from((1, 2, 5, 20, 100, 1000)).map(lambda most: {"max_bytes": most}),
    st.sampled_from((1, 7, 50, 400)).map(lambda most: {"max_chars": most}),
    st.sampled_from((1, 3, 20, 100)).map(lambda most: {"max_tokens": most}),
    st.sampled_from((2, 5, 30)).map(lambda most: {"max_tokens": most, "tokens": _words}),
    st.just({"max_tokens": 30, "tokens": "bound"}),
)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(contents, budgets, st.sampled_from(_KINDS))
def test_chunks_cover_every_content_exactly_and_fit(data: bytes, options: dict[str, Any], kind: str) -> None:
    chunks = _chunks(data, options, kind=kind)
    assert b"".join(chunk.bytes() for chunk in chunks) == data
    assert [chunk.span.start for chunk in chunks] == [0, *(chunk.span.stop for chunk in chunks)][
        : len(chunks)
    ]
    most = next(iter(options.values()))
    assert all(chunk.size <= most or chunk.oversized for chunk in chunks)
    measure = options.get("tokens")
    for chunk in chunks:
        if "max_bytes" in options:
            assert chunk.size == chunk.span.size
        if callable(measure):
            assert chunk.size == measure(chunk.bytes().decode(encoding_of(Memory(data)).name, "replace"))


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"])
@pytest.mark.parametrize("torn", [b"x", b"\x81"])
def test_bytes_that_make_no_whole_code_unit_are_a_chunk_of_their_own(encoding: str, torn: bytes) -> None:
    bom = "\ufeff".encode(encoding)
    for text in ("", "abcd" * 30):
        data = bom + text.encode(encoding) + torn
        for options in ({"max_bytes": 8}, {"max_chars": 8}, {"max_tokens": 8}):
            *whole, last = _chunks(data, options)
            # A model gets U+FFFD for what is no text, of three tokens at most.
            assert last.size == (3 if "max_tokens" in options else 1)
            assert last.bytes() == torn and not last.oversized
            assert last.text().encode("ascii", "surrogateescape") == torn
            assert b"".join(chunk.bytes() for chunk in whole) == data[:-1]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(contents, budgets, st.sampled_from(_KINDS), st.sampled_from((1, 3, 17, 64, 300)))
def test_chunks_do_not_depend_on_how_a_file_is_read(
    data: bytes, options: dict[str, Any], kind: str, window_bytes: int
) -> None:
    whole = _chunks(data, options, kind=kind, overlap=1)
    assert [
        chunk.as_dict() for chunk in _chunks(data, options, kind=kind, overlap=1, window_bytes=window_bytes)
    ] == [chunk.as_dict() for chunk in whole]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ab \r\n.\u00e9\u6f22\U0001f600\u0301", max_size=200),
    st.integers(1, 20),
    st.sampled_from(_KINDS),
)
def test_no_cut_splits_a_character_or_a_line_ending(text: str, most: int, kind: str) -> None:
    data = text.encode()
    chunks = _chunks(data, {"max_bytes": most}, kind=kind)
    for before, after in pairwise(chunk.bytes() for chunk in chunks):
        before.decode("utf-8")
        assert not (before.endswith(b"\r") and after.startswith(b"\n"))


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="ab \n\u00e9\U0001f600", min_size=1, max_size=80), st.integers(4, 20))
def test_no_cut_splits_a_utf_16_unit_or_pair(text: str, most: int) -> None:
    data = b"\xff\xfe" + text.encode("utf-16-le")
    for chunk in _chunks(data, {"max_bytes": most}):
        chunk.bytes().decode("utf-16-le")


# What fits stays whole


def _rows(random_: random.Random) -> list[bytes]:
    return [
        b'%d,"note\nof %s"\r\n' % (number, b"x" * random_.randrange(1, 40))
        for number in range(random_.randrange(1, 60))
    ]


def _records(random_: random.Random) -> list[bytes]:
    return [
        b'{"id": %d, "v": "%s"}\n' % (n, b"y" * random_.randrange(1, 60))
        for n in range(random_.randrange(1, 60))
    ]


def _blocks(random_: random.Random) -> list[bytes]:
    makers = (
        lambda n: b"Some text of %d words. " % n * 2 + b"\n\n",
        lambda n: b"```\n" + b"code()\n\n" * (n % 9 + 1) + b"```\n\n",
        lambda n: b"| a | b |\n|---|---|\n" + b"| %d | 2 |\n" % n * (n % 6 + 1) + b"\n",
        lambda n: b"## Title %d\n\nIts text.\n\n" % n,
    )
    return [random_.choice(makers)(number) for number in range(random_.randrange(1, 40))]


@pytest.mark.parametrize(("kind", "make"), [("csv", _rows), ("jsonl", _records), ("markdown", _blocks)])
@pytest.mark.parametrize("seed", range(12))
def test_what_fits_stays_whole(kind: str, make: Any, seed: int) -> None:
    units = make(random.Random(seed))
    head = b"id,text\r\n" if kind == "csv" else b""
    data = head + b"".join(units)
    bounds = {0, len(head)}
    at = len(head)
    for unit in units:
        at += len(unit)
        bounds.add(at)
    chunks = _chunks(data, {"max_bytes": 160}, kind=kind)
    assert {chunk.span.start for chunk in chunks} <= bounds
    assert not any(chunk.split for chunk in chunks)


@pytest.mark.parametrize("kind", ["text", "markdown", "log", "code", "csv", "jsonl"])
def test_what_does_not_fit_is_cut_and_says_so(kind: str) -> None:
    data = b"short one\n\n" + b"long words " * 100 + b"\n\nshort two\n"
    chunks = _chunks(data, {"max_bytes": 100}, kind=kind)
    assert any(chunk.split for chunk in chunks)
    assert all(chunk.size <= 100 for chunk in chunks)
    inner = [chunk.bytes() for chunk in chunks if chunk.split]
    assert all(part.endswith((b" ", b"\n")) for part in inner)


# Boundaries stay put


def _prose(random_: random.Random, size: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    while total < size:
        words = b" ".join(b"w%d" % random_.randrange(10**6) for _ in range(random_.randrange(3, 60)))
        parts.append(random_.choice((b"# ", b"## ", b"", b"", b"", b"- ")) + words + b".\n\n")
        total += len(parts[-1])
    return b"".join(parts)


_MAKERS = {
    "markdown": _prose,
    "text": _prose,
    "log": lambda random_, size: b"".join(
        b"line %d of a log\n" % random_.randrange(10**9) for _ in range(size // 20)
    ),
    "csv": lambda random_, size: (
        b"a,b\n" + b"".join(b"%d,x\n" % random_.randrange(10**9) for _ in range(size // 12))
    ),
    "jsonl": lambda random_, size: b"".join(
        b'{"id": %d}\n' % random_.randrange(10**9) for _ in range(size // 18)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*_MAKERS, "one line"])
@pytest.mark.parametrize("seed", range(6))
def test_an_edit_changes_only_the_chunks_near_it(kind: str, seed: int) -> None:
    random_ = random.Random(seed)
    most = 200
    near = 40 * most
    if kind == "one line":
        data, kind = random_.randbytes(25_000).hex().encode(), "text"
        new = b"something else"
        start = random_.randrange(15_000, 35_000)
    else:
        data = _MAKERS[kind](random_, 50_000)
        new = b"w1 w2 w3.\n" if kind != "jsonl" else b'{"new": 1}\n'
        start = data.find(b"\n", random_.randrange(15_000, 35_000)) + 1
    stop = start + random_.choice((0, 0, 10, 300)) if kind != "jsonl" else start
    edited = data[:start] + new + data[stop:]
    growth = len(edited) - len(data)
    old = _chunks(data, {"max_bytes": most}, kind=kind)
    fresh = _chunks(edited, {"max_bytes": most}, kind=kind)
    before = [(chunk.span, chunk.hash) for chunk in old if chunk.span.stop < start - near]
    behind = [(chunk.span.moved(growth), chunk.hash) for chunk in old if chunk.span.start > stop + near]
    assert before
    assert behind
    known = {(chunk.span, chunk.hash) for chunk in fresh}
    assert [one for one in (*before, *behind) if one not in known] == []


def test_an_edit_inside_a_section_leaves_the_ids_of_all_others() -> None:
    data = b"".join(b"# Part %d\n\n%s\n\n" % (n, b"Words of part %d. " % n * 20) for n in range(60))
    edited = data.replace(b"Words of part 30. ", b"Other words. ", 5)
    old = {chunk.id for chunk in _chunks(data, {"max_bytes": 500}, kind="markdown")}
    fresh = {chunk.id for chunk in _chunks(edited, {"max_bytes": 500}, kind="markdown")}
    assert 1 <= len(old - fresh) <= 3


def test_equal_lines_are_cut_evenly() -> None:
    chunks = _chunks(b"the same line\n" * 20_000, {"max_bytes": 1400}, kind="log")
    assert len(chunks) < 20_000 * 14 / 1400 * 1.1
    assert len({chunk.hash for chunk in chunks}) <= 12
