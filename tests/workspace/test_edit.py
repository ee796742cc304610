"""``file_edit``: what it replaces, by a plain oracle on bytes, and that nothing else changes."""

from __future__ import annotations

import re
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench, check_refusal, version_in

CONTENTS = {
    "lf": b"one\ntwo\nthree\nfour\n",
    "crlf": b"one\r\ntwo\r\nthree\r\nfour\r\n",
    "cr": b"one\rtwo\rthree\rfour\r",
    "mixed": b"one\r\ntwo\nthree\r\nfour\n",
    "mark": b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\nfour\r\n",
    "latin-1": b"one \xe9t\xe9\ntwo\nthree \xfc\nfour \xe0 la carte\n" + b"d\xe9j\xe0 vu\n" * 20,
    "utf-16-le": "\ufeffone\r\ntwo\r\nthree\r\nfour\r\n".encode("utf-16-le"),
    "utf-16-be": "\ufeffone\ntwo\nthree\nfour\n".encode("utf-16-be"),
    "nuls": b"one\0\ntwo\n\0three\nfour\0\0\n",
    "broken": b"one \xff\xfe\ntwo\nthr\xc3ee three\nfour \x80\n",
    "unended": b"one\ntwo\nthree\nfour",
    "unended crlf": b"one\r\ntwo\r\nthree\r\nfour",
}


