"""Edits of files that others change meanwhile: rebased and said so, found again, or refused."""

from __future__ import annotations

import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench

LINES = b"".join(b"line %d\n" % number for number in range(1, 101))


def seen(bench: Bench) -> str:
    bench.put("f.txt", LINES)
    return bench.version("f.txt")


def change(bench: Bench, old: bytes, new: bytes, *, foreign: bool) -> None:
    """Somebody else's edit: through insitu, or in place, or not."""
    if foreign:
        bench.put("f.txt", bench.bytes("f.txt").replace(old, new, 1))
    else:
        with Workspace(str(bench.root)) as other:
            answer = other.call(
                "file_edit", {"path": "f.txt", "old_text": old.decode(), "new_text": new.decode()}
            )
            assert answer.refused is None, answer.text


@pytest.mark.parametrize("foreign", [True, False])
def test_a_change_elsewhere_is_rebased_over_and_said_so(bench: Bench, foreign: bool) -> None:
    version = seen(bench)
    change(bench, b"line 9\n", b"LINE NINE\n", foreign=foreign)
    answer = bench.done("file_edit", path="f.txt", version=version, lines="5", new_text="five")
    assert "rebased" in answer.text
    assert bench.bytes("f.txt") == LINES.replace(b"line 9\n", b"LINE NINE\n").replace(b"line 5\n", b"five\n")


@pytest.mark.parametrize("foreign", [True, False])
@pytest.mark.parametrize(("old", "new"), [(b"line 2\n", b"line 2\nnew\nnew\n"), (b"line 1\nline 2\n", b"")])
def test_lines_that_moved_are_found_again(bench: Bench, foreign: bool, old: bytes, new: bytes) -> None:
    version = seen(bench)
    change(bench, old, new, foreign=foreign)
    answer = bench.done("file_edit", path="f.txt", version=version, lines="5-6", new_text="five\nsix")
    assert "moved here from line 5" in answer.text
    assert bench.bytes("f.txt") == LINES.replace(old, new, 1).replace(b"line 5\nline 6\n", b"five\nsix\n")


def test_the_last_line_is_found_again_where_lines_were_deleted(bench: Bench) -> None:
    bench.put("f.txt", b"a\nb\nc\n")
    version = bench.version("f.txt")
    bench.put("f.txt", b"b\nc\n")
    bench.done("file_edit", path="f.txt", version=version, lines="3", new_text="C")
    assert bench.bytes("f.txt") == b"b\nC\n"


@pytest.mark.parametrize("foreign", [True, False])
def test_a_changed_line_is_refused_with_what_it_holds(bench: Bench, foreign: bool) -> None:
    version = seen(bench)
    change(bench, b"line 5\n", b"other\n", foreign=foreign)
    answer = bench.refused("file_edit", path="f.txt", version=version, lines="5", new_text="five")
    assert answer.refused and answer.refused.code == "stale"
    assert "5\tother" in answer.text


def test_a_version_whose_lines_are_not_known_is_refused(bench: Bench) -> None:
    seen(bench)
    answer = bench.refused("file_edit", path="f.txt", version="aaaaaaaa", lines="5", new_text="five")
    assert answer.refused and answer.refused.code == "stale"
    assert "not known" in answer.text and "5\tline 5" in answer.text


def test_nothing_known_is_refused_with_the_lines(bench: Bench) -> None:
    seen(bench)
    assert "5\tline 5" in bench.refused("file_edit", path="f.txt", lines="5", new_text="five").text


def test_expected_text_is_found_where_it_moved(bench: Bench) -> None:
    bench.put("f.txt", b"new\nnew\n" + LINES)
    bench.done("file_edit", path="f.txt", lines="5", expect_text="line 5\n", new_text="five")
    assert bench.bytes("f.txt") == b"new\nnew\n" + LINES.replace(b"line 5\n", b"five\n")


def test_an_anchor_answers_for_its_line_alone(bench: Bench) -> None:
    bench.put("f.txt", LINES)
    answer = bench.done("file_read", path="f.txt", lines="5-6", prefix="anchor")
    anchor = answer.text.split("\n")[1].split("\t")[0]
    bench.refused("file_edit", path="f.txt", lines="5-6", anchor=anchor, new_text="five")
    bench.done("file_edit", path="f.txt", lines="5", anchor=anchor, new_text="five")
    bench.refused("file_edit", path="f.txt", lines="5", anchor=anchor, new_text="again")


def test_lines_that_differ_only_behind_a_megabyte_are_not_taken_for_the_same(bench: Bench) -> None:
    long = b"x" * (1 << 20)
    bench.put("f.txt", b"a\n" + long + b"1\nb\n")
    bench.refused("file_edit", path="f.txt", lines="2", expect_text=long.decode(), new_text="y")


