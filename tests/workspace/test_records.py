"""What the audit log is told, and what answers never tell."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from insitu.workspace.audit_listing import Filter, Listing
from insitu.workspace.workspace import Workspace
from tests.workspace.audit_logs import on_record, opened, records
from tests.workspace.desks import Bench


def test_every_attempt_is_on_record_without_what_is_in_the_files(tmp_path: Path) -> None:
    with on_record(tmp_path) as (bench, _):
        bench.put("f.txt", b"secret one\n")
        bench.done("file_edit", path="f.txt", old_text="secret one", new_text="secret two")
        bench.refused("file_edit", path="f.txt", old_text="secret one", new_text="secret two")
        bench.refused(
            "file_edit", path="f.txt", lines="1", expect_text="secret", anchor="secret", new_text="x"
        )
        bench.done(
            "file_transaction", calls=[{"tool": "file_append", "path": "f.txt", "text": "secret three"}]
        )
        bench.refused("file_nope", path="secret.txt" * 0)
        bench.done("file_search", pattern="secret")
        bench.workspace.call("file_read", [])
    found = records(tmp_path)
    assert "secret" not in json.dumps(found)
    attempts = [record for record in found if "tool" in record]
    assert {record["tool"] for record in attempts} >= {
        "file_edit",
        "file_transaction",
        "file_nope",
        "file_read",
    }


def test_a_log_inside_the_root_is_neither_listed_nor_searched_nor_read(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"one\n")
    with (
        opened(tmp_path) as log,
        Workspace(str(tmp_path), audit=log) as workspace,
    ):
        bench = Bench(tmp_path, workspace)
        assert "log" not in bench.done("file_list").text
        assert "log" not in bench.done("file_search", pattern="file_list").text
        assert workspace.call("file_list", {"path": "log"}).refused is not None


@pytest.mark.parametrize("tool", ["file_read", "file_info", "file_history", "file_outline", "file_list"])
def test_nothing_is_said_about_what_lies_outside(bench: Bench, tmp_path: Path, tool: str) -> None:
    (tmp_path / "outside-secret.txt").write_bytes(b"secret\n")
    (bench.root / "link").symlink_to(tmp_path / "outside-secret.txt")
    (bench.root / "gone").symlink_to(tmp_path / "outside-nothing")
    for path in ("link", "gone", str(tmp_path / "outside-secret.txt"), str(tmp_path / "outside-nothing")):
        answer = bench.refused(tool, path=path)
        assert "outside-secret" not in answer.text.replace(path, "")
        assert "outside-nothing" not in answer.text.replace(path, "")
    there = bench.refused(tool, path=str(tmp_path / "outside-secret.txt")).text
    missing = bench.refused(tool, path=str(tmp_path / "outside-nothing")).text
    assert there.replace("outside-secret.txt", "X") == missing.replace("outside-nothing", "X")


def test_a_transaction_is_on_record_with_what_it_changes_in_each_file(tmp_path: Path) -> None:
    with on_record(tmp_path) as (bench, _):
        for name in ("a.txt", "b.txt", "same.txt"):
            bench.put(name, b"one\n")
        calls = [
            {"tool": "file_edit", "path": "a.txt", "old_text": "one", "new_text": "two"},
            {"tool": "file_append", "path": "b.txt", "text": "three"},
            {"tool": "file_edit", "path": "same.txt", "old_text": "nine", "expect": "all"},
        ]
        versions = [file["version"] for file in bench.done("file_transaction", calls=calls).data["files"]]
    intent, outcome = records(tmp_path)
    change = {
        "start": 0,
        "old_bytes": 3,
        "new_bytes": 3,
        "old_sha256": sha256(b"one").hexdigest(),
        "new_sha256": sha256(b"two").hexdigest(),
    }
    assert set(intent["files"]) == set(outcome["files"]) == {"a.txt", "b.txt"}
    for record in (intent, outcome):
        assert record["files"]["a.txt"]["changes"] == [change]
        assert record["files"]["b.txt"]["changes_count"] == 1
        assert (record["files"]["b.txt"]["size_before"], record["files"]["b.txt"]["size_after"]) == (4, 10)
    assert [outcome["files"][name]["version_after"] for name in ("a.txt", "b.txt")] == versions[:2]
    assert [outcome["files"][name]["operation"] for name in ("a.txt", "b.txt")] == [1, 1]
    listed = list(Listing(tmp_path / "log").forwards(Filter(path="b.txt")))
    assert [record["outcome"] for record in listed] == ["ok"]
