"""``doc.chunks()`` over documents: what chunks know, context, kinds, memory."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

import insitu
from insitu.errors import CancelledError, LimitError, RequestError

PYTHON = b'''"""A module."""

import os
import sys

# What it does.
@decorated
def first(a, b):
    return a + b


class Second:
    """A class."""

    def one(self):
        return 1

    def two(self):
        return 2
'''


def _document(folder: Path, data: bytes, name: str = "file.md") -> insitu.Document:
    path = folder / name
    path.write_bytes(data)
    return insitu.open(path)


def test_a_chunk_knows_where_it_stands(tmp_path: Path) -> None:
    data = b"# A\n\none\n\n## B *b*\n\ntwo\n\nC\n=\n\nthree\n"
    with _document(tmp_path, data) as doc:
        chunks = list(doc.chunks(max_bytes=20))
        texts = [chunk.text() for chunk in chunks]
        hashes = [xxh3_64_hexdigest(chunk.bytes()) for chunk in chunks]
    assert [chunk.path for chunk in chunks] == [("A",), ("A", "B *b*"), ("C",)]
    assert [chunk.lines for chunk in chunks] == [(1, 4), (5, 8), (9, 12)]
    assert texts == ["# A\n\none\n\n", "## B *b*\n\ntwo\n\n", "C\n=\n\nthree\n"]
    assert [chunk.hash for chunk in chunks] == hashes


def test_pending_edits_are_seen(tmp_path: Path) -> None:
    with _document(tmp_path, b"# A\n\none\n") as doc:
        doc.append(b"\n# B\n\ntwo\n")
        assert [chunk.path for chunk in doc.chunks(max_bytes=12)] == [("A",), ("B",)]
        doc.discard()


def test_the_same_text_under_another_heading_has_another_id(tmp_path: Path) -> None:
    text = b"Same words, again and again, in both of them.\n\n"
    with _document(tmp_path, b"# A\n\n" + text * 4 + b"# B\n\n" + text * 4) as doc:
        same = [chunk for chunk in doc.chunks(max_bytes=60) if chunk.bytes() == text]
    assert len(same) > 2
    assert len({chunk.hash for chunk in same}) == 1
    assert len({(chunk.path, chunk.id) for chunk in same}) == 2
    assert len({chunk.id for chunk in same}) == 2


def test_context_is_around_a_chunk_and_no_part_of_it(tmp_path: Path) -> None:
    lines = b"".join(b"line %02d\n" % number for number in range(40))
    with _document(tmp_path, lines, "file.log") as doc:
        chunks = list(doc.chunks(max_bytes=80, overlap=20))
        assert chunks[0].before.size == chunks[-1].after.size == 0
        for chunk in chunks[1:-1]:
            assert (chunk.before.size, chunk.after.size) == (16, 16)
            assert doc.read(*_sized(chunk.before)).endswith(b"\n")
            assert chunk.text() in chunk.text(context=True)
        assert b"".join(chunk.bytes() for chunk in chunks) == lines


def _sized(span: insitu.Span) -> tuple[int, int]:
    return span.start, span.size


def test_the_header_row_is_context(tmp_path: Path) -> None:
    with _document(tmp_path, b"id,v\n" + b"1,2\n" * 30, "t.csv") as doc:
        last = list(doc.chunks(max_bytes=40))[-1]
        assert last.text(context=True) == "id,v\n" + last.text()


def test_code_is_cut_between_definitions(tmp_path: Path) -> None:
    pytest.importorskip("tree_sitter_python")
    with _document(tmp_path, PYTHON, "code.py") as doc:
        chunks = doc.chunks(max_bytes=100)
        texts = [chunk.text() for chunk in chunks]
    assert (chunks.kind, chunks.notes) == ("code", ())
    assert any(text.startswith("# What it does.\n@decorated\ndef first") for text in texts)
    assert any(text.startswith("class Second:") for text in texts)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.js", b"function a() {\n  return 1\n}\n\nclass B {\n  c() {\n    return 2\n  }\n}\n"),
        ("a.ts", b"interface A {\n  b: number\n}\n\nfunction c(): void {\n}\n"),
        ("a.tsx", b"const a = 1\n\nfunction c() {\n  return <b>x</b>\n}\n"),
        ("a.rs", b"struct A;\n\nimpl A {\n    fn b() {}\n}\n"),
        ("a.go", b"package a\n\nfunc b() int {\n\treturn 1\n}\n"),
        ("a.java", b"class A {\n  int b() {\n    return 1;\n  }\n}\n\nclass C {}\n"),
        ("a.c", b"int a(void) {\n  return 1;\n}\n\nint b(void) {\n  return 2;\n}\n"),
        ("a.cpp", b"namespace a {\nint b;\n}\n\nclass C {\n  int d;\n};\n"),
    ],
)
def test_every_language_is_parsed(tmp_path: Path, name: str, code: bytes) -> None:
    pytest.importorskip("tree_sitter")
    with _document(tmp_path, code, name) as doc:
        chunks = doc.chunks(max_bytes=25)
        assert (chunks.kind, chunks.notes) == ("code", ())
        assert b"".join(chunk.bytes() for chunk in chunks) == code
        assert len(list(chunks)) > 1


def test_code_that_does_not_parse_is_cut_by_blank_lines(tmp_path: Path) -> None:
    pytest.importorskip("tree_sitter_c")
    with _document(tmp_path, b"]] }} )) ((\n\n" * 50, "broken.c") as doc:
        chunks = doc.chunks(max_bytes=100)
        assert "does not parse" in chunks.notes[0]
        assert sum(chunk.span.size for chunk in chunks) == doc.size


def test_exact_tokens_are_within_the_budget(tmp_path: Path) -> None:
    bpe = pytest.importorskip("bpe_openai")
    count = bpe.get_encoding("o200k_base").encode_ordinary
    with _document(tmp_path, b"Some words, and 1234567890 digits.\n\n" * 60) as doc:
        for chunk in doc.chunks(max_tokens=50, tokens="o200k_base"):
            assert chunk.size == len(count(chunk.text())) <= 50


def test_wide_text_is_cut_as_text_and_says_so(tmp_path: Path) -> None:
    with _document(tmp_path, ("# H\n\nword " * 30).encode("utf-16")) as doc:
        chunks = doc.chunks(max_chars=40, kind="markdown")
        assert (chunks.kind, len(chunks.notes)) == ("text", 1)
        assert "".join(chunk.text() for chunk in chunks) == ("# H\n\nword " * 30).encode("utf-16").decode(
            "utf-16-le"
        )


REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "two budgets": ({"max_tokens": 1, "max_bytes": 1}, RequestError),
    "no budget": ({"max_tokens": 0}, RequestError),
    "no number": ({"max_bytes": True}, RequestError),
    "too large": ({"max_bytes": 1 << 30}, LimitError),
    "unknown count": ({"tokens": "abacus"}, RequestError),
    "unknown kind": ({"kind": "pdf"}, RequestError),
    "unknown language": ({"language": "klingon"}, RequestError),
    "overlap beyond the budget": ({"max_bytes": 10, "overlap": 11}, RequestError),
}


@pytest.mark.parametrize(("options", "error"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with _document(tmp_path, b"text\n") as doc, pytest.raises(error):
        doc.chunks(**options)


def test_cutting_can_be_cancelled_and_tells_its_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with _document(tmp_path, b"text\n" * 100) as doc:
        list(doc.chunks(progress=lambda done, size: told.append((done, size))))
        with pytest.raises(CancelledError):
            list(doc.chunks(cancel=lambda: True))
    assert told == [(500, 500)]


@pytest.mark.slow
@pytest.mark.parametrize("gap", [b"", b" ", b"\n"], ids=["one word", "one line", "lines"])
def test_memory_is_bounded_whatever_the_text(tmp_path: Path, gap: bytes) -> None:
    size = 6 << 20
    words = random.Random(1).randbytes(size // 2).hex().encode()
    data = gap.join(words[at : at + 40] for at in range(0, size, 40)) if gap else words
    with _document(tmp_path, data, "big.txt") as doc:
        next(iter(doc.chunks(max_bytes=1000)))
        tracemalloc.start()
        total = sum(chunk.span.size for chunk in doc.chunks(max_bytes=1000, window_bytes=64 << 10))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == doc.size
    assert peak < 4 << 20


_ONE_LINE = """
import resource, sys
import insitu

with insitu.open(sys.argv[1], "r") as doc:
    size = sum(chunk.span.size for chunk in doc.chunks(kind="text", max_bytes=4_000))
    assert size == doc.size
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_one_long_line_is_cut_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    with path.open("wb") as file:
        file.write(b"one line ")
        file.truncate(1 << 25)

    def peak_kib(*command: str) -> int:
        done = subprocess.run([sys.executable, "-c", *command], check=True, capture_output=True, text=True)
        return int(done.stdout)

    bare = peak_kib("import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    assert peak_kib(_ONE_LINE, str(path)) - bare <= 96 << 10