def test_rows_records_values_and_sections_that_changed_are_refused(bench: Bench) -> None:
    bench.put("t.csv", b"id,name\n1,Ada\n2,Bob\n")
    bench.put("r.jsonl", b'{"id": 1}\n{"id": 2}\n')
    bench.put("d.json", b'{"a": [1, 2], "b": 3}\n')
    bench.put("n.md", b"# A\n\none\n\n# B\n\ntwo\n")
    versions = {name: bench.version(name) for name in ("t.csv", "r.jsonl", "d.json", "n.md")}
    for name in versions:
        bench.put(name, bench.bytes(name).replace(b"1", b"7").replace(b"one", b"other"))
    stale = {
        "t.csv": ("file_edit_rows", {"edits": [{"row": 2, "values": {"name": "x"}}]}),
        "r.jsonl": ("file_edit_json", {"edits": [{"record": 2, "pointer": "/id", "value": 3}]}),
        "d.json": ("file_edit_json", {"edits": [{"pointer": "/a/1", "value": 3}]}),
        "n.md": ("file_edit_section", {"section": "B", "text": "x"}),
    }
    for name, (tool, arguments) in stale.items():
        answer = bench.refused(tool, path=name, version=versions[name], **arguments)
        assert answer.refused and answer.refused.code == "stale", answer.text


def test_parts_that_were_shown_and_stayed_as_they_were_are_rebased(bench: Bench) -> None:
    bench.put("t.csv", b"id,name\n1,Ada\n2,Bob\n")
    bench.put("d.json", b'{"a": [1, 2], "b": 3}\n')
    bench.put("n.md", b"# A\n\none\n\n# B\n\ntwo\n")
    reads = {"t.csv": {"rows": "1-"}, "d.json": {"pointer": "/b"}, "n.md": {"section": "B"}}
    versions = {name: bench.version(name) for name in reads}
    for name, address in reads.items():
        bench.done("file_read", path=name, **address)
        bench.put(name, bench.bytes(name).replace(b"1", b"7").replace(b"one", b"other"))
    edits = {
        "t.csv": ("file_edit_rows", {"edits": [{"row": 2, "values": {"name": "x"}}]}, b"7,Ada\n2,x\n"),
        "d.json": ("file_edit_json", {"edits": [{"pointer": "/b", "value": 4}]}, b'"b": 4}\n'),
        "n.md": ("file_edit_section", {"section": "B", "text": "x\n"}, b"# B\n\nx\n"),
    }
    for name, (tool, arguments, end) in edits.items():
        assert "rebased" in bench.done(tool, path=name, version=versions[name], **arguments).text
        assert bench.bytes(name).endswith(end)


def test_bytes_without_expectation_are_refused_for_another_version(bench: Bench) -> None:
    version = seen(bench)
    change(bench, b"line 9\n", b"LINE 9\n", foreign=True)
    bench.refused("file_edit_bytes", path="f.txt", version=version, offset=0, length=1, data="41")
    bench.done("file_edit_bytes", path="f.txt", version=version, offset=0, length=1, data="41", expect="6c")


@pytest.mark.slow
def test_parallel_edits_of_one_file_are_all_present(bench: Bench) -> None:
    bench.put("f.txt", LINES)
    start = threading.Barrier(20)

    def edit(number: int) -> str | None:
        start.wait()
        answer = bench.call(
            "file_edit", path="f.txt", old_text=f"line {number}\n", new_text=f"edited {number}\n"
        )
        return None if answer.refused is None else answer.text

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(edit, range(1, 21))) == [None] * 20
    expected = LINES
    for number in range(1, 21):
        expected = expected.replace(b"line %d\n" % number, b"edited %d\n" % number, 1)
    assert bench.bytes("f.txt") == expected


def _append_ten(root: str, name: int) -> list[str]:
    refused = []
    with Workspace(root) as workspace:
        for number in range(10):
            answer = workspace.call("file_append", {"path": "f.txt", "text": f"{name} {number}"})
            if answer.refused is not None:
                refused.append(answer.text)
    return refused


@pytest.mark.slow
def test_eight_processes_append_to_one_file(bench: Bench) -> None:
    bench.put("f.txt", b"start\n")
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as processes:
        refused = list(processes.map(_append_ten, [str(bench.root)] * 8, range(8)))
    assert refused == [[]] * 8
    lines = bench.bytes("f.txt").decode().splitlines()
    assert sorted(lines) == sorted(
        ["start", *(f"{name} {number}" for name in range(8) for number in range(10))]
    )
