"""Natural boundaries of text, told by a table of cases."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from insitu.formats.chunk_narrow import narrow
from insitu.formats.chunk_places import (
    GAP,
    PARAGRAPH,
    SECTION,
    paragraph_places,
    picked_places,
    sentence_places,
    word_places,
)
from insitu.formats.chunk_tape import AROUND, Stretch, Tape


def _stretch(text: str, encoding: str = "utf-8") -> Stretch:
    return Tape(encoding).feed(text.encode(encoding), last=True)


def _parts(text: str, at: np.ndarray) -> list[str]:
    data = text.encode()
    bounds = [0, *[int(place) - AROUND for place in at if AROUND < place < AROUND + len(data)], len(data)]
    return [data[a:b].decode() for a, b in pairwise(bounds)]


PARAGRAPHS = {
    "a\n\nb\n": [("b\n", PARAGRAPH)],
    "a\r\n\r\nb": [("b", PARAGRAPH)],
    "a\n \t \nb": [("b", PARAGRAPH)],
    "a\n\n\n\nb": [("b", GAP)],
    "a\nb\nc": [],
    "a\n\nTitle\n=====\nb": [("Title\n=====\nb", SECTION)],
    "a\n\nb\n---x\n": [("b\n---x\n", PARAGRAPH)],
    "\n\na": [("a", PARAGRAPH)],
    "a\n\nTitle\n===== \t\r\nb": [("Title\n===== \t\r\nb", SECTION)],
    "a\n\nTitle\n== ==\nb": [("Title\n== ==\nb", PARAGRAPH)],
}


@pytest.mark.parametrize(("text", "expected"), PARAGRAPHS.items(), ids=map(repr, PARAGRAPHS))
def test_paragraphs(text: str, expected: list[tuple[str, int]]) -> None:
    found = paragraph_places(_stretch(text), 0x0A)
    behind = [text.encode()[int(place) - AROUND :].decode() for place in found.at]
    assert list(zip(behind, found.worth.tolist(), strict=True)) == expected


SENTENCES = {
    "One. Two.": ["One. ", "Two."],
    "One! Two? Three": ["One! ", "Two? ", "Three"],
    'He said "No." Then left.': ['He said "No." ', "Then left."],
    "e.g. this": ["e.g. this"],
    "3.14 is": ["3.14 is"],
    "\u4e00\u3002\u4e8c\u3002": ["\u4e00\u3002", "\u4e8c\u3002"],
}


@pytest.mark.parametrize(("text", "expected"), SENTENCES.items(), ids=map(ascii, SENTENCES))
def test_sentences(text: str, expected: list[str]) -> None:
    assert _parts(text, sentence_places(_stretch(text))) == expected


def test_words() -> None:
    assert _parts("a bc,d;e\tf", word_places(_stretch("a bc,d;e\tf"))) == ["a ", "bc,", "d;", "e\t", "f"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_has_the_shape_of_utf_8(encoding: str) -> None:
    array, used = narrow("a\u00e9\u6f22\U0001f600\n".encode(encoding), encoding, last=True)
    shape = [0x61, 0xC3, 0xE6, 0xF0, *([0x80] if "16" in encoding else []), 0x0A]
    assert array.tolist() == shape
    assert used == len("a\u00e9\u6f22\U0001f600\n".encode(encoding))


def test_what_is_no_text_is_marked_and_each_byte_a_character() -> None:
    array, used = narrow(b"a\xffb\x80\xc3\xa9\xed\xa0\x80", "utf-8", last=True)
    assert array.tolist() == [0x61, 0xFF, 0x62, 0xFF, 0xC3, 0xA9, 0xFF, 0xFF, 0xFF]
    assert used == 9


def test_a_character_cut_short_is_left_for_later() -> None:
    assert narrow(b"a\xe6\xbc", "utf-8", last=False)[1] == 1
    assert narrow(b"a\xe6\xbc", "utf-8", last=True)[0].tolist() == [0x61, 0xFF, 0xFF]


@pytest.mark.parametrize("text", ["ab" * 3000, "a" * 6000, "0123456" * 900, "\0" * 6000, "\u00e9" * 3000])
def test_what_repeats_itself_has_few_picked_places(text: str) -> None:
    assert len(picked_places(_stretch(text), 64)) <= 6000 // 32


@pytest.mark.parametrize("seed", range(5))
def test_about_one_place_in_so_many_is_picked(seed: int) -> None:
    text = random.Random(seed).randbytes(20_000).hex()
    at = picked_places(_stretch(text), 64)
    assert len(text) / 64 / 2 < len(at) < len(text) / 64 * 2
    assert int(np.diff(at).min()) >= 32
