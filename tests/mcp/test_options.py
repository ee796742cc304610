"""What the options of ``insitu mcp`` allow and forbid, seen from a host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from insitu.mcp.rendering import ERROR_KEY
from tests.cli.running import run
from tests.mcp.raw import Host, hosting

pytestmark = pytest.mark.slow

EDIT = {"old_text": "one", "new_text": "1"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file."""
    return folder(tmp_path / "root")


def folder(path: Path) -> Path:
    """A folder with a file, made."""
    path.mkdir()
    (path / "a.txt").write_bytes(b"one\n" + b"filler\n" * 10_000)
    return path


def code(result: dict[str, Any]) -> str | None:
    """The code of a refusal; None where the call was carried out."""
    return result["_meta"][ERROR_KEY]["code"] if result.get("isError") else None


def names(host: Host) -> list[str]:
    """The tools that are listed."""
    return [tool["name"] for tool in host.ask("tools/list", {})["result"]["tools"]]


def test_only_write_roots_are_written(root: Path, tmp_path: Path) -> None:
    other = folder(tmp_path / "other")
    with hosting(root, "--write-root", str(other)) as host:
        host.begin()
        assert code(host.call("file_edit", path="root:a.txt", **EDIT)) == "read-only"
        assert code(host.call("file_read", path="root:a.txt", lines="1")) is None
        assert code(host.call("file_edit", path="other:a.txt", **EDIT)) is None
        across = {"lines": "1-2", "to_path": "other:a.txt", "to_after_line": 0}
        assert code(host.call("file_copy_range", path="root:a.txt", **across)) is None
        assert code(host.call("file_copy_range", path="root:a.txt", move=True, **across)) == "read-only"
    assert (root / "a.txt").read_bytes().startswith(b"one\nfiller\n")
    assert (other / "a.txt").read_bytes().startswith(b"one\nfiller\n1\n")


def test_a_read_only_server_has_no_tool_that_edits(root: Path) -> None:
    with hosting(root, "--read-only") as host:
        host.begin()
        assert "file_read" in names(host)
        assert "file_edit" not in names(host)
        assert code(host.call("file_edit", path="a.txt", **EDIT)) == "invalid-arguments"
    assert (root / "a.txt").read_bytes().startswith(b"one\n")


def test_an_edit_that_would_write_too_much_is_refused(root: Path) -> None:
    with hosting(root, "--max-write", "10000") as host:
        host.begin()
        assert code(host.call("file_edit", path="a.txt", **EDIT)) == "limit"
        assert code(host.call("file_edit", path="a.txt", old_text="one", new_text="eno")) is None
    assert (root / "a.txt").read_bytes().startswith(b"eno\n")


def test_what_is_done_is_on_record(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    with hosting(root, "--audit", str(log)) as host:
        host.begin()
        host.call("file_edit", path="a.txt", **EDIT)
        host.call("file_edit", path="a.txt", **EDIT)
        host.call("file_read", path="../outside")
        host.hang_up()
        host.ended()
    shown = run("audit", "show", "--log", log, "--json").json["records"]
    assert [(record["tool"], record["outcome"]) for record in shown] == [
        ("file_edit", "ok"),
        ("file_edit", "refused"),
        ("file_read", "refused"),
    ]
    assert {record["client"]["name"] for record in shown} == {"raw"}
    assert "filler" not in json.dumps(shown)
