"""``insitu audit``: what agents did, listed and verified."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, folder_state, run
from tests.workspace.audit_logs import fail, files, look, opened, records, refuse, write


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of four attempts and a write that was never finished, with its key beside it."""
    with opened(tmp_path) as log:
        for act in (write, look, refuse, fail):
            act(log, f"{act.__name__}.txt")
        log.attempt("edit", path="open\x1b[2J.txt").intend()
    return tmp_path / "log"


def test_every_attempt_is_a_row(log: Path) -> None:
    done = run("audit", "show", "--log", log)
    head, *rows = done.out.decode().splitlines()
    assert (done.code, len(rows)) == (0, 5)
    assert head.split()[:4] == ["RECORD", "TIME", "(UTC)", "OUTCOME"]
    assert rows[0].split()[-7:] == ["docs/write.txt", "lines", "3-4", "+2", "B", "operation", "7"]
    assert [row[31:53].strip() for row in rows] == ["ok", "ok", "refused: stale", "failed: no-space", "open"]
    assert "host 1.2" in rows[1]
    assert rows[4].endswith("open\\x1b[2J.txt")


NARROWED = {
    "tail": (["--tail", "2"], ["fail", "open"]),
    "outcome": (["--outcome", "refused"], ["refuse"]),
    "open": (["--outcome", "open"], ["open"]),
    "tool": (["--tool", "read"], ["look"]),
    "client": (["--client", "host", "--tail", "1"], ["fail"]),
    "path": (["--path", "w*.txt"], ["write"]),
    "since": (["--since", "2999-01-01"], []),
    "until": (["--until", "1999-12-31T23:59:59+01:00"], []),
    "a day": (["--since", "2000-01-01", "--until", "2999-01-01", "--tail", "1"], ["open"]),
}


@pytest.mark.parametrize(("options", "names"), NARROWED.values(), ids=NARROWED)
def test_the_list_is_narrowed(log: Path, options: list[str], names: list[str]) -> None:
    done = run("audit", "show", "--log", log, "--json", *options)
    assert [record["path"].split(".")[0].split("\x1b")[0] for record in done.json["records"]] == names
    words = run("audit", "show", "--log", log, *options)
    assert len(words.out.splitlines()) == (len(names) + 1 if names else 0)
    assert ("no attempt fits" in words.err) == (not names)


def test_the_last_day_is_part_of_the_time(log: Path) -> None:
    day = records(log.parent)[0]["time"][:10]
    assert len(run("audit", "show", "--log", log, "--json", "--until", day).json["records"]) >= 1


def test_a_whole_log_is_called_so(log: Path) -> None:
    before = folder_state(log)
    done = run("audit", "verify", "--log", log, "--key", log.parent / "key")
    assert done.code == 0
    assert "1 write without an outcome: record 7" in done.out.decode()
    assert "whole; 7 records (1 to 7); head " in done.out.decode()
    found = run("audit", "verify", "--log", log, "--key", log.parent / "key", "--json").json
    assert (found["command"], found["damaged"], found["keyed"]) == ("audit verify", False, True)
    assert (found["records"], found["open_intents"], found["findings"]) == (7, [7], [])
    assert run("audit", "verify", "--log", log, "--expect-head", found["head"]).code == 0
    assert folder_state(log) == before


def test_damage_is_named_and_ends_with_six(log: Path) -> None:
    data = files(log.parent)[0].read_bytes()
    files(log.parent)[0].write_bytes(data.replace(b"refuse.txt", b"accept.txt"))
    done = run("audit", "verify", "--log", log, "--key", log.parent / "key")
    assert done.code == 6
    first, *_, last = done.out.decode().splitlines()
    assert first.startswith("audit-000001.jsonl:4 (record 4): changed: ")
    assert "DAMAGED" in last
    found = run("audit", "verify", "--log", log, "--key", log.parent / "key", "--json")
    assert (found.code, found.json["damaged"]) == (6, True)
    assert found.json["findings"][0]["seq"] == 4


def test_without_the_key_it_says_so(log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    done = run("audit", "verify", "--log", log)
    assert done.code == 0
    assert "without the key" in done.out.decode()
    assert run("audit", "verify", "--log", log, "--json").json["keyed"] is False


WRONG = {
    "no log": ["show", "--log", "missing"],
    "no log to verify": ["verify", "--log", "missing"],
    "no default log": ["show"],
    "a key that is not there": ["verify", "--key", "missing"],
    "no time": ["show", "--since", "yesterday"],
    "no digest": ["verify", "--expect-head", "abc"],
    "no outcome": ["show", "--outcome", "good"],
    "none of them": ["show", "--tail", "0"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert run("audit", *arguments).code == 2
    assert run("audit", *arguments, "--json").json["error"]["exit_code"] == 2
    assert list(tmp_path.iterdir()) == []


def test_damaged_lines_are_passed_over(log: Path) -> None:
    with files(log.parent)[0].open("ab") as file:
        file.write(b"words\n")
    done = run("audit", "show", "--log", log)
    assert len(done.out.splitlines()) == 6
    assert "1 line passed over: see insitu audit verify" in done.err


@pytest.mark.slow
def test_a_terminal_gets_colours(log: Path) -> None:
    master, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    command = [*COMMAND, "audit", "show", "--log", str(log), "--tail", "2"]
    subprocess.run(command, stdout=terminal, check=True, timeout=60, env=environment)
    os.close(terminal)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "\x1b[31m" in shown and "failed: no-space" in shown
    assert "\x1b[2J" not in shown


def test_the_object_is_one_line_of_json(log: Path) -> None:
    out = run("audit", "show", "--log", log, "--json").out
    assert out.count(b"\n") == 1
    assert json.loads(out)["schema_version"] == 1
