"""Titles: where they stand, what they say, and the names made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.formats.markdown_front import front_matter
from insitu.formats.markdown_keys import key, text_key, window_keys
from insitu.formats.markdown_titles import (
    TITLE_BYTES_MAX,
    capped_title,
    normalized,
    plain_text,
    slug,
    title_place,
)

PLACES = {
    b"# a\n": b"a",
    b"## a b  ##  \n": b"a b",
    b"# C#\n": b"C#",
    b"# a \\#\n": b"a \\#",
    b"###\n": b"",
    b"### ###": b"",
    b"#\ta\r\n": b"a",
    b"   # a #b\r": b"a #b",
    b"a\n===\n": b"a",
    b"  a \n b\n---": b"a \n b",
    b"a\r===\r": b"a",
}


@pytest.mark.parametrize("heading", PLACES)
def test_places_of_titles(heading: bytes) -> None:
    place = title_place(heading)
    assert heading[place.start : place.stop] == PLACES[heading]


TEXTS = {
    "*Foo* [bar](x)": "Foo bar",
    "`a*b*` c": "a*b* c",
    "snake_case_name": "snake_case_name",
    "a \\* b &amp; c": "a * b & c",
    "**a *b* c**": "a b c",
    "[![i](u)](v) t": "i t",
    "[1.0.0] - 2026": "1.0.0 - 2026",
    "<b>x</b> <http://x.y>": "x http://x.y",
    "~~a~~  b": "a b",
}


@pytest.mark.parametrize("title", TEXTS)
def test_plain_text(title: str) -> None:
    assert plain_text(title) == TEXTS[title]


def test_slugs_are_those_of_github() -> None:
    assert slug("Hello, *World*! (v1.2)") == "hello-world-v12"
    assert slug("Stra\u00dfe \u2014 a_b") == "stra\u00dfe--a_b"
    assert slug("") == ""


def test_titles_compare_without_case_markup_and_white_space() -> None:
    assert normalized(" The  `Big` *ONE*") == normalized("the big one")


def test_long_titles_are_capped() -> None:
    assert len(capped_title(b"# " + b"a" * 9000, 1 << 30)) == TITLE_BYTES_MAX
    assert len(capped_title(b"a b\n" * 3000, 1 << 30)) == TITLE_BYTES_MAX


@pytest.mark.slow
@given(st.lists(st.text("ab1 #*_[]()<>&;`\\\u00e9\u4e00-", max_size=12), min_size=1, max_size=6))
def test_keys_of_windows_are_those_of_titles(titles: list[str]) -> None:
    import numpy as np

    lines = [b"# " + title.encode() + b"\n" for title in titles]
    data = b"".join(lines)
    stops = np.cumsum([len(line) for line in lines])
    starts = stops - [len(line) for line in lines]
    keys, families = window_keys(memoryview(data), starts, stops - 1, "utf-8")
    for index, line in enumerate(lines):
        title = capped_title(line, len(line))
        assert (keys[index], families[index]) == key(title, "utf-8")


@given(st.text("ab1 -*_`\u00e9", max_size=12))
def test_slugs_and_titles_share_their_family(title: str) -> None:
    assert text_key(slug(title))[1] == text_key(title)[1] == text_key(slug(title) + "-7")[1]


FRONTS = {
    b"---\na: b\n---\n# c\n": (0, 13, "yaml", b"a: b\n"),
    b"---\r\na: b\r\n...\r\n": (0, 16, "yaml", b"a: b\r\n"),
    b"+++\na = 1\n+++": (0, 13, "toml", b"a = 1\n"),
    b"\xef\xbb\xbf---\n---\n": (3, 11, "yaml", b""),
    b"---\na: b\n": None,
    b"\n---\na: b\n---\n": None,
    b"----\na\n---\n": None,
    b"+++\na\n---\n": None,
}


@pytest.mark.parametrize("data", FRONTS)
def test_front_matter(data: bytes) -> None:
    found = front_matter(data)
    wanted = FRONTS[data]
    if wanted is None:
        assert found is None
    else:
        assert found is not None
        assert (*found.span, found.language, data[slice(*found.text)]) == wanted
