"""``insitu draft`` and ``--draft``: edits saved beside the file, and committed as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import folder_state, run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "orders.log"
    path.write_bytes(b"".join(b"order %d open\n" % number for number in range(1, 101)))
    return path


def read(path: Path) -> bytes:
    return run("read", path, "--draft").out


def test_edits_are_saved_in_the_draft_until_it_is_committed(log: Path) -> None:
    before = log.read_bytes()
    done = run("insert", log, "--after-line", 2, "--text", "a note", "--draft")
    assert done.code == 0
    assert (
        done.err
        == f"{log}: inserted 7 bytes after line 2 in the draft, which now changes 1 place (+7 B, -0 B)\n"
    )
    run("delete", log, "--lines", "50-60", "--draft")
    run("replace", log, "order 9 open", "order 9 done", "--draft")
    wanted = before.replace(b"order 3 open", b"a note\norder 3 open").replace(
        b"order 9 open", b"order 9 done"
    )
    gone = b"".join(b"order %d open\n" % number for number in range(49, 60))
    wanted = wanted.replace(gone, b"")
    assert read(log) == wanted
    assert run("read", log, "--draft", "--lines", 3).out == b"a note\n"
    assert run("find", log, "a note", "--count", "--draft").out == b"1\n"
    assert run("find", log, "a note", "--count").out == b"0\n"
    assert log.read_bytes() == before
    assert b"+a note" in run("draft", "diff", log).out
    done = run("draft", "commit", log)
    assert done.err.startswith(f"{log}: committed the draft of 3 places, operation 1, ")
    assert log.read_bytes() == wanted
    assert run("undo", log).code == 0 and log.read_bytes() == before


def test_status_says_what_it_holds_and_whether_it_fits(log: Path) -> None:
    run("write", log, "--lines", 7, "--text", "changed", "--draft")
    text = run("draft", "status", log).out.decode()
    assert "1 place (+8 B, -13 B)" in text and "fits     yes" in text
    assert run("info", log, "--json").json["draft_bytes"] > 0
    log.write_bytes(b"new line\n" + log.read_bytes())
    text = run("draft", "status", log).out.decode()
    assert "fits     no" in text and "somebody else" in text
    done = run("draft", "commit", log)
    assert done.code == 3 and "insitu draft diff" in done.err
    assert "not what it was" in run("draft", "diff", log).out.decode()
    fields = run("draft", "status", log, "--json").json
    assert fields["standing"] == "changed" and len(fields["moved"]) == 1
    assert run("draft", "commit", log, "--if-intact").code == 3


def test_a_harmless_change_of_others_can_be_gone_over(log: Path) -> None:
    run("write", log, "--lines", 7, "--text", "changed", "--draft")
    with log.open("ab") as file:
        file.write(b"order 101 open\n")
    done = run("draft", "commit", log)
    assert done.code == 3 and "--if-intact" in done.err
    assert run("draft", "commit", log, "--if-intact").code == 0
    assert b"changed\n" in log.read_bytes() and log.read_bytes().endswith(b"order 101 open\n")


def test_start_and_drop(log: Path) -> None:
    assert run("draft", "start", log).err == f"{log}: began a draft\n"
    assert run("draft", "start", log).err == f"{log}: there is a draft already\n"
    assert run("draft", "drop", log).err == f"{log}: dropped the draft\n"
    assert not (log.parent / ".insitu").exists()


@pytest.mark.parametrize(
    "command",
    [("draft", "status"), ("draft", "diff"), ("draft", "commit"), ("draft", "drop"), ("read", "--draft")],
)
def test_without_a_draft_there_is_nothing_to_find(log: Path, command: tuple[str, ...]) -> None:
    before = folder_state(log.parent)
    done = run(*command, log)
    assert done.code == 1 and "no draft" in done.err and "insitu draft start" in done.err
    assert folder_state(log.parent) == before


def test_a_dry_run_shows_and_changes_nothing(log: Path) -> None:
    for _ in range(2):
        before = folder_state(log.parent)
        done = run("insert", log, "--end", "--text", "more", "--draft", "--dry-run")
        assert done.code == 0 and b"+more" in done.out
        assert folder_state(log.parent) == before
        run("insert", log, "--at", 0, "--text", "x", "--draft")
    before = folder_state(log.parent)
    assert b"overwrite" in run("draft", "commit", log, "--dry-run").out
    assert folder_state(log.parent) == before


@pytest.mark.parametrize("option", ["--no-undo", "--atomic", "--fast", "--planner=shift"])
def test_how_to_commit_is_said_when_committing(log: Path, option: str) -> None:
    done = run("delete", log, "--lines", 1, "--draft", option)
    assert done.code == 2 and option.partition("=")[0] in done.err and "draft commit" in done.err
    run("delete", log, "--lines", 1, "--draft")
    assert run("draft", "commit", log, option).code == 0


def test_conditions_hold_for_what_the_draft_shows(log: Path) -> None:
    run("write", log, "--lines", 1, "--text", "first", "--draft")
    assert run("write", log, "--lines", 1, "--text", "x", "--expect", "order 1 open", "--draft").code == 3
    assert run("write", log, "--lines", 1, "--text", "x", "--expect", "first", "--draft").code == 0
    token = run("info", log, "--json").json["generation"]
    assert run("delete", log, "--lines", 2, "--draft", "--if-generation", token).code == 0
    assert run("delete", log, "--lines", 2, "--draft", "--if-generation", "1-2-3-4").code == 3
    assert run("write", log, "--lines", 1, "--text", "x", "--draft").err.endswith(
        "nothing to change in the draft\n"
    ) or (read(log).startswith(b"x\n"))


@pytest.mark.slow
def test_formats_edit_drafts(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"id,status\n1,new\n2,new\n3,old\n")
    assert run("csv", "set", table, "done", "--row", 1, "--column", "status", "--draft").code == 0
    done = run("csv", "update", table, "--where", "status = 'new'", "--set", "status=sold", "--draft")
    assert "updated" in done.err and "in the draft" in done.err
    assert read(table) == b"id,status\n1,done\n2,sold\n3,old\n"
    assert run("transform", table, "--drop", "^3,", "--draft").code == 0
    run("draft", "commit", table)
    assert table.read_bytes() == b"id,status\n1,done\n2,sold\n"
    page = tmp_path / "p.md"
    page.write_bytes(b"# One\n\ntext\n\n# Two\n")
    assert run("md", "append", page, "One", "--text", "more", "--draft").code == 0
    assert b"more" in read(page) and b"more" not in page.read_bytes()
    value = tmp_path / "v.json"
    value.write_bytes(b'{"a": 1}')
    assert run("json", "set", value, "/a", "2", "--draft").code == 0
    assert json.loads(read(value)) == {"a": 2}
    records = tmp_path / "r.bin"
    records.write_bytes(bytes(16))
    given = ("--dtype", "a:<i8", "--records", "2", "--value", "5", "--field", "a")
    assert run("records", "set", records, *given, "--draft").code == 0
    assert read(records) == bytes(8) + b"\5" + bytes(7)


def test_history_and_transactions_have_no_drafts(log: Path) -> None:
    assert run("undo", log, "--draft").code == 2
    edits = json.dumps({"path": str(log), "lines": "1-1", "text": "x"}).encode()
    assert run("apply", "--transaction", "-", "--draft", stdin=edits).code == 2
    assert run("read", log, "--draft", "--at", 0).code == 2
