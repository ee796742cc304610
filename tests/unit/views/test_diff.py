"""The diff of pending edits: its hunks, replayed, turn the old lines into the new; and it is bounded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import insitu
from insitu.core.spans import Span
from insitu.views.diff import HUNKS_MAX, LINE_BYTES_MAX, LINES_MAX

HEAD = re.compile(r"@@ byte ([\d,]+), ([\d,]+) bytes -> ([\d,]+) bytes @@")


def replayed(old: bytes, diff: str) -> bytes:
    """The old text with every hunk's old lines, found at the hunk's offset, exchanged for its new ones."""
    lines = diff.splitlines()
    assert lines[0].startswith("--- ") and lines[1].startswith("+++ ")
    out, at = b"", 0
    index = 2
    while index < len(lines):
        head = HEAD.fullmatch(lines[index])
        assert head, lines[index]
        offset = int(head[1].replace(",", ""))
        index += 1
        before: list[str] = []
        after: list[str] = []
        while index < len(lines) and not lines[index].startswith("@@"):
            sign, text = lines[index][0], lines[index][1:]
            assert sign in " +-", lines[index]
            before += [text] * (sign in " -")
            after += [text] * (sign in " +")
            index += 1
        lead = next((n for n, line in enumerate(diff_signs(lines, index)) if line != " "), 0)
        start = offset
        for _ in range(lead + 1):
            start = old.rfind(b"\n", 0, max(start, 0)) if start > 0 else -1
            if start < 0:
                break
        start += 1
        shown = "\n".join(before).encode()
        assert old[start : start + len(shown)] == shown, (old[start : start + len(shown)], shown)
        assert start >= at, "hunks overlap"
        out += old[at:start] + "\n".join(after).encode()
        at = start + len(shown)
        if before and not after and old[at : at + 1] == b"\n":
            at += 1
        if after and not before:
            out += b"\n"
    return out + old[at:]


def diff_signs(lines: list[str], stop: int) -> list[str]:
    """The signs of the hunk that ends at ``stop``."""
    start = max(index for index in range(stop) if lines[index].startswith("@@"))
    return [line[0] for line in lines[start + 1 : stop]]


def pending_diff(
    path: Path, old: bytes, edits: list[tuple[Span, bytes]], context: int = 3
) -> tuple[str, bytes]:
    path.write_bytes(old)
    with insitu.open(path) as doc:
        doc.replace_spans(edits)
        found, new = doc.diff(context), doc[:]
        doc.discard()
    assert isinstance(new, bytes)
    return found, new


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([b"alpha", b"b", b"", b"a longer line of text", b"y" * 100]), min_size=1, max_size=60
    ),
    st.lists(
        st.tuples(st.integers(0, 59), st.integers(0, 2), st.sampled_from([[], [b"NEW"], [b"N1", b"N2"]])),
        max_size=6,
    ),
)
def test_hunks_of_changed_lines_replay_to_the_new_text(tmp_path_factory, lines, changes) -> None:
    old = b"".join(line + b"\n" for line in lines)
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines) + 1)]
    edits: list[tuple[Span, bytes]] = []
    for first, count, new in sorted(changes):
        span = Span(starts[min(first, len(lines))], starts[min(first + count, len(lines))])
        if (not edits or span.start >= edits[-1][0].stop + 1) and (new or span.size):
            edits.append((span, b"".join(line + b"\n" for line in new)))
    diff, new_text = pending_diff(tmp_path_factory.getbasetemp() / "replayed", old, edits)
    if "more lines]" in diff:
        return  # cut short for people; what is left out is counted
    assert replayed(old, diff).rstrip(b"\n") == new_text.rstrip(b"\n")


def test_a_small_diff_reads_as_people_expect(tmp_path: Path) -> None:
    old = b"".join(b"line %d\n" % n for n in range(100))
    diff, _ = pending_diff(tmp_path / "file", old, [(Span(395, 397), b"FIFTY")])
    assert diff.splitlines()[2:] == [
        "@@ byte 395, 2 bytes -> 5 bytes @@",
        " line 47",
        " line 48",
        " line 49",
        "-line 50",
        "+line FIFTY",
        " line 51",
        " line 52",
        " line 53",
    ]


def test_changes_some_lines_apart_have_hunks_of_their_own(tmp_path: Path) -> None:
    old = b"".join(b"%02d\n" % n for n in range(100))
    edits = [(Span(3 * n, 3 * n + 2), b"XX") for n in (10, 30, 35, 50)]
    diff, new = pending_diff(tmp_path / "file", old, edits)
    assert diff.count("@@ byte") == 3, "30 and 35 share their context"
    assert diff.count("+XX") == 4 and replayed(old, diff) == new


def test_without_context_only_changed_lines_are_shown(tmp_path: Path) -> None:
    diff, _ = pending_diff(tmp_path / "file", b"a\nb\nc\n", [(Span(2, 3), b"B")], context=0)
    assert diff.splitlines()[3:] == ["-b", "+B"]


@pytest.mark.parametrize("new", [b"y" * 50_000_000, b"short\n" * 1_000_000, b"\0" * 100_000])
def test_a_diff_is_bounded_however_large_the_change(tmp_path: Path, new: bytes) -> None:
    old = (b"x" * 5000 + b"\n") * 1000
    diff, _ = pending_diff(tmp_path / "file", old, [(Span(10, 4_000_000), new)])
    assert len(diff) < 20 * LINES_MAX * LINE_BYTES_MAX
    assert f"+[{len(new):,} bytes]" in diff and "-[3,999,990 bytes]" in diff


def test_a_diff_shows_so_many_places_and_says_that_there_are_more(tmp_path: Path) -> None:
    old = b"line\n" * 100_000
    edits = [(Span(at, at + 1), b"L") for at in range(0, len(old), 5000)]
    diff, _ = pending_diff(tmp_path / "file", old, edits)
    assert diff.count("@@ byte") == HUNKS_MAX
    assert diff.endswith("... more places are not shown\n")


def test_bytes_that_are_no_text_are_shown_escaped(tmp_path: Path) -> None:
    diff, _ = pending_diff(tmp_path / "file", b"\x1b[31m\xff\ttab\n", [(Span(0, 0), b"\x07")])
    assert "-\\x1b[31m\\xff\ttab" in diff and "+\\x07\\x1b[31m\\xff\ttab" in diff
    assert all(character.isprintable() or character in "\n\t" for character in diff)


def test_nothing_pending_is_a_head_without_hunks(tmp_path: Path) -> None:
    diff, _ = pending_diff(tmp_path / "file", b"a\n", [])
    assert diff.count("\n") == 2


def test_where_every_line_changes_hunks_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"".join(b"%02d old\n" % number for number in range(60)))
    with insitu.open(path) as doc:
        doc.replace(b"old", b"new")
        lines = doc.diff().splitlines()
        doc.discard()
    numbers = [f"{number:02}" for number in range(60)]
    assert [line for line in lines if line[:1] == "-"][1:] == [f"-{number} old" for number in numbers]
    assert [line for line in lines if line[:1] == "+"][1:] == [f"+{number} new" for number in numbers]
    assert not [line for line in lines if line[:1] == " "], "what changes next is no context"
