"""The tools of formats, of several places and several files, and those that look back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import insitu
from insitu.workspace import plans
from insitu.workspace.call import Call
from insitu.workspace.desk import Limits
from insitu.workspace.roots import RootSpec
from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench, followed

TABLE = b"id,name,note\r\n1,Ada,a b\r\n2,Bob,\r\n3,Cy,x\r\n"


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([{"row": 2, "values": {"name": "Bo"}}], TABLE.replace(b"Bob", b"Bo")),
        ([{"where": {"id": "3"}, "op": "delete"}], TABLE.replace(b"3,Cy,x\r\n", b"")),
        ([{"op": "insert", "values": ["4", "Di, D", ""]}], TABLE + b'4,"Di, D",\r\n'),
        # Whatever the order, all refer to the file as it is
        (
            [{"row": 1, "values": {"name": "A"}}, {"op": "insert", "row": 1, "values": ["0", "Z", ""]}],
            TABLE.replace(b"1,Ada", b"0,Z,\r\n1,A"),
        ),
        (
            [{"op": "insert", "row": 1, "values": ["0", "Z", ""]}, {"row": 1, "values": {"name": "A"}}],
            TABLE.replace(b"1,Ada", b"0,Z,\r\n1,A"),
        ),
        (
            [
                {"op": "insert", "row": 2, "values": ["a", "", ""]},
                {"op": "insert", "row": 2, "values": ["b", "", ""]},
            ],
            TABLE.replace(b"2,Bob", b"a,,\r\nb,,\r\n2,Bob"),
        ),
        (
            [{"op": "delete", "row": 1}, {"row": 2, "values": {"name": "B"}}],
            TABLE.replace(b"1,Ada,a b\r\n", b"").replace(b"Bob", b"B"),
        ),
        ([{"op": "insert", "row": 4, "values": ["4", "", ""]}], TABLE + b"4,,\r\n"),
    ],
)
def test_rows(bench: Bench, edits: list[dict[str, Any]], expected: bytes) -> None:
    bench.put("t.csv", TABLE)
    bench.done("file_edit_rows", path="t.csv", edits=edits)
    assert bench.bytes("t.csv") == expected


def test_rows_that_are_deleted_and_changed_are_refused(bench: Bench) -> None:
    bench.put("t.csv", TABLE)
    for other in ({"op": "delete", "row": 1}, {"row": 1, "values": {"name": "x"}}):
        bench.refused("file_edit_rows", path="t.csv", edits=[{"op": "delete", "row": 1}, other])
        bench.refused("file_edit_rows", path="t.csv", edits=[other, {"op": "delete", "row": 1}])


def test_several_rows_with_one_text_are_refused_unless_expected(bench: Bench) -> None:
    bench.put("t.csv", b"id,kind\n1,a\n2,a\n3,b\n")
    edits = [{"where": {"kind": "a"}, "values": {"kind": "c"}}]
    assert bench.refused("file_edit_rows", path="t.csv", edits=edits).refused.data["candidates"] == [
        "row 1",
        "row 2",
    ]
    bench.done("file_edit_rows", path="t.csv", edits=edits, expect_rows=2)
    assert bench.bytes("t.csv") == b"id,kind\n1,c\n2,c\n3,b\n"


def test_a_value_that_is_left_out_is_not_null(bench: Bench) -> None:
    bench.put("d.json", b'{"a": 1}')
    bench.refused("file_edit_json", path="d.json", edits=[{"pointer": "/a"}])
    bench.done("file_edit_json", path="d.json", edits=[{"pointer": "/a", "value": None}])
    assert bench.bytes("d.json") == b'{"a": null}'


def test_values_and_records(bench: Bench) -> None:
    bench.put("d.json", b'{"a" : {"b": [1,  2]}, "c": 3}\n')
    edits = [{"pointer": "/a/b/1", "value": 20}, {"op": "delete", "pointer": "/c"}]
    bench.done("file_edit_json", path="d.json", edits=edits)
    assert bench.bytes("d.json") == b'{"a" : {"b": [1,  20]}}\n'
    bench.put("r.jsonl", b'{"id":1}\n{"id":2}\n')
    edits = [{"record": 2, "pointer": "/id", "value": 22}, {"op": "append", "value": {"id": 3}}]
    bench.done("file_edit_json", path="r.jsonl", edits=edits)
    assert bench.bytes("r.jsonl") == b'{"id":1}\n{"id":22}\n{"id":3}\n'


def test_a_plan_applies_what_it_showed_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put("f.txt", b"a b a\r\nb a\r\n")
    ask = {"path": "f.txt", "pattern": "a", "replacement": "x"}
    plan = bench.done("file_replace_all", **ask).data["plan"]
    bench.refused("file_replace_all", **{**ask, "replacement": "y"}, plan=plan)
    bench.done("file_replace_all", **ask, plan=plan, ids=[1, 3])
    assert bench.bytes("f.txt") == b"x b a\r\nb x\r\n"
    bench.refused("file_replace_all", **ask, plan=plan)
    plan = bench.done("file_replace_all", **ask).data["plan"]
    bench.put("f.txt", b"b a\r\n")  # as many places, but others
    bench.refused("file_replace_all", **ask, plan=plan)
    plan = bench.done("file_replace_all", **ask).data["plan"]
    monkeypatch.setattr(plans.time, "monotonic", lambda: float("inf"))
    bench.refused("file_replace_all", **ask, plan=plan)


def test_a_plan_is_given_only_for_what_can_be_applied(bench: Bench) -> None:
    bench.put("f.txt", b"a\n")
    ask = {"path": "f.txt", "pattern": "(a)", "mode": "regex"}
    answer = bench.refused("file_replace_all", **ask, replacement=r"\2")
    assert answer.refused.code == "bad-pattern"
    bench.done("file_replace_all", **ask, replacement=r"\1")


def test_records_that_cannot_be_read_are_named_as_answers_name_files(bench: Bench) -> None:
    bench.put("r.jsonl", b'{"a":1}\n\x1b?\n{"a":2}\n')
    shown = bench.done("file_read", path="r.jsonl", records="1-3", pointer="/a").text
    assert "Record 2 of r.jsonl is not JSON" in shown
    assert str(bench.root) not in shown
    assert "\x1b" not in shown


class Overtaken(Call):
    """A call that somebody else comes before when it is about to write."""

    meddle: Callable[[], object] = staticmethod(lambda: None)

    def intend(self, *args: Any, **facts: Any) -> None:
        self.meddle()


def test_a_plan_is_held_against_the_file_that_is_locked(bench: Bench) -> None:
    path = bench.put("f.txt", b"a b a\n")
    ask = {"path": "f.txt", "pattern": "a", "replacement": "x"}
    plan = bench.done("file_replace_all", **ask).data["plan"]
    call = Overtaken()
    call.meddle = lambda: insitu.replace(path, "b a", "a b")  # as many places, but others
    answer = bench.workspace.call("file_replace_all", {**ask, "plan": plan}, call)
    assert answer.refused is not None
    assert answer.refused.code == "stale"
    assert bench.bytes("f.txt") == b"a a b\n"


def test_replacing_everywhere(bench: Bench) -> None:
    bench.put("f.txt", b"k1=v\r\nk2=v\r\n")
    bench.done(
        "file_replace_all",
        path="f.txt",
        pattern=r"k(\d)",
        replacement=r"<\1>",
        mode="regex",
        expected_count=2,
    )
    bench.done("file_replace_all", path="f.txt", pattern="=v\n", replacement="\n\n", expected_count=2)
    assert bench.bytes("f.txt") == b"<1>\r\n\r\n<2>\r\n\r\n"


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("after", [0, 1, 3, 4, None])
def test_lines_are_copied_and_moved_within_a_file(bench: Bench, move: bool, after: int | None) -> None:
    lines = [b"1\n", b"2\r\n", b"3\n", b"4"]
    bench.put("f.txt", b"".join(lines))
    target = {} if after is None else {"to_after_line": after}
    bench.done("file_copy_range", path="f.txt", lines="2-3", move=move, **target)
    place = 4 if after is None else after
    whole = [*lines[:3], b"4\n" if place == 4 else b"4"]
    kept = [line for index, line in enumerate(whole) if index < place and not (move and index in (1, 2))]
    rest = [line for index, line in enumerate(whole) if index >= place and not (move and index in (1, 2))]
    assert bench.bytes("f.txt") == b"".join([*kept, *lines[1:3], *rest])


def test_lines_are_moved_between_files_in_one_transaction(bench: Bench) -> None:
    bench.put("a.txt", b"1\n2\n3\n")
    bench.put("b.txt", b"x")
    bench.done("file_copy_range", path="a.txt", lines="2", to_path="b.txt", move=True, dry_run=True)
    assert bench.bytes("a.txt") == b"1\n2\n3\n"
    moved = bench.done("file_copy_range", path="a.txt", lines="2", to_path="b.txt", move=True)
    assert (bench.bytes("a.txt"), bench.bytes("b.txt")) == (b"1\n3\n", b"x\n2\n")
    bench.done("file_undo", path="b.txt", edit_id=moved.data["edit_id"])
    assert moved.data["notes"][0].endswith('put it back, too: file_undo path="a.txt" edit_id=1')
    bench.done("file_undo", path="a.txt", edit_id=1)
    assert (bench.bytes("a.txt"), bench.bytes("b.txt")) == (b"1\n2\n3\n", b"x")


def test_lines_that_moved_are_copied_from_where_they_are(bench: Bench) -> None:
    bench.put("a.txt", b"1\n2\n3\n")
    version = bench.version("a.txt")
    bench.put("a.txt", b"0\n1\n2\n3\n")
    bench.put("b.txt", b"")
    bench.done("file_copy_range", path="a.txt", lines="2", version=version, to_path="b.txt")
    assert bench.bytes("b.txt") == b"2\n"


def test_lines_of_another_encoding_are_not_copied(bench: Bench) -> None:
    bench.put("a.txt", "\ufeffone\r\n".encode("utf-16-le"))
    bench.put("b.txt", b"x\n")
    bench.refused("file_copy_range", path="a.txt", lines="1", to_path="b.txt")


def test_history_undo_and_redo(bench: Bench) -> None:
    bench.put("f.txt", b"one\n")
    bench.done("file_edit", path="f.txt", old_text="one", new_text="two")
    bench.done("file_edit", path="f.txt", old_text="two", new_text="three")
    assert "-one" in bench.done("file_history", path="f.txt", edit_id=1).text
    assert "-three\n+two\n" in bench.done("file_undo", path="f.txt", dry_run=True).text
    for dry_run in (True, False):  # a later edit changed the same bytes
        bench.refused("file_undo", path="f.txt", edit_id=1, dry_run=dry_run)
    bench.done("file_undo", path="f.txt")
    assert bench.bytes("f.txt") == b"two\n"
    bench.done("file_undo", path="f.txt", redo=True)
    assert bench.bytes("f.txt") == b"three\n"
    assert [edit["edit_id"] for edit in bench.done("file_history", path="f.txt", limit=2).data["edits"]] == [
        4,
        3,
    ]


def test_a_transaction_is_all_or_nothing(bench: Bench) -> None:
    bench.put("a.txt", b"one\n")
    bench.put("b.txt", b"two\n")
    first = {"tool": "file_edit", "path": "a.txt", "old_text": "one", "new_text": "1"}
    bench.refused(
        "file_transaction", calls=[first, {"tool": "file_edit", "path": "b.txt", "old_text": "nope"}]
    )
    bench.refused("file_transaction", calls=[first, {**first, "path": "./a.txt"}])
    both = [first, {"tool": "file_append", "path": "b.txt", "text": "three"}]
    bench.done("file_transaction", calls=both, dry_run=True)
    assert bench.bytes("a.txt") == b"one\n"
    bench.done("file_transaction", calls=both)
    assert (bench.bytes("a.txt"), bench.bytes("b.txt")) == (b"1\n", b"two\nthree\n")


def test_a_workspace_for_reading_has_no_tools_that_edit(bench: Bench) -> None:
    bench.put("f.txt", b"one\n")
    with Workspace(str(bench.root), read_only=True) as workspace:
        reader = Bench(bench.root, workspace)
        reader.done("file_read", path="f.txt")
        reader.refused("file_edit", path="f.txt", old_text="one", new_text="two")
        assert {kind.tool.effect for kind in workspace.tools} == {"read"}
    with Workspace(RootSpec(str(bench.root), writable=False)) as workspace:
        answer = Bench(bench.root, workspace).refused(
            "file_edit", path="f.txt", old_text="one", new_text="two"
        )
        assert answer.refused and answer.refused.code == "read-only"


def test_a_budget_of_bytes_written(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"one\n" + b"x" * 100_000)
    with Workspace(str(tmp_path), limits=Limits(bytes_written=20_000)) as workspace:
        bench = Bench(tmp_path, workspace)
        bench.done("file_edit", path="f.txt", old_text="one", new_text="two")
        bench.refused("file_edit", path="f.txt", old_text="two", new_text="three")
        bench.refused("file_append", path="g.txt", text="y" * 30_000, create=True)
        bench.refused("file_replace_all", path="f.txt", pattern="two", replacement="three", expected_count=1)
        insitu.write(tmp_path / "f.txt", 0, 3, b"three")
        bench.refused("file_undo", path="f.txt")
        calls = [{"tool": "file_append", "path": f"{n}.txt", "text": "y" * 5_000} for n in range(4)]
        for call in calls:
            bench.put(call["path"], b"")
            bench.done("file_transaction", calls=[call])
        bench.refused("file_transaction", calls=calls)


# Listing and searching


def listed(bench: Bench, **arguments: Any) -> list[str]:
    found: list[str] = []
    while True:
        lines = bench.done("file_list", **arguments).text.split("\n")[1:]
        found += [line.split("\t")[0] for line in lines if not line.startswith("[")]
        if not lines or not lines[-1].startswith("[more"):
            return found
        arguments["after"] = lines[-1].rsplit('after="', 1)[1].split('"')[0]


def test_listing_obeys_gitignore_and_hides_its_own(bench: Bench, tmp_path: Path) -> None:
    for name in (
        "a.log",
        "keep.log",
        "src/a.py",
        "src/b.py",
        "src/deep/c.py",
        "src/deep/d.log",
        ".git/config",
    ):
        bench.put(name, b"needle\n")
    bench.put(".gitignore", b"*.log\n!keep.log\n")
    bench.put("src/deep/.gitignore", b"!d.log\nc.py\n")
    bench.put("src/.insitu/x", b"needle")
    (bench.root / "out").symlink_to(tmp_path)
    (bench.root / "loop").symlink_to(bench.root)
    everything = [".gitignore", "keep.log", "loop  (link)", "out  (link)", "src/"]
    assert listed(bench) == everything
    assert listed(bench, limit=2) == everything
    assert listed(bench, pattern="*.py") == ["src/a.py", "src/b.py"]
    assert listed(bench, pattern="src/**/*.py", ignored=True, limit=1) == [
        "src/a.py",
        "src/b.py",
        "src/deep/c.py",
    ]
    assert listed(bench, path="src/deep", pattern="*.log") == ["src/deep/d.log"]
    found = bench.done("file_search", pattern="needle", count_only=True).text
    assert found.split("\n")[1:] == ["keep.log: 1", "src/a.py: 1", "src/b.py: 1", "src/deep/d.log: 1"]
    found = bench.done("file_search", pattern="needle", path="src", glob="/*.py", count_only=True).text
    assert found.split("\n")[1:] == ["src/a.py: 1", "src/b.py: 1"]


def searched(bench: Bench, **arguments: Any) -> list[str]:
    found: list[str] = []
    while True:
        lines = bench.done("file_search", **arguments).text.split("\n")[1:]
        found += [line for line in lines if not line.startswith("[")]
        cursor = [line.rsplit('cursor="', 1)[1].split('"')[0] for line in lines if 'cursor="' in line]
        if not cursor:
            return found
        arguments["cursor"] = cursor[0]


def test_following_cursors_shows_each_match_once(bench: Bench) -> None:
    bench.put("a.txt", b"".join(b"match %d\nother\n" % n for n in range(50)))
    bench.put("b/c.txt", b"".join(b"match %d\n" % n for n in range(50, 60)))
    matches = [f"{2 * n + 1}: match {n}" for n in range(50)]
    assert searched(bench, pattern="match", path="a.txt", limit=7) == matches
    below = [
        line for line in searched(bench, pattern=r"^match \d+$", mode="regex", limit=7) if ": match" in line
    ]
    assert below == [*matches, *(f"{n - 49}: match {n}" for n in range(50, 60))]
    assert searched(bench, pattern="MATCH 7", path="a.txt", ignore_case=True) == ["15: match 7"]
    assert searched(bench, pattern="match", path="a.txt", within="3-5") == ["3: match 1", "5: match 2"]
    assert searched(bench, pattern="match 1\n", path="a.txt", context=1) == [
        "2- other",
        "3: match 1",
        "4- other",
    ]


def test_a_search_that_runs_out_of_time_goes_on_at_its_cursor(bench: Bench) -> None:
    bench.put("a.txt", b"match\n" + b"x\n" * 1_000)
    answer = bench.done("file_search", pattern="match", max_seconds=1e-9)
    assert "so far" in answer.text
    assert 'cursor="0:a.txt"' in answer.text
    assert searched(bench, pattern="match", cursor="0:a.txt") == ["a.txt:", "1: match"]


def pages(bench: Bench, tool: str, **arguments: Any) -> list[str]:
    """The lines of all answers, as one follows from the other, but for their headers."""
    found: list[str] = []
    call: tuple[str, dict[str, Any]] | None = (tool, arguments)
    while call is not None:
        answer = bench.done(call[0], **call[1])
        answer.text.encode()  # else it could not be sent
        call = followed(bench, answer)
        found += answer.text.split("\n")[1 : None if call is None else -1]
    return found


def test_names_that_are_no_text_are_listed_to_the_end(bench: Bench) -> None:
    for name in (b"a\xff", b"b\nc.txt 9 bytes", b"d\xe2\x80\xae", b"e\t", b"z.txt"):
        (bench.root / os.fsdecode(name)).write_bytes(b"needle\n")
    listed = pages(bench, "file_list", limit=1)
    shown = ["a\\xff", "b\\nc.txt 9 bytes", "d\\u202e", "e\\t", "z.txt"]
    assert [line.split("\t")[0] for line in listed] == shown
    bench.put("A.txt", b"needle\n")
    found = pages(bench, "file_search", pattern="needle", limit=1)
    assert [line for line in found if line[:1] != "["] == ["A.txt:", "1: needle", "z.txt:", "1: needle"]


def test_headings_that_are_no_text_are_spelled_out_in_answers(bench: Bench) -> None:
    line = "text of m\u00e4ny words\n".encode()
    sane = line * 50_000  # so that the samples are UTF-8
    bench.put("m.md", sane + line * 12_345 + b"# T\xffop\n\n## Sub\n\ntext\n" + sane)
    answer = bench.done("file_edit_section", path="m.md", section="Sub", text="new\n")
    assert answer.data["changes"][0]["note"] == "replace T\\xffop/Sub"
    answer.text.encode()


def test_regexes_that_explode_elsewhere_are_linear(bench: Bench) -> None:
    bench.put("a.txt", b"a" * 200_000 + b"!\n")
    assert "0 matches" in bench.done("file_search", pattern="(a+)+$", path="a.txt", mode="regex").text


def test_files_that_cannot_be_searched_are_counted(bench: Bench) -> None:
    bench.put("a.bin", b"\0match")
    bench.put("b.txt", "\ufeffmatch\n".encode("utf-16-le"))
    assert "[2 files passed over" in bench.done("file_search", pattern="match", mode="regex").text
    assert "b.txt:\n1: match" in bench.done("file_search", pattern="match").text


def test_following_an_outline_lists_each_part_once(bench: Bench) -> None:
    bench.put("n.md", b"".join(b"## Part %d\n\n### Detail\n\n" % n for n in range(25)))
    call: tuple[str, dict[str, Any]] | None = ("file_outline", {"path": "n.md", "depth": 2, "limit": 10})
    found: list[str] = []
    while call is not None:
        answer = bench.done(call[0], **call[1])
        found += [line.split("\t")[2] for line in answer.text.split("\n") if line[:1].isdigit()]
        call = followed(bench, answer)
    assert found == [f"Part {n}" for n in range(25)]
