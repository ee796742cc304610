"""``insitu md``: every command against plain bytes, and what is said where it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run

TEXT = b"---\ntitle: x\n---\n# A\n\na\n\n## B\n\nb\n\n## C\n\nc\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_bytes(TEXT)
    return path


EDITS = {
    "replace": (["replace", "B", "--text", "new"], b"\nb\n", b"\nnew\n"),
    "replace a heading": (["replace", "B", "--scope", "heading", "--text", "## X"], b"## B", b"## X"),
    "append": (["append", "A/B", "--text", "new"], b"\nb\n", b"\nb\n\nnew\n"),
    "append to own": (["append", "A", "--own", "--text", "new"], b"\na\n", b"\na\n\nnew\n"),
    "prepend": (["prepend", "#c", "--text", "new"], b"\nc\n", b"\nnew\n\nc\n"),
    "insert before": (["insert", "--before", "C", "--text", "## N"], b"## C", b"## N\n\n## C"),
    "insert after": (["insert", "--after", "B", "--text", "## N"], b"## C", b"## N\n\n## C"),
    "delete": (["delete", "B"], b"## B\n\nb\n\n", b""),
    "rename": (["rename", "B", "Bee"], b"## B", b"## Bee"),
    "move": (["move", "C", "--before", "B"], TEXT[TEXT.index(b"## B") :], b"## C\n\nc\n\n## B\n\nb\n"),
    "promote": (["promote", "C"], b"## C", b"# C"),
    "demote": (["demote", "C", "--by", "2"], b"## C", b"#### C"),
    "create": (["create", "N", "--under", "B", "--text", "n"], b"b\n\n", b"b\n\n### N\n\nn\n\n"),
    "create at the top": (["create", "N", "--top"], b"\nc\n", b"\nc\n\n# N\n"),
    "set a key": (["front-matter", "set", "title", "y"], b"title: x", b"title: y"),
    "compact": (["compact"], b"", b""),
}


def arguments(page: Path, name: str) -> list[str]:
    """The command line of an edit, the file behind the command."""
    words = EDITS[name][0]
    at = 2 if words[0] == "front-matter" else 1
    return ["md", *words[:at], str(page), *words[at:]]


@pytest.mark.parametrize("name", EDITS)
def test_edits_do_what_they_say_and_are_undone(page: Path, name: str) -> None:
    _, old, new = EDITS[name]
    assert run(*arguments(page, name), "--dry-run").code == 0
    assert page.read_bytes() == TEXT
    done = run(*arguments(page, name), "--json")
    assert done.code == 0, done.out
    assert page.read_bytes() == TEXT.replace(old, new, 1)
    if page.read_bytes() != TEXT:
        assert done.json["receipt"]["operation"] == 1
        assert run("undo", page).code == 0
        assert page.read_bytes() == TEXT


def test_the_outline_is_listed(page: Path) -> None:
    done = run("md", "outline", page)
    assert done.out == b"      4  #      A\n      8  ##     B\n     12  ##     C\n"
    listed = run("md", "outline", page, "--level", "2", "--json").json["sections"]
    assert [section["path"] for section in listed] == [["A", "B"], ["A", "C"]]
    assert run("md", "read", page, listed[1]["id"]).out == b"## C\n\nc\n"


def test_sections_are_read(page: Path) -> None:
    assert run("md", "read", page, "B").out == b"## B\n\nb\n\n"
    assert run("md", "read", page, "B", "--scope", "body", "--json").json["text"] == "\nb\n\n"
    assert run("md", "front-matter", "get", page).out == b"title: x\n"
    assert run("md", "front-matter", "get", page, "title").out == b"x\n"


def test_an_ambiguous_section_is_refused_with_addresses_to_paste(page: Path) -> None:
    page.write_bytes(b"# A\n## X\n# B\n## X\n")
    done = run("md", "delete", page, "X")
    assert done.code == 3
    assert "  A/X\n  B/X\n" in done.err
    assert run("md", "delete", page, "B/X").code == 0
    assert page.read_bytes() == b"# A\n## X\n# B\n"


def test_a_missing_section_is_never_made(page: Path) -> None:
    done = run("md", "append", page, "Q", "--text", "x")
    assert (done.code, page.read_bytes()) == (1, TEXT)
    assert run("md", "create", page, "N", "--under", "Q").code == 1
    assert run("md", "create", page, "N").code == 2


def test_what_is_expected_must_be_there(page: Path) -> None:
    line = ["md", "replace", page, "B", "--scope", "heading", "--text", "## N"]
    assert run(*line, "--expect", "## Q").code == 3
    assert run(*line, "--expect", "## B").code == 0


def test_a_fence_that_swallows_the_rest_is_refused_and_reported(page: Path) -> None:
    done = run("md", "append", page, "B", "--text", "```")
    assert done.code == 2
    assert "swallow 1 of the headings" in done.err
    page.write_bytes(TEXT + b"```\n# x\n")
    assert "line 15 is never closed" in run("md", "outline", page).err
    assert run("md", "append", page, "C", "--text", "x").code == 2


def test_padding_is_added_and_taken_out(page: Path) -> None:
    assert (
        run("md", "append", page, "B", "--text", "new", "--pad", "--json").json["receipt"]["padding_bytes"]
        > 0
    )
    assert (page.stat().st_size - len(TEXT)) % 4096 == 0
    assert run("md", "compact", page).code == 0
    assert page.read_bytes() == TEXT.replace(b"\nb\n", b"\nb\n\nnew\n")


@pytest.mark.parametrize(
    "words", [["insert", "--text", "x"], ["move", "B"], ["move", "B", "--under", "A", "--after", "C"]]
)
def test_one_place_is_named(page: Path, words: list[str]) -> None:
    assert run("md", words[0], page, *words[1:]).code == 2
