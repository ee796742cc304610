"""``doc.lines`` over UTF-16 and UTF-32: the same as over UTF-8, in other bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import insitu
from insitu.errors import TextError
from tests.unit.views.test_lines import Document

CODECS = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
# U+0A0A, U+0A00 and U+0D0A hold bytes that look like line ends; the last token is two units of UTF-16.
TOKENS = ["a", "\n", "\r\n", "\n", "\u0a0a", "\u0a00", "\u0d0a", "\r", "\U0001f60a"]
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=24).map("".join)
VERBS = st.sampled_from(["set", "insert", "delete", "append", "slice"])
EDITS = st.lists(st.tuples(VERBS, st.integers(0, 9), TEXTS), max_size=5)


def edited(document: Document, edits: list[tuple[str, int, str]]) -> list[object]:
    """What is to be seen of a document after each edit."""
    lines = document.lines
    seen: list[object] = []
    for verb, number, text in edits:
        index = number % (len(lines) or 1)
        if verb == "set" and lines:
            lines[index] = text
        elif verb == "delete" and lines:
            del lines[index]
        elif verb == "slice":
            lines[index : index + 2] = [text, "x"]
        elif verb == "insert":
            lines.insert(number, text)
        elif verb == "append":
            lines.append(text)
        seen += [len(lines), lines[:], lines[-1:], lines[1:3], list(lines)]
        seen += [lines[k] for k in range(len(lines))]
    return seen


@given(TEXTS, EDITS, st.sampled_from(CODECS))
def test_wide_lines_are_as_narrow_ones(text: str, edits: list[tuple[str, int, str]], codec: str) -> None:
    narrow, wide = Document(text.encode(), "utf-8"), Document(text.encode(codec), codec)
    assert edited(wide, edits) == edited(narrow, edits)
    assert wide.content.decode(codec) == narrow.content.decode()
    size = len("x".encode(codec))
    for number in range(len(narrow.lines)):
        span, other = wide.lines.span_of(number), narrow.lines.span_of(number)
        assert wide.content[slice(*span)].decode(codec) == narrow.content[slice(*other)].decode()
        assert wide.lines.number_at(span.stop - 1) == number
        assert span.start % size == 0


@pytest.mark.parametrize("codec", CODECS)
def test_a_long_file_is_found_through_an_index_in_memory(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "file"
    mark = "\ufeff".encode(codec)
    path.write_bytes(mark + "".join(f"\u0a0a line {i}\r\n" for i in range(60_000)).encode(codec))
    with insitu.open(path) as doc:
        assert doc.encoding == codec
        assert len(doc.lines) == 60_000
        assert doc.lines[45_678] == "\u0a0a line 45678\r\n"
        doc.lines[45_678] = "gr\xf6\xdfer"
        doc.lines.insert(10, "new")
        assert doc.lines[45_679:45_681] == ["gr\xf6\xdfer\r\n", "\u0a0a line 45679\r\n"]
    assert len(path.read_bytes().decode(codec).split("\r\n")) == 60_002


def test_half_a_unit_is_refused() -> None:
    with pytest.raises(TextError, match="5 bytes, 1 more than whole utf-16-le"):
        Document(b"a\0\n\0b", "utf-16-le")
    document = Document("ab\ncd\n".encode("utf-16-le"), "utf-16-le")
    document.replace_span(insitu.Span(1, 2), b"")
    document.replace_span(insitu.Span(6, 6), b"x")
    with pytest.raises(TextError, match="cut a unit"):
        len(document.lines)
