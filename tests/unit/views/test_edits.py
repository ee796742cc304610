"""Edits from JSON lines and unified diffs; diffs of other programs apply byte for byte, or not at all."""

from __future__ import annotations

import contextlib
import difflib
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import insitu
from insitu.errors import ExpectationError, InsituError, RequestError, TextError
from insitu.views.edits import Edit, parse_edits

LINE = st.sampled_from(
    [b"a", b"b", b"c", b"", b"-x", b"+y", b" z", b"@@ -1 +1 @@", b"--- w", b"d\r", b"\xc3\xa9\x00"]
)
FILE = st.builds(
    lambda lines, end: b"".join(line + b"\n" for line in lines) + end,
    st.lists(LINE, max_size=25),
    st.sampled_from([b"", b"", b"last", b"\r"]),
)


def lines_of(data: bytes) -> list[bytes]:
    return [line for line in data.splitlines(keepends=True)] if b"\r" not in data else _cut(data)


def _cut(data: bytes) -> list[bytes]:
    """Lines as diff counts them: a carriage return ends none."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]


def diffed(old: bytes, new: bytes, context: int = 3) -> bytes:
    """A unified diff by difflib, with the marker that it leaves out."""
    out = []
    pieces = difflib.diff_bytes(difflib.unified_diff, lines_of(old), lines_of(new), b"a", b"b", n=context)
    for line in pieces:
        out.append(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n")
    return b"".join(out)


def applied(path: Path, old: bytes, diff: bytes) -> bytes:
    path.write_bytes(old)
    insitu.apply(path, parse_edits(diff), policy=insitu.Policy(history=0))
    return path.read_bytes()


@pytest.mark.slow
@settings(max_examples=200)
@given(FILE, FILE, st.sampled_from([3, 3, 0, 1]))
def test_a_diff_by_difflib_gives_the_new_file(tmp_path_factory, old, new, context) -> None:
    path = tmp_path_factory.getbasetemp() / "diffed"
    diff = diffed(old, new, context)
    assert applied(path, old, diff) == new
    if diff and context == 3:
        preview = insitu.preview_apply(path.with_name("diffed"), [])
        assert preview.splices == 0


PAIRS = {
    "in the middle": (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
    "at the start": (b"1\n2\n3\n", b"0\n1\n2\n3\n"),
    "at the end": (b"1\n2\n3\n", b"1\n2\n3\n4\n"),
    "from empty": (b"", b"1\n2\n"),
    "to empty": (b"1\n2\n", b""),
    "no newline before": (b"1\n2", b"1\n2\n"),
    "no newline after": (b"1\n2\n", b"1\n2"),
    "no newline on both sides": (b"1\n2", b"1\n3"),
    "no newline, changed above": (b"1\n2", b"one\n2"),
    "CRLF": (b"1\r\n2\r\n3\r\n", b"1\r\ntwo\r\n3\r\n"),
    "to CRLF": (b"1\n2\n", b"1\r\n2\r\n"),
    "carriage returns inside": (b"a\rb\nc\rd\n", b"a\rB\nc\rd\ne\rf\n"),
    "lines like a diff": (b"-- x\n++ y\n@@ -1 +1 @@\n", b"-- x\n-- z\n@@ -1 +1 @@\n"),
    "empty lines": (b"\n\n\nx\n\n\n", b"\n\n\ny\n\n\n\n"),
    "several hunks": (b"x\n" * 40, b"y\n" + b"x\n" * 20 + b"z\n" + b"x\n" * 18),
}


@pytest.mark.skipif(shutil.which("diff") is None, reason="needs diff")
@pytest.mark.parametrize("options", [["-u"], ["-U0"], ["-U1"]], ids=" ".join)
@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS)
def test_a_diff_by_diff_gives_the_new_file(
    tmp_path: Path, old: bytes, new: bytes, options: list[str]
) -> None:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    command = ["diff", "--text", *options, "old", "new"]
    diff = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
    assert diff
    assert applied(tmp_path / "target", old, diff) == new
    assert applied(tmp_path / "target", old, diff.split(b"\n", 2)[2]) == new, "without its head"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_diff_by_git_gives_the_new_file(tmp_path: Path) -> None:
    rng = random.Random(3)
    old = b"".join(b"line %d\n" % rng.randrange(50) for _ in range(300))
    new = b"".join(line for line in old.splitlines(True) if rng.random() < 0.9) + b"end"
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    command = ["git", "diff", "--no-index", "old", "new"]
    diff = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
    assert diff.startswith(b"diff --git")
    assert applied(tmp_path / "target", old, diff) == new


@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS)
def test_a_stale_diff_is_refused_and_nothing_changes(tmp_path: Path, old: bytes, new: bytes) -> None:
    diff = diffed(old, new)
    for other in (
        b"Other\n" + old,
        old.replace(b"2", b"Z"),
        old.replace(b"x", b"X"),
        old.replace(b"a", b"A"),
    ):
        if other == old:
            continue
        if old == b"" and other == b"Other\n":
            continue  # its insertion before line 1 fits any file
        path = tmp_path / "target"
        path.write_bytes(other)
        with pytest.raises(InsituError) as caught:
            insitu.apply(path, parse_edits(diff))
        assert caught.value.code in ("expectation-failed", "bad-span")
        assert path.read_bytes() == other


def test_kept_lines_around_an_insertion_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "target"
    path.write_bytes(b"1\n2\n3\n")
    with pytest.raises(ExpectationError):
        insitu.apply(path, parse_edits(b"@@ -1,2 +1,3 @@\n 1\n+new\n two\n"))
    assert path.read_bytes() == b"1\n2\n3\n"
    receipt = insitu.apply(path, parse_edits(b"@@ -1,2 +1,3 @@\n 1\n+new\n 2\n"))
    assert receipt.splices == 1, "lines that are only checked are not written"
    assert path.read_bytes() == b"1\nnew\n2\n3\n"


def test_an_empty_kept_line_may_have_lost_its_blank(tmp_path: Path) -> None:
    path = tmp_path / "target"
    assert (
        applied(path, b"1\n\n3\n4\n", b"@@ -1,4 +1,4 @@\n-1\n+one\n\n 3\n-4\n+four\n") == b"one\n\n3\nfour\n"
    )


@pytest.mark.parametrize(
    "diff",
    [
        b"--- a\n+++ b\n@@ -1,3 +1,3 @@\n-1\n+one\n",
        b"--- a\n+++ b\n@@ -1,2 +1,2 @@\n-1\n+one\nnonsense\n 2\n",
        b"--- a\n+++ b\n@@ -1 +1 @@\n-1\n-2\n+one\n",
        b"--- a\n+++ b\n@@ -1 +1 @@\n-1\n+one\n--- c\n+++ d\n@@ -1 +1 @@\n-1\n+one\n",
    ],
    ids=["cut short", "damaged", "too long", "two files"],
)
def test_a_damaged_diff_is_refused(diff: bytes) -> None:
    with pytest.raises(RequestError):
        parse_edits(diff)


def test_json_lines_name_places_and_bytes() -> None:
    text = (
        '{"bytes": "3:5", "text": "caf\\u00e9"}\n'
        '\n{"bytes": [0, 2], "hex": "ff00", "expect": "ab"}\n'
        '{"lines": "2-3"}\n{"lines": [4, 3], "text": "x\\n"}\n{"lines": "7"}\n'
        '{"match": "old", "text": "new"}\n'
    )
    expected = [
        Edit(bytes=(3, 5), new="caf\xe9"),
        Edit(bytes=(0, 2), new=b"\xff\0", expect="ab"),
        Edit(lines=(2, 3), new=""),
        Edit(lines=(4, 3), new="x\n"),
        Edit(lines=(7, 7), new=""),
        Edit(match="old", new="new"),
    ]
    assert parse_edits(text) == expected == parse_edits(text.encode())
    assert parse_edits("") == []


@pytest.mark.parametrize("codec", ["latin-1", "cp1252", "utf-16-le", "utf-8"])
def test_texts_are_in_the_encoding_of_the_file(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "f"
    path.write_bytes("gr\xfc\xdfe\ncaf\xe9\n".encode(codec))
    edits = [Edit(match="f\xe9", new="f\xea"), Edit(lines=(1, 1), new="\xe9\n", expect="gr\xfc\xdfe\n")]
    insitu.apply(path, edits, encoding=codec)
    assert path.read_bytes() == "\xe9\ncaf\xea\n".encode(codec)
    if codec != "utf-8":
        path.write_bytes("a\n".encode("latin-1"))
        with pytest.raises(TextError, match="U\\+20AC"):
            insitu.apply(path, parse_edits('{"match": "a", "text": "\u20ac"}'), encoding="latin-1")


def test_a_diff_may_show_the_byte_order_mark_in_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    kept = b"--- a\n+++ b\n@@ -1,2 +1,2 @@\n \xef\xbb\xbfone\n-two\n+2\n"
    changed = b"--- a\n+++ b\n@@ -1,2 +1,3 @@\n-\xef\xbb\xbfone\n+\xef\xbb\xbfzero\n+1\n 2\n"
    removed = b"--- a\n+++ b\n@@ -1 +1 @@\n-\xef\xbb\xbfzero\n+zero\n"
    for diff, after in (
        (kept, b"\xef\xbb\xbfone\n2\n"),
        (changed, b"\xef\xbb\xbfzero\n1\n2\n"),
        (removed, b"zero\n1\n2\n"),
    ):
        insitu.apply(path, parse_edits(diff))
        assert path.read_bytes() == after


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[1, 2]",
        "{}",
        '{"bytes": "1:2", "match": "x"}',
        '{"bytes": "x:y"}',
        '{"bytes": [1]}',
        '{"bytes": 5}',
        '{"match": null}',
        '{"match": "x", "hex": "0"}',
        '{"match": "x", "txt": "y"}',
        '{"match": "x", "text": 5}',
    ],
)
def test_a_json_line_that_is_no_edit_is_named(line: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_edits('{"match": "x"}\n' + line + "\n")
    if line not in ("{}", '{"bytes": "1:2", "match": "x"}'):
        assert "Line 2" in str(caught.value)


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_text_is_edits_or_a_request_error(text: str) -> None:
    for head in ("", "--- a\n+++ b\n", "@@ -1,2 +1 @@\n", '{"bytes": "'):
        with contextlib.suppress(RequestError):
            assert isinstance(parse_edits(head + text), list)
