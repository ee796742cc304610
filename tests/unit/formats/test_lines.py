"""Tables of the rules of lines, and the laws that must hold over every row."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.formats.lines import (
    CR,
    CRLF,
    LF,
    NEWLINES,
    assigned_line,
    assigned_lines,
    detect_newline,
    ended_line,
    ending_near,
    inserted_line,
    split_ending,
    split_text,
)

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\xc3\xa9"]), max_size=8).map(b"".join)


def file_lines(data: bytes, newline: bytes) -> list[bytes]:
    """The lines of a file, the slow and obvious way."""
    lines = [part + newline for part in data.split(newline)]
    lines[-1] = lines[-1][: -len(newline)]
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("window", "more", "newline"),
    [
        (b"", False, LF),
        (b"no ending", False, LF),
        (b"a\nb\n", False, LF),
        (b"a\r\nb\r\n", False, LF),
        (b"a\rb\nc", False, LF),
        (b"a\rb\rc", False, CR),
        (b"a\rb\rc", True, CR),
        (b"a\r", False, CR),
        (b"a\r", True, LF),
        (b"\r", True, LF),
        (b"a\rb\r", True, CR),
        (b"", True, LF),
    ],
)
def test_cr_ends_lines_only_in_a_window_with_cr_and_no_lf(window: bytes, more: bool, newline: bytes) -> None:
    assert detect_newline(window, more=more) == newline


@pytest.mark.parametrize(
    ("line", "newline", "body", "ending"),
    [
        (b"", LF, b"", b""),
        (b"a", LF, b"a", b""),
        (b"a\n", LF, b"a", LF),
        (b"a\r\n", LF, b"a", CRLF),
        (b"\n", LF, b"", LF),
        (b"\r\n", LF, b"", CRLF),
        (b"a\r\r\n", LF, b"a\r", CRLF),
        (b"a\r", LF, b"a\r", b""),
        (b"a\r", CR, b"a", CR),
        (b"\r", CR, b"", CR),
        (b"\na\r", CR, b"\na", CR),
        (b"\n\r", CR, b"\n", CR),
        (b"a\n", CR, b"a\n", b""),
        (b"", CR, b"", b""),
    ],
)
def test_a_line_is_split_into_body_and_ending(
    line: bytes, newline: bytes, body: bytes, ending: bytes
) -> None:
    assert split_ending(line, newline) == (body, ending)


@pytest.mark.parametrize(
    ("text", "newline", "lines"),
    [
        (b"", LF, []),
        (b"a", LF, [b"a"]),
        (b"a\n", LF, [b"a\n"]),
        (b"a\nb", LF, [b"a\n", b"b"]),
        (b"a\r\n\nb\n", LF, [b"a\r\n", b"\n", b"b\n"]),
        (b"a\rb", LF, [b"a\rb"]),
        (b"", CR, []),
        (b"a\rb", CR, [b"a\r", b"b"]),
        (b"a\nb\n", CR, [b"a\n", b"b\n"]),
        (b"a\r\n\rb", CR, [b"a\r\n", b"\r", b"b"]),
    ],
)
def test_a_text_is_split_into_the_lines_it_was_written_in(
    text: bytes, newline: bytes, lines: list[bytes]
) -> None:
    assert split_text(text, newline) == lines


@pytest.mark.parametrize(
    ("lines", "newline", "ending"),
    [
        ([], LF, LF),
        ([], CR, CR),
        ([b"a\r\n"], LF, CRLF),
        ([b"a\n", b"b\r\n"], LF, LF),
        ([b"a", b"b\r\n"], LF, CRLF),
        ([b"a", b""], LF, LF),
        ([b"a\n"], CR, CR),
    ],
)
def test_the_first_neighbour_with_an_ending_lends_it(
    lines: list[bytes], newline: bytes, ending: bytes
) -> None:
    assert ending_near(lines, newline) == ending


# Columns: the text given, then what it becomes in place of the LF line, the CR LF line, and the
# unterminated line beside a neighbour that ends with CR LF; then when inserted beside that neighbour.
LF_TABLE = [
    (b"x", b"x\n", b"x\r\n", b"x", b"x\r\n"),
    (b"x\n", b"x\n", b"x\r\n", b"x\r\n", b"x\r\n"),
    (b"x\r\n", b"x\r\n", b"x\r\n", b"x\r\n", b"x\r\n"),
    (b"x\r", b"x\r\n", b"x\r\r\n", b"x\r", b"x\r\r\n"),
    (b"", b"\n", b"\r\n", b"\r\n", b"\r\n"),
    (b"\n", b"\n", b"\r\n", b"\r\n", b"\r\n"),
    (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n"),
]


@pytest.mark.parametrize(("text", "for_lf", "for_crlf", "for_open", "inserted"), LF_TABLE)
def test_texts_take_the_ending_their_place_calls_for_where_lf_ends_lines(
    text: bytes, for_lf: bytes, for_crlf: bytes, for_open: bytes, inserted: bytes
) -> None:
    assert assigned_line(text, b"old\n", CRLF) == for_lf
    assert assigned_line(text, b"old\r\n", LF) == for_crlf
    assert assigned_line(text, b"old", CRLF) == for_open
    assert inserted_line(text, CRLF) == inserted


# Columns: the text given, then in place of a CR line, in place of an unterminated line, and inserted.
CR_TABLE = [
    (b"x", b"x\r", b"x", b"x\r"),
    (b"x\n", b"x\r", b"x\r", b"x\r"),
    (b"x\r\n", b"x\r", b"x\r", b"x\r"),
    (b"x\r", b"x\r", b"x\r", b"x\r"),
    (b"x\ny", b"x\ny\r", b"x\ny", b"x\ny\r"),
    (b"", b"\r", b"\r", b"\r"),
    (b"\r\n", b"\r", b"\r", b"\r"),
]


@pytest.mark.parametrize(("text", "for_cr", "for_open", "inserted"), CR_TABLE)
def test_texts_take_the_ending_their_place_calls_for_where_cr_ends_lines(
    text: bytes, for_cr: bytes, for_open: bytes, inserted: bytes
) -> None:
    assert assigned_line(text, b"old\r", CR, CR) == for_cr
    assert assigned_line(text, b"old", CR, CR) == for_open
    assert inserted_line(text, CR, CR) == inserted


def test_only_an_unterminated_line_has_to_be_ended_before_another_follows() -> None:
    assert ended_line(b"a", CRLF) == CRLF
    assert ended_line(b"a\r", LF) == LF
    assert ended_line(b"a\n", CRLF) == b""
    assert ended_line(b"a\r", CR, CR) == b""
    assert ended_line(b"a\n", CR, CR) == CR


@pytest.mark.parametrize(
    ("texts", "replaced", "result"),
    [
        ([], [b"a\n"], []),
        ([b"x"], [b"a\r\n", b"b\n"], [b"x\r\n"]),
        ([b"x", b"y", b"z"], [b"a\r\n", b"b\n"], [b"x\r\n", b"y\n", b"z\n"]),
        ([b"x", b"y"], [b"a\r\n"], [b"x\r\n", b"y\r\n"]),
        ([b"x", b"y"], [b"a"], [b"x\r\n", b"y"]),
        ([b"x", b"y\n"], [b"a"], [b"x\r\n", b"y\r\n"]),
        ([b"x", b"y", b"z"], [b"a\n", b"b"], [b"x\n", b"y\n", b"z"]),
        ([b"x", b"y"], [b"a\n", b"b"], [b"x\n", b"y"]),
        ([b"x", b"y"], [], [b"x\r\n", b"y\r\n"]),
        ([b"", b""], [b"a"], [b"\r\n", b"\r\n"]),
    ],
)
def test_texts_take_the_endings_of_the_lines_they_replace_one_by_one(
    texts: list[bytes], replaced: list[bytes], result: list[bytes]
) -> None:
    assert list(assigned_lines(texts, replaced, CRLF)) == result


@pytest.mark.parametrize("newline", NEWLINES)
def test_assigned_and_inserted_texts_stay_one_line_each(newline: bytes) -> None:
    bodies = [b"", b"x", b"x\r" if newline == LF else b"x\ny"]
    endings = [b"", LF, CRLF] if newline == LF else [b"", LF, CR, CRLF]
    olds = [b"old", b"old" + newline, *([b"old\r\n"] if newline == LF else [])]
    for body, ending, old in product(bodies, endings, olds):
        for rendered in (
            assigned_line(body + ending, old, newline, newline),
            inserted_line(body + ending, newline, newline),
        ):
            assert file_lines(rendered, newline) == [rendered]


@given(data=TEXTS, newline=st.sampled_from(NEWLINES))
def test_a_line_splits_and_joins_to_itself(data: bytes, newline: bytes) -> None:
    for line in file_lines(data, newline):
        body, ending = split_ending(line, newline)
        assert body + ending == line
        assert newline not in body
    assert b"".join(split_text(data, newline)) == data


@given(data=TEXTS, newline=st.sampled_from(NEWLINES))
def test_lines_assigned_to_themselves_change_no_byte(data: bytes, newline: bytes) -> None:
    lines = file_lines(data, newline)
    assert list(assigned_lines(lines, lines, CRLF if newline == LF else CR, newline)) == lines


@given(data=TEXTS, texts=st.lists(TEXTS, max_size=5), newline=st.sampled_from(NEWLINES), cut=st.data())
def test_a_slice_of_lines_becomes_as_many_lines_as_texts(
    data: bytes, texts: list[bytes], newline: bytes, cut: st.DataObject
) -> None:
    lines = file_lines(data, newline)
    first = cut.draw(st.integers(0, len(lines)))
    stop = cut.draw(st.integers(first, len(lines)))
    texts = [split_ending(text.replace(newline, b""), newline)[0] for text in texts]
    rendered = list(assigned_lines(texts, lines[first:stop], newline, newline))
    before = lines[:first]
    if rendered and before:
        before[-1] += ended_line(before[-1], newline, newline)
    assert file_lines(b"".join([*before, *rendered, *lines[stop:]]), newline) == [
        *before,
        *rendered,
        *lines[stop:],
    ]
    assert len(rendered) == len(texts)
