from __future__ import annotations

import pytest
import re2

from insitu.scan.required import Required, required
from insitu.scan.syntax import tokens


def required_of(source, encoding="latin-1"):
    return required(tokens(source), encoding, lambda piece: re2.fullmatch(piece, "\n") is not None)


@pytest.mark.parametrize(
    ("source", "literals", "first", "last"),
    [
        ("HOST_[0-9]+", [b"HOST_"], 0, 0),
        (r"^\d{3} HOST$", [b" HOST"], 3, 3),
        (r"\w+=HOST", [b"=HOST"], 1, None),
        (r"[ab]{2,4}HOST", [b"HOST"], 2, 4),
        ("(time|refuse)d", [b"refused", b"timed"], 0, 0),
        ("gr(?:a|e)y", [b"gray", b"grey"], 0, 0),
        ("abc(?:d|ef)?[0-9]", [b"abc"], 0, 0),
        ("a{3}b+c", [b"aaa"], 0, 0),
        ("(abc){2,}", [b"abcabc"], 0, 0),
        ("(?:abc){20}", [b"abc"], 0, 0),
        ("(?:a|b|c)wanted", [b"wanted"], 1, 1),
        (r"x\d*(?:one|two)", [b"one", b"two"], 1, None),
        (r"[0-9]one|[0-9]{3}two", [b"one", b"two"], 1, 3),
        ("(?P<initial>a)bc", [b"abc"], 0, 0),
        (r"\x41\Q.*\E", [b"A.*"], 0, 0),
    ],
)
def test_the_rarest_bytes_that_every_match_holds_are_required(source, literals, first, last):
    assert required_of(source) == Required(tuple(literals), first, last, one_line=True)


@pytest.mark.parametrize(
    "source", ["", "a*", "a?", "(?i)host", "(?i:h)ost", "a|", r"\d+", "a{0,3}", "(abc){0}", "one|[0-9]", "^$"]
)
def test_nothing_is_required_where_a_match_may_lack_it_or_its_case_may_differ(source):
    assert required_of(source) is None


def test_too_many_strings_are_not_required():
    assert required_of("|".join(f"word{number}" for number in range(10, 30))) is None


@pytest.mark.parametrize(
    "source",
    ["ab\n", r"ab\s", "ab[^c]", r"ab\D", "(?s)ab.", "ab(?s:.)", r"ab[\t-a]", r"ab[[:space:]]", r"ab\PL"],
)
def test_a_match_that_may_hold_a_line_end_is_known(source):
    needed = required_of(source)
    assert needed is not None
    assert not needed.one_line


def test_the_same_character_is_other_bytes_in_another_encoding():
    assert required_of("é.é", "utf-8") == Required(("é".encode(),), 0, 0, one_line=True)
    assert required_of("é.é").literals == (b"\xe9",)
    assert required_of(r"\x{20ac}") is None


def test_characters_of_unknown_width_leave_room_for_the_longest():
    assert required_of("..abc", "utf-8") == Required((b"abc",), 2, 8, one_line=True)


def test_groups_may_lie_as_deep_as_re2_takes_them():
    assert required_of("(" * 900 + "abc" + ")" * 900).literals == (b"abc",)
