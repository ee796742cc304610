from __future__ import annotations

import pytest

from insitu.scan.syntax import Kind, open_ended, tokens


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (r"a+?b{2,}?", ["a", "+?", "b", "{2,}?"]),
        ("a{,3}", ["a", "{", ",", "3", "}"]),
        ("[]a][^]b][[:alpha:]x][a\\]]", ["[]a]", "[^]b]", "[[:alpha:]x]", "[a\\]]"]),
        (r"\x41\x{e9}\101\pL\p{Greek}\PN", [r"\x41", r"\x{e9}", r"\101", r"\pL", r"\p{Greek}", r"\PN"]),
        ("(?P<n>a)(?i:b)(?s)(c|d)", ["(?P<n>", "a", ")", "(?i:", "b", ")", "(?s)", "(", "c", "|", "d", ")"]),
        (r"^\b\(\\$", ["^", r"\b", r"\(", r"\\", "$"]),
    ],
)
def test_patterns_are_cut_into_atoms_groups_and_repetitions(pattern, parts):
    assert [token.text for token in tokens(pattern)] == parts


def test_quoted_text_is_one_literal_for_each_character():
    found = list(tokens(r"\Qa.*\E+x\Q[b"))
    assert [token.char for token in found if token.kind is Kind.LITERAL] == ["a", ".", "*", "x", "[", "b"]
    assert found[3].kind is Kind.REPEAT


def test_an_open_ended_pattern_lets_every_atom_match_the_end():
    assert open_ended(r"(?i)a[bc]*?(?:^|\b)") == r"(?i)(?:a|\z)(?:[bc]|\z)*?(?:(?:^|\z)|(?:\b|\z))"
