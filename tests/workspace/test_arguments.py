"""Arguments as models send them: aliases are taken, everything else is refused and changes nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insitu.workspace.catalog import TOOLS
from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench, check_refusal, contents

FILES = {
    "notes.txt": b"one\ntwo\nthree\n",
    "table.csv": b"id,name\n1,Ada\n2,Bob\n",
    "data.json": b'{"a": {"b": [1, 2]}}\n',
    "rows.jsonl": b'{"id": 1}\n{"id": 2}\n',
    "page.md": b"# A\n\ntext\n\n## B\n\nmore\n",
}


@pytest.fixture
def files(bench: Bench) -> Bench:
    for name, data in FILES.items():
        bench.put(name, data)
    return bench


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "notes.txt", "old_str": "two", "new_str": "2"},
        {"file_path": "notes.txt", "old_string": "two", "new_string": "2"},
        {"filename": "notes.txt", "edits": [{"oldText": "two", "newText": "2"}]},
        {"path": "notes.txt", "edits": '[{"old_text": "two", "new_text": "2"}]'},
        {"path": "notes.txt", "old": "two", "new": "2", "replace_all": True},
        {"path": "notes.txt", "old": "two", "new": "2", "replace_all": False},
        {"path": "notes.txt", "old": "two", "new": "2", "replace_all": "true"},
        {"path": "notes.txt", "old": "two", "new": "2", "dryRun": "false"},
        {"path": "notes.txt", "view_range": [2, 2], "expect_text": "two", "new_text": "2"},
        {"path": "notes.txt", "lines": 2, "expect_text": "two", "new_text": "2"},
    ],
)
def test_what_models_are_trained_on_is_taken(files: Bench, arguments: dict[str, Any]) -> None:
    files.done("file_edit", **arguments)
    assert files.bytes("notes.txt") == b"one\n2\nthree\n"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"regex": "t.o"}, 1),
        ({"regex": "t.o", "mode": "regex"}, 1),
        ({"pattern": "t.o", "regex": True}, 1),
        ({"pattern": "t.o", "regex": False}, 0),
    ],
)
def test_an_expression_is_taken_for_one(files: Bench, arguments: dict[str, Any], count: int) -> None:
    assert f": {count} match" in files.done("file_search", path="notes.txt", **arguments).text


def test_view_and_insert_as_a_text_editor_tool_names_them(files: Bench) -> None:
    assert "2\ttwo\n3\tthree" in files.done("file_read", path="notes.txt", view_range=[2, -1]).text
    files.done("file_edit", path="notes.txt", insert_line=1, new_str="1.5")
    files.done("file_append", path="new.txt", file_text="x", create=True)
    assert files.bytes("notes.txt") == b"one\n1.5\ntwo\nthree\n"
    assert files.bytes("new.txt") == b"x\n"


@pytest.mark.parametrize(
    ("tool", "arguments", "meant"),
    [
        ("file_edit", {"path": "notes.txt", "old_text": "two", "dry_rn": True}, "dry_run"),
        ("file_edit", {"path": "notes.txt", "edits": [{"old_txt": "two"}]}, "old_text"),
        ("file_read", {"path": "notes.txt", "line": "1"}, "lines"),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"rows": 1, "op": "delete"}]}, "row"),
        ("file_reed", {"path": "notes.txt"}, "file_read"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    files: Bench, tool: str, arguments: dict[str, Any], meant: str
) -> None:
    answer = files.refused(tool, **arguments)
    assert answer.refused is not None
    assert answer.refused.code == "invalid-arguments"
    assert answer.refused.data["did_you_mean"] == meant
    assert f"Did you mean {meant}?" in answer.text


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("file_read", {}),
        ("file_read", {"path": 5.5}),
        ("file_read", {"path": ["notes.txt"]}),
        ("file_read", {"path": "notes.txt", "lines": "3-1"}),
        ("file_read", {"path": "notes.txt", "lines": "0"}),
        ("file_read", {"path": "notes.txt", "lines": "9" * 30}),
        ("file_read", {"path": "notes.txt", "lines": "9" * 19}),
        ("file_read", {"path": "notes.txt", "lines": ""}),
        ("file_read", {"path": "notes.txt", "lines": "1", "tail": 1}),
        ("file_read", {"path": "notes.txt", "tail": 0}),
        ("file_read", {"path": "notes.txt", "tail": 2**70, "max_chars": 1}),
        ("file_read", {"path": "notes.txt", "around_text": ""}),
        ("file_read", {"path": "notes.txt", "around_line": 99}),
        ("file_read", {"path": "notes.txt", "bytes": "5:99"}),
        ("file_read", {"path": "notes.txt", "bytes": "x"}),
        ("file_read", {"path": "table.csv", "rows": "7"}),
        ("file_read", {"path": "data.json", "pointer": "a/b"}),
        ("file_read", {"path": "data.json", "pointer": "/nope"}),
        ("file_read", {"path": "page.md", "section": "Nope"}),
        ("file_read", {"path": "notes.txt", "form": "octal"}),
        ("file_edit", {"path": "notes.txt"}),
        ("file_edit", {"path": "notes.txt", "edits": []}),
        ("file_edit", {"path": "notes.txt", "edits": "[" * 100_000}),
        ("file_edit", {"path": "notes.txt", "edits": [5]}),
        ("file_edit", {"path": "notes.txt", "edits": [{}]}),
        ("file_edit", {"path": "notes.txt", "edits": [{"new_text": "x"}]}),
        ("file_edit", {"path": "notes.txt", "edits": [{"old_text": "one", "lines": "1"}]}),
        ("file_edit", {"path": "notes.txt", "edits": [{"old_text": "one"}], "old_text": "two"}),
        ("file_edit", {"path": "notes.txt", "old_text": "one", "old_str": "two"}),
        ("file_edit", {"path": "notes.txt", "old_text": "o", "new_text": "0", "replace_all": "no"}),
        ("file_edit", {"path": "notes.txt", "old_text": "o", "new_text": "0", "replace_all": []}),
        ("file_edit", {"path": "notes.txt", "old_text": "o", "new_text": "0", "replace_all": 2}),
        ("file_edit", {"path": "notes.txt", "old_text": ""}),
        ("file_edit", {"path": "notes.txt", "old_text": "one", "new_text": "\ud800"}),
        ("file_edit", {"path": "notes.txt", "old_text": "\ud800"}),
        ("file_edit", {"path": "notes.txt", "lines": "2", "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "lines": "9", "expect_text": "x", "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "lines": "1-2", "expect_text": "one", "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "lines": "1", "anchor": "2:aaaa", "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "lines": "1", "anchor": "1:zzzz", "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "insert_after": 9, "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "insert_after": -1, "new_text": "x"}),
        ("file_edit", {"path": "notes.txt", "insert_after": 2**80, "new_text": "x"}),
        ("file_edit_bytes", {"path": "notes.txt", "edits": [{"offset": 99, "length": 1}]}),
        ("file_edit_bytes", {"path": "notes.txt", "edits": [{"offset": 2**64, "length": 2**64}]}),
        ("file_edit_bytes", {"path": "notes.txt", "offset": 0, "length": 1, "data": "zz"}),
        ("file_edit_bytes", {"path": "notes.txt", "offset": 0, "data": "QQ=", "form": "base64"}),
        ("file_edit_bytes", {"path": "notes.txt", "offset": 0, "length": 3, "expect": "00", "data": ""}),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"row": 9, "values": {"name": "x"}}]}),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"row": 1, "values": {"nam": "x"}}]}),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"row": 1}]}),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"row": 1, "values": ["just one"]}]}),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"where": {"no": "1"}, "op": "delete"}]}),
        (
            "file_edit_rows",
            {"path": "table.csv", "edits": [{"where": {"id": "1", "no": "1"}, "op": "delete"}]},
        ),
        ("file_edit_rows", {"path": "table.csv", "edits": [{"where": {}, "op": "delete"}]}),
        (
            "file_edit_rows",
            {"path": "table.csv", "edits": [{"op": "insert", "row": 9, "values": ["3", "x"]}]},
        ),
        (
            "file_edit_rows",
            {
                "path": "table.csv",
                "edits": [{"row": 1, "values": {"name": "x"}}, {"row": 1, "values": {"name": "y"}}],
            },
        ),
        (
            "file_edit_rows",
            {
                "path": "table.csv",
                "edits": [{"row": 1, "values": ["1", "x"]}, {"row": 1, "values": {"id": "y"}}],
            },
        ),
        ("file_edit_section", {"path": "page.md", "section": "B"}),
        ("file_edit_section", {"path": "page.md", "section": "", "op": "delete"}),
        ("file_edit_section", {"path": "page.md", "section": "A", "op": "rename", "text": "two\nlines"}),
        ("file_edit_section", {"path": "page.md", "section": "C/D", "text": "x", "create": True}),
        ("file_edit_json", {"path": "data.json", "edits": [{"pointer": "/a"}]}),
        ("file_edit_json", {"path": "data.json", "edits": [{"pointer": "/a/b/x", "value": 1}]}),
        ("file_edit_json", {"path": "data.json", "edits": [{"op": "rename", "pointer": "/a", "value": 1}]}),
        ("file_edit_json", {"path": "data.json", "edits": [{"op": "append", "pointer": "/a", "value": 1}]}),
        ("file_edit_json", {"path": "rows.jsonl", "edits": [{"record": 9, "pointer": "/id", "value": 1}]}),
        ("file_edit_json", {"path": "rows.jsonl", "edits": [{"pointer": "/id", "value": 1}]}),
        ("file_append", {"path": "notes.txt", "text": "x", "create": True}),
        ("file_append", {"path": "nope.txt", "text": "x"}),
        ("file_append", {"path": "no/pe.txt", "text": "x", "create": True}),
        ("file_append", {"path": "new.txt", "text": "\ud800", "create": True}),
        ("file_replace_all", {"path": "notes.txt", "pattern": "(", "replacement": "", "mode": "regex"}),
        ("file_replace_all", {"path": "notes.txt", "pattern": "", "replacement": ""}),
        ("file_replace_all", {"path": "notes.txt", "pattern": "nope", "replacement": ""}),
        ("file_replace_all", {"path": "notes.txt", "pattern": "o", "replacement": "", "plan": "nope"}),
        ("file_replace_all", {"path": "notes.txt", "pattern": "o", "replacement": "", "expected_count": 9}),
        (
            "file_replace_all",
            {"path": "notes.txt", "pattern": "o", "replacement": "", "expected_count": 2, "ids": [7]},
        ),
        ("file_copy_range", {"path": "notes.txt"}),
        ("file_copy_range", {"path": "notes.txt", "lines": "1", "bytes": "0:1"}),
        ("file_copy_range", {"path": "notes.txt", "lines": "9"}),
        ("file_copy_range", {"path": "notes.txt", "lines": "1", "to_after_line": 9}),
        ("file_copy_range", {"path": "notes.txt", "lines": "1", "to_offset": 99}),
        ("file_copy_range", {"path": "notes.txt", "bytes": "0:9", "to_offset": 3, "move": True}),
        ("file_copy_range", {"path": "notes.txt", "lines": "1", "to_path": "nope.txt"}),
        ("file_transaction", {"calls": []}),
        ("file_transaction", {"calls": [{"tool": ["file_edit"]}]}),
        ("file_transaction", {"calls": [{"tool": "file_replace_all", "path": "notes.txt"}]}),
        ("file_transaction", {"calls": [{"tool": "file_edit", "path": "notes.txt", "old_txt": "x"}]}),
        (
            "file_transaction",
            {"calls": [{"tool": "file_edit", "path": "notes.txt", "old_text": "one", "dry_run": True}]},
        ),
        (
            "file_transaction",
            {"calls": [{"tool": "file_append", "path": "new.txt", "text": "one", "create": True}]},
        ),
        ("file_undo", {"path": "notes.txt"}),
        ("file_undo", {"path": "notes.txt", "edit_id": 7}),
        ("file_undo", {"path": "notes.txt", "redo": True}),
        ("file_undo", {"path": "notes.txt", "redo": True, "edit_id": 1}),
        ("file_history", {"path": "notes.txt", "edit_id": 7}),
        ("file_outline", {"path": "notes.txt"}),
        ("file_outline", {"path": "notes.txt", "kind": "json"}),
        ("file_list", {"path": "notes.txt"}),
        ("file_list", {"path": "nope"}),
        ("file_search", {"pattern": "(", "mode": "regex"}),
        ("file_search", {"pattern": "x", "mode": "\ud800"}),
        ("file_search", {"pattern": "x", "path": "nope"}),
        ("file_search", {"pattern": "x", "cursor": "nope"}),
        ("file_search", {"pattern": "x", "cursor": "0:nope"}),
        ("file_search", {"pattern": "x", "path": "notes.txt", "cursor": "nope"}),
        ("file_search", {"pattern": "x", "within": "1-2"}),
        ("file_search", {"pattern": "x", "max_seconds": "nan"}),
        ("file_info", {"path": "."}),
        ("file_info", {"path": "../notes.txt"}),
        ("file_info", {"path": "~/notes.txt"}),
        ("file_info", {"path": "notes.txt\0"}),
        ("file_info", {"path": "\ud800"}),
        ("file_info", {"path": "x" * 5_000}),
        ("file_info", {"path": ".insitu/x"}),
        ("file_info", {"path": "/etc/passwd"}),
    ],
)
def test_what_is_wrong_is_refused(files: Bench, tool: str, arguments: dict[str, Any]) -> None:
    answer = files.refused(tool, **arguments)
    assert answer.refused is not None
    assert len(answer.text) < 8_000
    if answer.refused.code in ("missing-file", "file-kind"):
        assert "file_" in answer.text.split("Refused", 1)[-1], "no tool is named to go on with"


@pytest.mark.parametrize("arguments", [None, [], "path", 5, [["path", "notes.txt"]], {5: "x"}, {None: 1}])
def test_arguments_that_are_no_object_are_refused(files: Bench, arguments: Any) -> None:
    for kind in TOOLS:
        check_refusal(files.workspace.call(kind.tool.name, arguments))


def test_arguments_that_are_nested_without_end_are_refused(files: Bench) -> None:
    value: Any = 1
    for _ in range(50_000):
        value = [value]
    check_refusal(
        files.workspace.call(
            "file_edit_json", {"path": "data.json", "edits": [{"pointer": "/a", "value": value}]}
        )
    )
    check_refusal(files.workspace.call("file_list", {"path": value}))
    while isinstance(value, list):  # else freeing it would recurse, too
        value = value[0]


# Arguments of any shape

NAMES = sorted(
    {
        *("path", "file", "edits", "lines", "old_text", "new_str", "calls", "tool", "op", "row", "where"),
        *("values", "value", "pointer", "record", "section", "text", "offset", "length", "data", "expect"),
        *("form", "version", "dry_run", "replace_all", "pattern", "replacement", "mode", "within", "cursor"),
        *("glob", "limit", "context", "count_only", "tail", "around_line", "around_text", "bytes", "rows"),
        *("records", "columns", "prefix", "max_chars", "edit_id", "redo", "to_path", "to_after_line", "move"),
        *("to_offset", "ids", "plan", "expected_count", "insert_after", "insert_before", "anchor", "create"),
        *(
            "near_line",
            "expect_text",
            "ensure_newline",
            "has_header",
            "expect_rows",
            "depth",
            "after",
            "skip",
        ),
        *("max_seconds", "exact_lines", "kind", "ignored", "ignore_case", "before", "nonsense"),
    }
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from([2**31, 2**63, 2**80, -(2**70)]),
    st.floats(),
    st.sampled_from(
        [
            *FILES,
            *(
                "",
                ".",
                "..",
                "/",
                "1",
                "1-2",
                "2-",
                "-2",
                "0:4",
                "4:0",
                "-1:",
                "one",
                "two\nthree",
                "\n",
                "\r",
            ),
            *(
                "(a+)+$",
                "[",
                "*",
                "**/*",
                "!x",
                "\0",
                "\ud800",
                "\u202e",
                "A/B",
                "/a/b/0",
                "/id",
                "set",
                "all",
            ),
            *(
                "insert",
                "append",
                "delete",
                "regex",
                "hex",
                "base64",
                "auto",
                "true",
                "null",
                "1:abcd",
                "0:x",
            ),
            *("csv", "json", "markdown", "anchor", "none", "nan", "[]", "{}", '[{"old_text": "one"}]', "ff"),
        ]
    ),
    st.text(max_size=5),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
edits = st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=4), max_size=3)


@contextmanager
def workspace_with_files() -> Iterator[tuple[Path, Workspace]]:
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        for name, data in FILES.items():
            Path(folder, name).write_bytes(data)
        yield Path(folder), workspace


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_arguments_of_any_shape_are_answered(draw: st.DataObject) -> None:
    with workspace_with_files() as (root, workspace):
        for kind in TOOLS:
            known = [field for field in kind.__struct_fields__ if field != "path"]
            names = sorted({*known, *NAMES} - {"path"})
            arguments = draw.draw(
                st.fixed_dictionaries(
                    {"path": st.one_of(st.sampled_from(sorted(FILES)), values)},
                    optional={
                        **{name: values for name in draw.draw(st.sets(st.sampled_from(names), max_size=3))},
                        **({"edits": edits} if "edits" in known else {}),
                    },
                )
            )
            before, began = contents(root), time.monotonic()
            answer = workspace.call(kind.tool.name, arguments)
            assert time.monotonic() - began < 5
            answer.text.encode()
            if answer.refused is not None:
                check_refusal(answer)
                assert contents(root) == before, (kind.tool.name, arguments)
            assert "/tmp" not in answer.text.replace(str(root), "")
