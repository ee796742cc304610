"""The exact scanner: a table of rules that regular expressions get wrong, and markdown-it-py beside it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from insitu.formats.markdown_blocks import CLEAN, DEPTH_MAX, BlockScanner
from insitu.formats.markdown_lines import LINE_BYTES
from tests.unit.formats.markdown_pieces import PIECES

# Each document with the (level, first line) of the headings that stand in no container.
CASES = {
    "levels": ("# a\n## b\n###### c\n", [(1, 0), (2, 1), (6, 2)]),
    "seven are text": ("####### a\n", []),
    "a blank is needed": ("#a\n\n#\tb\n", [(1, 2)]),
    "escaped": ("\\# a\n", []),
    "empty": ("#\n## ##\n", [(1, 0), (2, 1)]),
    "indented by three": ("   # a\n", [(1, 0)]),
    "indented by four": ("    # a\n", []),
    "indented by a tab": ("\t# a\n", []),
    "four columns go on a paragraph": ("a\n    # b\n", []),
    "interrupts a paragraph": ("a\n# b\nc\n", [(1, 1)]),
    "setext": ("a\n===\nb\n-\n", [(1, 0), (2, 2)]),
    "setext of many lines": ("a\nb\n  c\n---  \n", [(2, 0)]),
    "no setext behind a blank line": ("a\n\n---\n", []),
    "no setext with blanks inside": ("a\n= =\n", []),
    "no setext over a heading": ("# a\n---\n", [(1, 0)]),
    "no setext over code": ("    a\n---\n", []),
    "no setext over a list": ("- a\n---\n", []),
    "no setext by a lazy line": ("> a\n===\n", []),
    "no setext over definitions": ("[a]: /b\n===\n", []),
    "text behind definitions": ("[a]: /b\nc\n===\n", [(1, 1)]),
    "a definition of three lines": ("[a]:\n/b\n'c'\n===\n", []),
    "a title that comes to nothing": ("[a]: /b\n'c' d\n===\n", [(1, 1)]),
    "a title never closed": ("[a]: /b\n'c\nd\n===\n", [(1, 1)]),
    "no definition without a target": ("[a]:\n\n[b]: <c\n===\n", [(1, 2)]),
    "unbalanced target": ("[a]: b(c\n===\n", [(1, 0)]),
    "label of nothing": ("[ ]: b\n===\n", [(1, 0)]),
    "label too long": (f"[{'a' * 1000}]: b\n===\n", [(1, 0)]),
    "fence": ("```\n# a\n```\n# b\n", [(1, 3)]),
    "closed by as many": ("````\n```\n# a\n`````\n# b\n", [(1, 4)]),
    "closed by the same": ("~~~\n```\n# a\n~~~\n# b\n", [(1, 4)]),
    "closed without info": ("```\n```x\n# a\n```\n# b\n", [(1, 4)]),
    "closed by three columns": ("```\n   ```\n# b\n", [(1, 2)]),
    "not closed by four": ("```\n    ```\n# b\n", []),
    "never closed": ("```\n# a\n", []),
    "no backtick in the info": ("``` a`b\n# a\n", [(1, 1)]),
    "tildes may": ("~~~ a`b~\n# a\n", []),
    "fence ends with its container": ("> ```\n# a\n", [(1, 1)]),
    "html 1": ("<pre>\n# a\n\n# b</pre>\n# c\n", [(1, 4)]),
    "html 1 ends by another tag": ("<script>\n# a\n</STYLE> x\n# c\n", [(1, 3)]),
    "html 2": ("<!-- a\n\n# b\n-->\n# c\n", [(1, 4)]),
    "html 2 on one line": ("<!-- a -->\n# c\n", [(1, 1)]),
    "html 3": ("<?a\n\n# b ?>\n# c\n", [(1, 3)]),
    "html 4": ("<!A\n# b\n>\n# c\n", [(1, 3)]),
    "html 5": ("<![CDATA[\n# b\n]]>\n# c\n", [(1, 3)]),
    "html 6": ("<div\n# a\n\n# b\n", [(1, 3)]),
    "html 6 interrupts": ("a\n</h2>\n# a\n", []),
    "html 7": ("<a b='c'>\n# a\n\n# b\n", [(1, 3)]),
    "html 7 does not interrupt": ("a\n<a>\n# b\n", [(1, 2)]),
    "html 7 is the whole line": ("<a> b\n# c\n", [(1, 1)]),
    "in a quote": ("> # a\n# b\n", [(1, 1)]),
    "in an item": ("- # a\n- b\n  ===\n# c\n", [(1, 3)]),
    "in an item, by its column": ("10. a\n\n    # b\n\n   # c\n", [(1, 4)]),
    "behind an empty item": ("-\n\n  # a\n", [(1, 2)]),
    "in an item, by a tab": ("-\ta\n\n\t# b\n", []),
    "fence in an item": ("- ```\n  # a\n  ```\n  # b\n# c\n", [(1, 4)]),
    "lazy line": ("> a\nb\n# c\n", [(1, 2)]),
    "a number but 1 interrupts nothing": ("a\n2. # b\n===\n", [(1, 0)]),
    "an empty item interrupts nothing": ("a\n*\n===\n", [(1, 0)]),
    "thematic break, no item": ("* * *\n  # a\n", [(1, 1)]),
    "carriage returns": ("# a\rb\r===\r\r## c\r", [(1, 0), (1, 1), (2, 4)]),
    "both": ("# a\r\nb\r\n===\r\n", [(1, 0), (1, 1)]),
    "not others": ("a\v# b\f# c\u2028# d\n", []),
    "no bytes": ("", []),
}


def line_starts(data: bytes) -> list[int]:
    """Where lines start, by the plainest rule."""
    return [0, *(found.end() for found in re.finditer(rb"\r\n?|\n", data))]


def headings(data: bytes, cuts: list[int] | None = None) -> list[tuple[int, int, int]]:
    """(level, first line, line behind the last) of each heading, fed in pieces."""
    scanner = BlockScanner()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    found = []
    for start, stop in pairwise(bounds):
        found += scanner.feed(data[start:stop])
    found += scanner.close()
    starts = [*line_starts(data), len(data)]
    return [(heading.level, starts.index(heading.start), starts.index(heading.stop)) for heading in found]


def expected(text: str) -> list[tuple[int, int, int]]:
    """The same by markdown-it-py."""
    tokens = MarkdownIt("commonmark", {"maxNesting": 100}).disable("inline").parse(text)
    heads = [token for token in tokens if token.type == "heading_open" and token.level == 0]
    return [(int(token.tag[1]), token.map[0], token.map[1]) for token in heads if token.map]


@pytest.mark.parametrize("name", CASES)
def test_rules(name: str) -> None:
    text, wanted = CASES[name]
    assert [found[:2] for found in headings(text.encode())] == wanted


# Known to differ: markdown-it-py has no limit for labels.
DIFFERENT = {"label too long"}


@pytest.mark.parametrize("name", sorted(CASES.keys() - DIFFERENT))
def test_the_table_is_what_markdown_it_says(name: str) -> None:
    text, wanted = CASES[name]
    assert [found[:2] for found in expected(text)] == wanted


@pytest.mark.parametrize("name", CASES)
def test_pieces_do_not_matter(name: str) -> None:
    data = CASES[name][0].encode()
    whole = headings(data)
    assert headings(data, list(range(len(data)))) == whole


DOCUMENTS = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


@pytest.mark.slow
@given(DOCUMENTS, st.lists(st.integers(0, 60), max_size=4))
def test_documents_are_read_as_markdown_it_reads_them(text: str, cuts: list[int]) -> None:
    assert headings(text.encode(), cuts) == expected(text)


@pytest.mark.slow
@given(st.data())
def test_mutated_cases_are_read_as_markdown_it_reads_them(data: st.DataObject) -> None:
    texts = [text for text, _ in CASES.values() if "]:" not in text and "\v" not in text]
    text = "\n".join(data.draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3)))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + cut :]
    assert headings(text.encode()) == expected(text)


@pytest.mark.slow
@given(DOCUMENTS)
def test_a_scan_goes_on_from_any_state(text: str) -> None:
    data = text.encode()
    scanner = BlockScanner()
    whole = [*scanner.feed(data), *scanner.close()]
    for start in line_starts(data):
        first = BlockScanner()
        before = [*first.feed(data[:start]), *first.close()]
        assert hash(first.state) is not None
        second = BlockScanner(first.state, start)
        assert [*before, *second.feed(data[start:]), *second.close()] == whole


def test_the_state_stays_small() -> None:
    scanner = BlockScanner()
    list(scanner.feed(b"> " * 10_000 + b"a\n" + b"- " * 10_000 + b"```" + b"`" * 100_000 + b"\n"))
    assert len(scanner.state.containers) <= DEPTH_MAX
    assert len(repr(scanner.state)) < 1024


FAR = LINE_BYTES + 10

LONG = {
    "atx": (b"# " + b"a" * FAR + b"\n# b\n", [1, 1]),
    "underline": (b"a\n" + b"=" * FAR + b" \n", [1]),
    "no underline": (b"a\n" + b"=" * FAR + b"x\n", []),
    "thematic break": (b"a\n" + b"- " * FAR + b"\n===\n", []),
    "fence": (b"```" + b"x" * FAR + b"\n# a\n```\n# b\n", [1]),
    "no fence": (b"```" + b"x" * FAR + b"`\n# a\n", [1]),
    "end of a fence": (b"```\n# a\n```" + b" " * FAR + b"\n# b\n", [1]),
    "no end of a fence": (b"```\n# a\n```" + b" " * FAR + b"x\n# b\n", []),
    "end of html": (b"<pre>\n# a\n" + b"x" * FAR + b"</pre>\n# b\n", [1]),
    "end of html over the bound": (b"<!--\n" + b"x" * (LINE_BYTES - 1) + b"-->\n# b\n", [1]),
    "blank line": (b"<div>\n# a\n" + b" " * FAR + b"\n# b\n", [1]),
    "paragraph": (b"a" * FAR + b"\n===\n", [1]),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("piece", [LINE_BYTES, 4097])
def test_long_lines(name: str, piece: int) -> None:
    data, levels = LONG[name]
    found = headings(data, list(range(0, len(data), piece)))
    assert [level for level, _, _ in found] == levels


def test_nothing_is_open_behind_a_heading() -> None:
    for text in (b"- a\n# b\n", b"> a\n\nb\n===\n", b"1. ```\n# x\n"):
        scanner = BlockScanner()
        assert list(scanner.feed(text))
        assert scanner.state == CLEAN