def decoded(data: bytes, text: str) -> bytes:
    """A text in the encoding of a content."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return text.encode("utf-16-le" if data.startswith(b"\xff\xfe") else "utf-16-be")
    return text.encode()


@pytest.fixture(params=sorted(CONTENTS))
def content(request: pytest.FixtureRequest) -> bytes:
    return CONTENTS[request.param]


def ending(data: bytes) -> str:
    if b"\r\n" in data or b"\r\0\n\0" in data:
        return "\r\n"
    return "\n" if b"\n" in data else "\r"


def test_text_is_replaced_and_every_other_byte_stays(bench: Bench, content: bytes) -> None:
    bench.put("file.txt", content)
    bench.done("file_edit", path="file.txt", old_text="two", new_text="2")
    assert bench.bytes("file.txt") == content.replace(decoded(content, "two"), decoded(content, "2"))


def test_text_that_is_there_already_is_no_change(bench: Bench) -> None:
    bench.put("file.txt", b"one\ntwo\n")
    answer = bench.done("file_edit", path="file.txt", old_text="two", new_text="two")
    assert "Nothing to change in file.txt" in answer.text
    answer = bench.done(
        "file_edit",
        path="file.txt",
        edits=[
            {"old_text": "one", "new_text": "one"},
            {"old_text": "two", "new_text": "2"},
        ],
    )
    assert "Made 1 change in file.txt" in answer.text and bench.bytes("file.txt") == b"one\n2\n"


def test_text_over_a_line_end_keeps_the_ending(bench: Bench, content: bytes) -> None:
    if b"\0two" in content or (b"\0th" in content and not content.startswith((b"\xff", b"\xfe"))):
        pytest.skip("a NUL stands between the lines")
    bench.put("file.txt", content)
    two, three = (
        (b"two\n", b"thr") if b"two\nthr" in content else (decoded(content, f"two{ending(content)}"), b"")
    )
    three = three or decoded(content, "thr")
    assert two + three in content
    bench.done("file_edit", path="file.txt", old_text="two\nthr", new_text="2\n3")
    lines = two.replace(decoded(content, "two"), decoded(content, "2")), decoded(content, "3")
    assert bench.bytes("file.txt") == content.replace(two + three, b"".join(lines))


@pytest.mark.parametrize("number", [1, 2, 4])
def test_lines_are_deleted_and_every_other_byte_stays(bench: Bench, content: bytes, number: int) -> None:
    bench.put("file.txt", content)
    bench.done(
        "file_edit", path="file.txt", version=bench.version("file.txt"), lines=str(number), new_text=""
    )
    mark = next((m for m in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff") if content.startswith(m)), b"")
    if b"\xff\xfe\n" in content:
        mark = b""
    lines = split(content[len(mark) :])
    assert bench.bytes("file.txt") == mark + b"".join(lines[: number - 1] + lines[number:])


def split(data: bytes) -> list[bytes]:
    """The lines of a content, with their endings."""
    if b"o\0n\0" in data or b"\0o\0n" in data:
        codec = "utf-16-le" if b"o\0n\0e\0" in data and not data.startswith(b"\0") else "utf-16-be"
        return [line.encode(codec) for line in re.findall(r"[^\n]*\n", data.decode(codec))]
    return re.findall(rb"[^\n]*\n|[^\n]+\Z" if b"\n" in data else rb"[^\r]*\r|[^\r]+\Z", data)


def test_a_replaced_line_takes_its_ending_and_the_mark_stays(bench: Bench, content: bytes) -> None:
    bench.put("file.txt", content)
    bench.done("file_edit", path="file.txt", version=bench.version("file.txt"), lines="1", new_text="ONE")
    mark = next((m for m in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff") if content.startswith(m)), b"")
    first, *others = split(content[len(mark) :])
    end = decoded(
        content, "\r\n" if decoded(content, "\r\n") in first else ending(first + b"".join(others)[-4:])
    )
    if not first.endswith(end):
        end = first[-1:]
    assert bench.bytes("file.txt") == mark + decoded(content, "ONE") + end + b"".join(others)


def test_a_line_is_inserted_at_the_top_behind_the_mark(bench: Bench, content: bytes) -> None:
    bench.put("file.txt", content)
    bench.done("file_edit", path="file.txt", insert_after=0, new_text="zero")
    found = bench.bytes("file.txt")
    mark = next((m for m in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff") if content.startswith(m)), b"")
    assert found.startswith(mark + decoded(content, "zero"))
    assert found.endswith(content[len(mark) :])
    added = found[len(mark) + len(decoded(content, "zero")) : len(found) - len(content) + len(mark)]
    assert added in {decoded(content, each) for each in ("\n", "\r\n", "\r")}


def test_lines_are_appended_behind_an_unended_one(bench: Bench) -> None:
    bench.put("file.txt", b"one\r\ntwo")
    bench.done("file_append", path="file.txt", text="three")
    assert bench.bytes("file.txt") == b"one\r\ntwo\r\nthree\r\n"


def test_an_empty_file_takes_lines(bench: Bench) -> None:
    for name, arguments in {
        "a": {"insert_after": 0, "new_text": "one"},
        "b": {"insert_before": 1, "new_text": "one"},
    }.items():
        bench.put(name, b"")
        bench.done("file_edit", path=name, **arguments)
        assert bench.bytes(name) == b"one\n"
    bench.put("c", b"")
    bench.done("file_append", path="c", text="one\ntwo")
    assert bench.bytes("c") == b"one\ntwo\n"


def test_text_that_overlaps_itself_is_ambiguous(bench: Bench) -> None:
    bench.put("file.txt", b"abab ab abab\nxaXaXax\n")
    answer = bench.refused("file_edit", path="file.txt", old_text="aXa", new_text="y")
    assert answer.refused and answer.refused.code == "ambiguous"


def test_text_in_utf_16_is_not_found_between_two_characters(bench: Bench) -> None:
    """U+0141 U+0041 U+0042 in little endian holds the bytes of U+4101 between characters."""
    data = "\ufeff\u4101\u4141\u4242 end\r\n".encode("utf-16-le")
    bench.put("file.txt", data + "x".encode("utf-16-le") * 100)
    answer = bench.refused("file_edit", path="file.txt", old_text="\u4141\u4241"[:1] * 2, new_text="y")
    assert answer.refused and answer.refused.code == "no-match"


def test_insert_before_expects_the_line_it_names(bench: Bench) -> None:
    bench.put("file.txt", b"one\ntwo\nthree\n")
    bench.done("file_edit", path="file.txt", insert_before=2, expect_text="two", new_text="1.5")
    assert bench.bytes("file.txt") == b"one\n1.5\ntwo\nthree\n"
    bench.refused("file_edit", path="file.txt", insert_before=2, expect_text="two!", new_text="x")
    bench.refused("file_edit", path="file.txt", insert_after=0, expect_text="one", new_text="x")


def test_the_nearest_of_several_texts_is_taken(bench: Bench) -> None:
    bench.put("file.txt", b"".join(b"same\n" if n % 10 == 0 else b"line\n" for n in range(1, 5_001)))
    bench.done("file_edit", path="file.txt", old_text="same", new_text="this", near_line=2_503)
    lines = bench.bytes("file.txt").split(b"\n")
    assert [number for number, line in enumerate(lines, 1) if line == b"this"] == [2_500]


def test_expected_counts(bench: Bench) -> None:
    bench.put("file.txt", b"a a a\n")
    assert "3 times" in bench.refused("file_edit", path="file.txt", old_text="a", new_text="b", expect=2).text
    bench.done("file_edit", path="file.txt", old_text="a", new_text="b", expect=3)
    bench.done("file_edit", path="file.txt", old_text="b", new_text="c", replace_all=True)
    bench.done("file_edit", path="file.txt", old_text="nowhere", new_text="c", expect="all")
    assert bench.bytes("file.txt") == b"c c c\n"


def test_what_is_looked_for_is_only_suggested(bench: Bench) -> None:
    bench.put("file.txt", "say \u201chello\u201d  now\nanother line\n".encode())
    answer = bench.refused("file_edit", path="file.txt", old_text='say "hello" now', new_text="x")
    assert "line 1 differs from it in white space, quotes or dashes only" in answer.text
    answer = bench.refused("file_edit", path="file.txt", old_text="another lime", new_text="x")
    assert answer.refused and answer.refused.data["candidates"] == ["2: another line"]


# By an oracle

texts = st.text(st.sampled_from("ab \u00e9\n"), max_size=6)
lines = st.lists(
    st.tuples(st.text(st.sampled_from("ab \u00e9"), max_size=4), st.sampled_from(["\n", "\r\n"])), max_size=8
)


class Sketch:
    """What ``file_edit`` means, on a list of lines."""

    def __init__(self, data: bytes) -> None:
        self.lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)

    def edited(self, edits: list[dict[str, Any]]) -> bytes | None:
        """The content after the edits; None where they are to be refused."""
        data, offsets = b"".join(self.lines), [0]
        for line in self.lines:
            offsets.append(offsets[-1] + len(line))
        spans: list[tuple[int, int, bytes]] = []
        for edit in edits:
            if "old_text" in edit:
                old = edit["old_text"].encode()
                found = {m.start() for m in re.finditer(rb"(?=" + re.escape(old) + rb")", data)}
                if not old or len(found) != 1:
                    return None
                start = found.pop()
                spans.append((start, start + len(old), edit["new_text"].encode()))
            else:
                first, last = edit["lines"]
                if not 1 <= first <= last <= len(self.lines):
                    return None
                spans.append((offsets[first - 1], offsets[last], b""))
        spans.sort()
        if any(after[0] < before[1] for before, after in pairwise(spans)):
            return None
        for start, stop, new in reversed(spans):
            data = data[:start] + new + data[stop:]
        return data


edits = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "old_text": st.text(st.sampled_from("ab \u00e9"), min_size=1, max_size=3),
                "new_text": st.text(st.sampled_from("ab \u00e9xyz"), max_size=6),
            }
        ),
        st.fixed_dictionaries({"lines": st.tuples(st.integers(1, 8), st.integers(1, 8))}),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=40)
@given(lines, edits)
def test_a_batch_does_what_a_sketch_on_bytes_does_or_nothing(
    content: list[tuple[str, str]], batch: list[dict[str, Any]]
) -> None:
    data = "".join(line + end for line, end in content).encode()
    expected = Sketch(data).edited(batch)
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        path = Path(folder, "file.txt")
        path.write_bytes(data)
        version = version_in(workspace.call("file_read", {"path": "file.txt"}))
        sent = [
            {**edit, "lines": "{}-{}".format(*edit["lines"])} if "lines" in edit else edit for edit in batch
        ]
        answer = workspace.call("file_edit", {"path": "file.txt", "version": version, "edits": sent})
        if expected is None:
            assert path.read_bytes() == data
            check_refusal(answer)
        else:
            assert answer.refused is None, answer.text
            assert path.read_bytes() == expected


@pytest.mark.slow
@settings(max_examples=40)
@given(lines, st.data())
def test_what_was_read_can_be_replaced_by_version_anchor_or_text(
    content: list[tuple[str, str]], draw: st.DataObject
) -> None:
    data = "".join(line + end for line, end in content).encode()
    if not content:
        return
    number = draw.draw(st.integers(1, len(content)))
    by = draw.draw(st.sampled_from(["version", "anchor", "expect_text"]))
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        path = Path(folder, "file.txt")
        path.write_bytes(data)
        answer = workspace.call("file_read", {"path": "file.txt", "lines": str(number), "prefix": "anchor"})
        known = {
            "version": lambda: version_in(answer),
            "anchor": lambda: answer.text.split("\n")[1].split("\t")[0],
            "expect_text": lambda: content[number - 1][0],
        }
        arguments = {"path": "file.txt", "lines": str(number), "new_text": "new", by: known[by]()}
        edited = workspace.call("file_edit", arguments)
        assert edited.refused is None, edited.text
        expected = [line + end for line, end in content]
        expected[number - 1] = "new" + content[number - 1][1]
        assert path.read_bytes() == "".join(expected).encode()


@pytest.mark.slow
@settings(max_examples=40)
@given(lines, st.integers(0, 8), st.text(st.sampled_from("ab\n"), min_size=1, max_size=5))
def test_inserted_lines_end_as_their_neighbour(content: list[tuple[str, str]], after: int, text: str) -> None:
    if after > len(content):
        return
    data = "".join(line + end for line, end in content).encode()
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        path = Path(folder, "file.txt")
        path.write_bytes(data)
        answer = workspace.call("file_edit", {"path": "file.txt", "insert_after": after, "new_text": text})
        assert answer.refused is None, answer.text
        end = content[max(0, after - 1)][1] if content else "\n"
        *whole, rest = text.split("\n")
        added = "".join(line + end for line in ([*whole, rest] if rest else whole))
        before = "".join(line + ending for line, ending in content[:after])
        behind = "".join(line + ending for line, ending in content[after:])
        assert path.read_bytes() == (before + added + behind).encode()


@pytest.mark.parametrize(
    "edit",
    [
        {"lines": "9-", "new_text": "x"},
        {"lines": "9-", "new_text": "x", "expect_text": "x"},
        {"lines": "9-", "new_text": "x", "anchor": "9:0000"},
        {"lines": "2-9", "new_text": "x"},
        {"insert_after": 9, "new_text": "x"},
        {"insert_before": 9, "new_text": "x"},
    ],
)
@pytest.mark.parametrize("text", [b"", b"1\n2\n", b"1\n2"])
def test_lines_behind_the_last_one_are_refused(bench: Bench, text: bytes, edit: dict[str, object]) -> None:
    bench.put("f.txt", text)
    answer = bench.refused("file_edit", path="f.txt", version=bench.version("f.txt"), **edit)
    assert answer.refused.code == "bad-span"
    assert "no line 9" in answer.text
    assert ("lines 1 to 2" if text else "file_append adds lines") in answer.text


@pytest.mark.parametrize("lines", ["9", "9-", "1-9"])
@pytest.mark.parametrize("seen", [False, True])
def test_lines_behind_the_last_one_are_not_copied(bench: Bench, lines: str, seen: bool) -> None:
    bench.put("f.txt", b"1\n2\n")
    version = {"version": bench.version("f.txt")} if seen else {}
    assert "no line 9" in bench.refused("file_copy_range", path="f.txt", lines=lines, **version).text


def test_a_text_outside_of_the_lines_that_are_named_is_said_to_be_there(bench: Bench) -> None:
    bench.put("f.txt", b"one\ntwo\n")
    answer = bench.refused("file_edit", path="f.txt", old_text="one", new_text="1", within="2-")
    assert "not in lines 2- of f.txt" in answer.text
    assert answer.refused.data["candidates"] == ["1: one"]
    answer = bench.refused("file_replace_all", path="f.txt", pattern="one", replacement="1", within="2-")
    assert "nowhere in lines 2- of f.txt" in answer.text
