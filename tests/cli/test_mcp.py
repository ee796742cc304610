"""``insitu mcp``: what it is started with; ``tests/mcp`` has what it then does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.running import run

STARTED = ("mcp", "--no-audit", "--root")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--root DIR"),
        (["--root", "missing"], "does not exist"),
        (["--root", "a.txt"], "is a file"),
        (["--root", ".", "--http", "localhost"], "is no address"),
        (["--root", ".", "--http", "localhost:70000"], "is no address"),
        (["--root", ".", "--token-file", "token"], "go with --http"),
        (["--root", ".", "--allow-host", "x"], "go with --http"),
        (["--root", ".", "--no-audit", "--audit", "x"], "--no-audit keeps no log"),
        (["--root", ".", "--no-audit", "--audit-contents"], "--no-audit keeps no log"),
        (["--root", ".", "--max-seconds", "0"], "--max-seconds"),
        (["--root", ".", "--root", ".", "--no-audit"], "root"),
        (["--root", ".", "--audit", "./audit"], "inside"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / "state"))
    done = run("mcp", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == b""


def test_without_the_sdk_it_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    done = run(*STARTED, tmp_path)
    assert done.code == 2
    assert "pip install 'insitu[mcp]'" in done.err
