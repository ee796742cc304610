"""Each invariant of the journal is stated once, held by a line of code, and tested."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.tidy.tree import PACKAGE, ROOT

JOURNAL = ROOT / "docs" / "journal.md"
TESTS = ROOT / "tests"

# `## J3 ...`, `### J3: ...` or `**J3** ...`, `**J3. The journal ...**` at the start of a line or list item.
_STATED = re.compile(r"^(?:#+\s+|[-*]?\s*\*\*)(J\d+)\b", re.MULTILINE)
_CITED = re.compile(r"\bJ\d+\b")


def stated(text: str) -> list[str]:
    """Returns the invariants that a document states, as often as it does."""
    return _STATED.findall(text)


def cited(paths: Iterable[Path]) -> set[str]:
    """Returns the invariants that the files name."""
    return {number for path in paths for number in _CITED.findall(path.read_text("utf-8"))}


def _code() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _tests() -> list[Path]:
    return [path for path in sorted(TESTS.rglob("*.py")) if not path.is_relative_to(TESTS / "tidy")]


def _journal() -> list[str]:
    assert JOURNAL.is_file(), "docs/journal.md, which states the invariants, is missing"
    return stated(JOURNAL.read_text("utf-8"))


def _by_number(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: int(name[1:]))


def test_the_journal_states_invariants_once_and_without_gaps() -> None:
    numbers = _journal()
    assert numbers
    assert _by_number(numbers) == [f"J{number}" for number in range(1, len(numbers) + 1)]


def test_every_invariant_is_cited_where_the_code_holds_it() -> None:
    assert _by_number(set(_journal()) - cited(_code())) == []


def test_every_invariant_is_cited_by_a_test() -> None:
    assert _by_number(set(_journal()) - cited(_tests())) == []


def test_no_citation_dangles() -> None:
    assert _by_number(cited([*_code(), *_tests()]) - set(_journal())) == []


def test_headings_and_bold_lead_words_state_and_mere_mentions_do_not() -> None:
    text = "# Title\n\n### J1: first\n\n**J2** second\n\n- **J3. Third** thing\n\nSee J4 and (**J5**).\n"
    assert stated(text) == ["J1", "J2", "J3"]


def test_citations_are_whole_words(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("# J12: sync first\nJJ3 = 1  # see J4.\n", "utf-8")
    assert cited([path]) == {"J12", "J4"}
