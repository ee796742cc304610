"""Sections of documents: names, scopes, every verb by example, refusals, and what follows a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import insitu
from insitu.errors import AmbiguousError, ExpectationError, InsituError, NoMatchError, RequestError, TextError
from insitu.views.markdown import Markdown
from insitu.views.markdown_compact import CompactMarkdown

TEXT = """\
---
title: x
---
# A

intro

## B

b

```
# no
```

## C

c

# D

Title
-----
x
"""


@pytest.fixture
def doc(tmp_path: Path) -> Iterator[insitu.Document]:
    with opened(tmp_path, TEXT.encode()) as document:
        yield document
        document.discard()


def opened(folder: Path, data: bytes) -> insitu.Document:
    path = folder / "a.md"
    path.write_bytes(data)
    return insitu.open(path)


def test_the_outline_says_what_there_is(doc: insitu.Document) -> None:
    md = doc.markdown()
    assert [(found.level, found.title, found.line, found.address) for found in md] == [
        (1, "A", 4, "A"),
        (2, "B", 8, "A/B"),
        (2, "C", 16, "A/C"),
        (1, "D", 20, "D"),
        (2, "Title", 22, "D/Title"),
    ]
    assert [found.title for found in md.outline(level=1)] == ["A", "D"]
    assert [found.title for found in md.outline()[1:3]] == ["B", "C"]
    assert doc[slice(*md.preamble)] == b""
    assert md["C"].parent is md["A"]
    assert md["A"].parent is None
    assert md["B"].path == ("A", "B")
    assert md["B"].number == 2


def test_scopes(doc: insitu.Document) -> None:
    section = doc.markdown()["A"]
    assert section.read("heading") == "# A\n"
    assert section.read("own") == "# A\n\nintro\n\n"
    assert section.text == TEXT[TEXT.index("# A") + 4 : TEXT.index("# D")]
    assert section.read() == TEXT[TEXT.index("# A") : TEXT.index("# D")]
    with pytest.raises(RequestError):
        section.span("all")


# Verb, what of the text it replaces, and by what.
EDITS: dict[str, tuple[Callable[[Markdown], object], str, str]] = {
    "append": (lambda md: md["B"].append("new"), "```\n\n## C", "```\n\nnew\n\n## C"),
    "append to a subtree": (lambda md: md["A"].append("new"), "c\n\n# D", "c\n\nnew\n\n# D"),
    "append to own": (lambda md: md["A"].append("new", "own"), "intro\n", "intro\n\nnew\n"),
    "append at the end": (lambda md: md["D"].append("new"), "-----\nx\n", "-----\nx\n\nnew\n"),
    "append a list": (lambda md: md["C"].append("- a\n- b\n\n\n"), "c\n\n# D", "c\n\n- a\n- b\n\n# D"),
    "prepend": (lambda md: md["B"].prepend("new"), "b\n\n```", "new\n\nb\n\n```"),
    "prepend before sections": (lambda md: md["D"].prepend("new"), "Title\n", "new\n\nTitle\n"),
    "insert before": (lambda md: md["C"].insert_before("## N\n\nn"), "## C", "## N\n\nn\n\n## C"),
    "insert before setext": (lambda md: md["Title"].insert_before("n"), "Title\n", "n\n\nTitle\n"),
    "insert after": (lambda md: md["A"].insert_after("# N"), "# D", "# N\n\n# D"),
    "replace": (lambda md: md["C"].replace("new\n\n"), "c\n\n# D", "new\n\n# D"),
    "replace own": (lambda md: md["A"].replace("new", "own"), "intro", "new"),
    "replace a heading": (lambda md: md["B"].replace("## E ##", "heading"), "## B", "## E ##"),
    "replace all": (lambda md: md["C"].replace("## E\n\ne", "subtree"), "## C\n\nc", "## E\n\ne"),
    "replace by nothing": (lambda md: md["C"].replace(""), "## C\n\nc\n\n", "## C\n\n\n"),
    "delete": (lambda md: md["C"].delete(), "## C\n\nc\n\n", ""),
    "delete the last": (lambda md: md["D"].delete(), "\n# D\n\nTitle\n-----\nx\n", ""),
    "rename": (lambda md: md["C"].rename("Sea *1*"), "## C", "## Sea *1*"),
    "rename setext": (lambda md: md["Title"].rename("Other"), "Title\n-----", "Other\n-----"),
    "demote": (lambda md: md["C"].demote(2), "## C", "#### C"),
    "promote setext": (lambda md: md["Title"].promote(), "-----", "====="),
    "demote setext": (lambda md: md["Title"].demote(), "Title\n-----", "### Title"),
    "move before": (lambda md: md["C"].move(before="B"), TEXT[TEXT.index("## B") : TEXT.index("# D")],
                    "## C\n\nc\n\n" + TEXT[TEXT.index("## B") : TEXT.index("## C")]),
    "move after": (lambda md: md["B"].move(after="C"), TEXT[TEXT.index("## B") : TEXT.index("# D")],
                   "## C\n\nc\n\n" + TEXT[TEXT.index("## B") : TEXT.index("## C")]),
    "move under": (lambda md: md["C"].move(under="B"), "## C", "### C"),
    "move nowhere": (lambda md: md["C"].move(after="B"), "## C", "## C"),
    "create": (lambda md: md.create("N", under="C", text="n"), "c\n\n# D", "c\n\n### N\n\nn\n\n# D"),
    "create at the top": (lambda md: md.create("N", under=None), "-----\nx\n", "-----\nx\n\n# N\n"),
    "create at the end": (lambda md: md.create("N", under="D"), "-----\nx\n", "-----\nx\n\n## N\n"),
    "set a key": (lambda md: md.front.set("title", "y z"), "title: x", "title: y z"),
    "add a key": (lambda md: md.front.set("k", "1"), "title: x\n", "title: x\nk: 1\n"),
    "set front matter": (lambda md: setattr(md, "front_matter", "a: b"), "title: x\n", "a: b\n"),
    "remove front matter": (lambda md: setattr(md, "front_matter", None), "---\ntitle: x\n---\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_verbs(tmp_path: Path, name: str, newline: bytes) -> None:
    verb, old, new = EDITS[name]
    assert TEXT.count(old) == 1
    with opened(tmp_path, TEXT.encode().replace(b"\n", newline)) as doc:
        md = doc.markdown()
        verb(md)
        assert doc[:] == TEXT.replace(old, new).encode().replace(b"\n", newline)
        assert [found.line for found in md] == [found.line for found in doc.markdown()]
        doc.undo()
        assert doc[:] == TEXT.encode().replace(b"\n", newline)
        assert [found.title for found in md] == ["A", "B", "C", "D", "Title"]


REFUSED: dict[str, tuple[Callable[[Markdown], object], type[InsituError], str]] = {
    "open fence": (lambda md: md["B"].append("```\nx"), RequestError, "swallow 3 of the headings"),
    "open html": (lambda md: md["B"].append("<!-- x"), RequestError, "an HTML block open"),
    "a heading too high": (lambda md: md["B"].append("## x"), RequestError, "level 2"),
    "a sibling too high": (lambda md: md["C"].insert_before("# x"), RequestError, "level 1"),
    "no heading": (lambda md: md["B"].replace("x", "heading"), RequestError, "not one heading"),
    "nothing": (lambda md: md["B"].append("\n\n"), RequestError, "no text"),
    "too high": (lambda md: md["A"].promote(), RequestError, "level 0"),
    "too deep": (lambda md: md["A"].demote(5), RequestError, "level 7"),
    "into itself": (lambda md: md["A"].move(under="B"), RequestError, "into itself"),
    "nowhere": (lambda md: md["A"].move(), RequestError, "one of"),
    "title of two lines": (lambda md: md["A"].rename("a\nb"), RequestError, "title"),
    "title that closes": (lambda md: md["A"].rename("a #"), RequestError, "title"),
    "title that is a list": (lambda md: md["Title"].rename("- a"), RequestError, "sections"),
    "a second": (lambda md: md.create("b", under="A"), ExpectationError, "already"),
    "missing": (lambda md: md["X"], NoMatchError, "no section"),
    "missing parent": (lambda md: md.create("x", under="X"), NoMatchError, "no section"),
    "other level": (lambda md: md.section("A", level=2), NoMatchError, "no section"),
    "no ordinal": (lambda md: md["A[2]"], NoMatchError, "no section"),
    "no name": (lambda md: md[""], RequestError, "names no section"),
    "front matter that ends": (lambda md: setattr(md, "front_matter", "a\n---\nb"), RequestError, "ends"),
    "no key": (lambda md: md.front.get("k"), NoMatchError, "no key"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_change_nothing(doc: insitu.Document, name: str) -> None:
    verb, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        verb(doc.markdown())
    assert not doc.changed


def test_names_that_fit_several_are_refused_with_addresses_of_each(tmp_path: Path) -> None:
    text = b"# A\n## x/y\n# B\n## X/Y\n## x/y\n## Last [1]\n#\n"
    with opened(tmp_path, text) as doc:
        md = doc.markdown()
        with pytest.raises(AmbiguousError) as caught:
            md["x\\/y"]
        candidates = caught.value.facts["candidates"]
        assert candidates == ["A/x\\/y", "B/X\\/Y[1]", "B/x\\/y[2]"]
        assert [md[address].line for address in candidates] == [2, 4, 5]
        assert md["x\\/y[3]"].line == 5
        assert md[["B", "x/y"][:1]].title == "B"
        assert [found.slug for found in md] == ["a", "xy", "b", "xy-1", "xy-2", "last-1", ""]
        assert md["#xy-2"].line == 5
        assert md["Last \\[1]"].line == 6
        assert md[md.outline()[6].address].line == 7
        with pytest.raises(NoMatchError) as missing:
            md["B/lost"]
        assert missing.value.facts["candidates"] == ["B/Last \\[1]"]


def test_ids_stay_while_sections_move(doc: insitu.Document) -> None:
    md = doc.markdown()
    section = md["C"]
    known = section.id
    md["A"].prepend("much more")
    assert section.id != known
    assert md[known] is section


def test_sections_follow_edits_and_know_when_they_are_gone(doc: insitu.Document) -> None:
    md = doc.markdown()
    first, last = md["B"], md["Title"]
    first.insert_before("## New")
    doc.insert(0, b"\xef\xbb\xbf")
    assert (first.title, first.number, last.title) == ("B", 3, "Title")
    first.delete()
    assert last.title == "Title"
    with pytest.raises(NoMatchError, match="no longer"):
        _ = first.title


def test_the_outline_survives_our_commits_and_is_made_anew_after_others(tmp_path: Path) -> None:
    with opened(tmp_path, TEXT.encode()) as doc:
        md = doc.markdown()
        section = md["C"]
        section.append("more")
        doc.commit()
        assert section.text == "\nc\n\nmore\n\n"
        md["A"].append("and more")
        doc.commit()
        assert [found.line for found in md] == [found.line for found in doc.markdown()]


def test_an_unclosed_fence_is_told_and_nothing_is_put_behind_it(tmp_path: Path) -> None:
    with opened(tmp_path, b"---\na: b\n---\n# A\n\n~~~ x\n# B\n") as doc:
        md = doc.markdown()
        assert md.unclosed_fence == 6
        with pytest.raises(RequestError, match="line 6 is never closed"):
            md["A"].append("x")
        doc.append(b"~~~\n")
        assert md.unclosed_fence is None
        md["A"].append("x")
        doc.discard()


def test_padding_makes_the_size_change_by_blocks_and_compacting_takes_it_out(tmp_path: Path) -> None:
    with opened(tmp_path, TEXT.encode()) as doc:
        md = doc.markdown()
        md["B"].append("new", padding=True)
        growth = doc.size - len(TEXT)
        assert growth > 0
        assert growth % 4096 == 0
        assert md["C"].line == doc.markdown()["C"].line
        assert md["B"].text.strip().endswith("new")
        assert doc.make(CompactMarkdown()) == 1
        assert doc[:] == TEXT.replace("```\n\n## C", "```\n\nnew\n\n## C").encode()
        doc.discard()


@pytest.mark.parametrize("text", ["```\nx\n```\n\n    code", "- a", "x"])
def test_padding_is_refused_where_it_is_not_certain(tmp_path: Path, text: str) -> None:
    with opened(tmp_path, b"# A\r\n\r\nx\r\n") as doc:
        with pytest.raises(RequestError, match="Blank lines"):
            doc.markdown()["A"].append(text, padding=True)
        assert not doc.changed


COMPACT = {
    b"a\n\n\n\nb\n": b"a\n\nb\n",
    b"a\n\n\nb\n": b"a\n\n\nb\n",
    b"a\n\n\n\n\n": b"a\n",
    b"```\n\n\n\n\nb\n```\n": b"```\n\n\n\n\nb\n```\n",
    b"    a\n\n\n\n\n    b\n": b"    a\n\n\n\n\n    b\n",
    b"- a\n\n\n\n\n  b\n\n\n\n\nc\n": b"- a\n\n\n\n\n  b\n\nc\n",
    b"<pre>\n\n\n\n\n</pre>\n": b"<pre>\n\n\n\n\n</pre>\n",
    b"```\nx\n\n\n\n\n": b"```\nx\n\n\n\n\n",
    b"# a\n" + b"\n" * 9000 + b"# b\n": b"# a\n\n# b\n",
}


@pytest.mark.parametrize("data", COMPACT, ids=range(len(COMPACT)))
def test_compacting(tmp_path: Path, data: bytes) -> None:
    with opened(tmp_path, data) as doc:
        doc.make(CompactMarkdown())
        assert doc[:] == COMPACT[data]
        doc.discard()


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"# A \xff\n\n\xfe\n\n# B\n")
    with insitu.open(path, encoding="utf-8") as doc:
        section = doc.markdown().outline()[0]
        section.replace(section.text.strip() + "\n\nx")
        assert doc[:] == b"# A \xff\n\n\xfe\n\nx\n\n# B\n"
        doc.discard()


def test_encodings_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path, "\ufeff# A\n".encode("utf-16-le")) as doc, pytest.raises(TextError):
        doc.markdown()


def test_text_is_written_in_the_encoding_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes("# \u00c4\n\n\u00f6\n".encode("latin-1"))
    with insitu.open(path, encoding="latin-1") as doc:
        section = doc.markdown()["\u00e4"]
        section.append("\u00fc")
        assert doc[:] == "# \u00c4\n\n\u00f6\n\n\u00fc\n".encode("latin-1")
        with pytest.raises(TextError):
            section.append("\u4e00")
        doc.discard()


def test_a_title_as_it_stands_is_answered_with_its_address(tmp_path: Path) -> None:
    with opened(tmp_path, b"# A/B\n\n# C[2]\n") as doc:
        for title, address in (("a/b", "A\\/B"), ("C[2]", "C\\[2]")):
            with pytest.raises(NoMatchError) as caught:
                doc.markdown()[title]
            assert caught.value.facts["candidates"] == [address]
            assert doc.markdown()[address].title
