"""The drop-in editor tool: its commands do what models expect of them, and what they cannot is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from insitu.workspace import editor_tool
from insitu.workspace.workspace import Answer, Workspace
from tests.workspace.audit_logs import on_record
from tests.workspace.desks import check_refusal

TEXT = b"one\ntwo\nthree\nfour\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with one file in a folder."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.txt").write_bytes(TEXT)
    with Workspace(str(tmp_path)) as found:
        yield found


def use(workspace: Workspace, command: str, **arguments: Any) -> Answer:
    """One use of the tool on the file."""
    return editor_tool.run(workspace, {"command": command, "path": "src/a.txt", **arguments})


@pytest.mark.parametrize(
    ("view_range", "shown"), [(None, [1, 2, 3, 4]), ([2, 3], [2, 3]), ([3, -1], [3, 4]), ([4, 4], [4])]
)
def test_view_shows_numbered_lines(workspace: Workspace, view_range: Any, shown: list[int]) -> None:
    answer = use(workspace, "view", **({} if view_range is None else {"view_range": view_range}))
    assert answer.refused is None
    words = TEXT.decode().split()
    lines = [line for line in answer.text.splitlines() if "\t" in line]
    assert lines == [f"{number}\t{words[number - 1]}" for number in shown]


def test_view_of_a_folder_lists_it(workspace: Workspace) -> None:
    answer = editor_tool.run(workspace, {"command": "view", "path": "."})
    assert answer.refused is None
    assert "src/a.txt" in answer.text


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("str_replace", {"old_str": "two\n", "new_str": "2\n"}, b"one\n2\nthree\nfour\n"),
        ("str_replace", {"old_str": "two\n", "new_str": ""}, b"one\nthree\nfour\n"),
        ("insert", {"insert_line": 0, "insert_text": "zero\n"}, b"zero\n" + TEXT),
        ("insert", {"insert_line": 4, "insert_text": "five\n"}, TEXT + b"five\n"),
        ("insert", {"insert_line": 1, "new_str": "1.5\n"}, b"one\n1.5\ntwo\nthree\nfour\n"),
    ],
)
def test_edits_change_the_file(
    workspace: Workspace, tmp_path: Path, command: str, arguments: dict[str, Any], expected: bytes
) -> None:
    answer = use(workspace, command, **arguments)
    assert answer.refused is None, answer.text
    assert (tmp_path / "src" / "a.txt").read_bytes() == expected
    assert workspace.call("file_undo", {"path": "src/a.txt"}).refused is None
    assert (tmp_path / "src" / "a.txt").read_bytes() == TEXT


def test_create_makes_a_file_and_never_overwrites(workspace: Workspace, tmp_path: Path) -> None:
    made = editor_tool.run(workspace, {"command": "create", "path": "new.txt", "file_text": "as it is"})
    assert made.refused is None, made.text
    assert (tmp_path / "new.txt").read_bytes() == b"as it is"
    again = use(workspace, "create", file_text="gone?")
    assert again.refused is not None
    assert again.refused.code == "file-exists"
    assert (tmp_path / "src" / "a.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("command", "arguments", "code"),
    [
        ("str_replace", {"old_str": "o", "new_str": "0"}, "ambiguous"),
        ("str_replace", {"old_str": "nine", "new_str": "9"}, "no-match"),
        ("str_replace", {"old": "two", "new_str": "2"}, "invalid-arguments"),
        ("view", {"view_range": [9, 12]}, "bad-span"),
        ("view", {"path": "../outside"}, "forbidden-path"),
        ("insert", {"insert_line": 99, "insert_text": "x"}, "bad-span"),
        ("insert", {"insert_line": 1, "insert_text": "a", "new_str": "b"}, "invalid-arguments"),
        ("view", {"path": "pipe"}, "file-kind"),
        ("undo_edit", {}, "invalid-arguments"),
        ("delete", {}, "invalid-arguments"),
    ],
)
def test_what_cannot_be_done_is_refused(
    workspace: Workspace, tmp_path: Path, command: str, arguments: dict[str, Any], code: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    answer = use(workspace, command, **arguments)
    assert answer.refused is not None
    assert answer.refused.code == code
    check_refusal(answer)
    assert (tmp_path / "src" / "a.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    "arguments", [None, [], "view", {}, {"command": "fly"}, {"command": "view", 1: 2}, {"command": ["view"]}]
)
def test_what_is_no_command_is_refused_and_on_record(tmp_path: Path, arguments: Any) -> None:
    with on_record(tmp_path) as (bench, log):
        check_refusal(editor_tool.run(bench.workspace, arguments))
        assert log.head().records == 1
        bench.workspace.call("file_search", {"pattern": "\ud800"})
        assert log.head().records == 2


def test_answers_name_no_tool_that_the_host_lacks(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file_read.py").write_text("".join(f"{number} file_read lines\n" for number in range(5_000)))
    for number in range(300):
        (tmp_path / f"{number}.txt").touch()
    uses: list[dict[str, Any]] = [
        {"command": "view", "path": "file_read.py"},
        {"command": "view", "path": "."},
        {"command": "view", "path": "missing"},
        {"command": "view", "path": "file_read.py", "view_range": [6_000, 6_001]},
        {"command": "str_replace", "path": "file_read.py", "old_str": "lines", "new_str": "rows"},
        {"command": "str_replace", "path": "file_read.py", "old_str": "17  file_read lines", "new_str": "x"},
        {"command": "str_replace", "path": "file_read.py", "old_str": "nothing like it", "new_str": "x"},
        {"command": "str_replace", "path": "file_read.py", "old_str": "4999 ", "new_str": "last "},
        {"command": "insert", "path": "file_read.py", "insert_line": 9_000, "insert_text": "x"},
        {"command": "create", "path": "file_read.py", "file_text": "x"},
    ]
    said = []
    for arguments in uses:
        lines = editor_tool.run(workspace, arguments).text.split("\n")
        said += [line for line in (lines[0], lines[-1]) if not line.startswith("{")]
    named = re.compile(r"\bfile_(?!read\.py|read lines)\w+")
    assert [line for line in said if named.search(line)] == []
    assert any(
        re.search(r'go on with view path="file_read\.py" view_range=\[\d+, -1\]', line) for line in said
    )
    assert "Its last lines: view_range=[4991, 5000]." in " ".join(said)
