"""``insitu transform``: functions and built-in changes, with the options of every edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import folder_state, run, run_process

MODULE = """
def upper(line):
    return line.upper() if "3" in line else line

def near(line, context):
    return f"{context.number}: {len(context.before)}\\n" if "5" in line else line

def failing(line):
    return line if "7" not in line else 1 / 0

def chunk(data):
    return data.replace(b"line 1", b"LINE 1")

def record(value):
    return {**value, "n": value["n"] + 1}
"""


@pytest.fixture
def module(ten: Path) -> Path:
    path = ten.with_name("cleaning_ten.py")
    path.write_text(MODULE, "utf-8")
    return path


def test_a_function_changes_lines(ten: Path, module: Path) -> None:
    done = run("transform", ten, f"{module}:upper")
    assert (done.code, done.err) == (0, done.err)
    assert "changed 1 line, operation 1" in done.err
    assert ten.read_text().splitlines()[2] == "LINE 3"
    assert run("undo", ten).code == 0
    assert "LINE" not in ten.read_text()


def test_context_records_and_chunks(ten: Path, module: Path, tmp_path: Path) -> None:
    assert run("transform", ten, f"{module}:near", "--context", "9").code == 0
    assert ten.read_text().splitlines()[4] == "5: 4"
    assert run("transform", ten, f"{module}:chunk", "--by", "chunks", "--chunk-size", "20").code == 0
    assert ten.read_text().startswith("LINE 1\nline 2\n")
    jsonl = tmp_path / "n.jsonl"
    jsonl.write_text('{"n":1}\n{"n":2}\n')
    assert "changed 2 records" in run("transform", jsonl, f"{module}:record", "--by", "records").err
    assert jsonl.read_text() == '{"n":2}\n{"n":3}\n'


def test_modules_of_the_working_folder_are_found(ten: Path, module: Path) -> None:
    done = run_process("transform", ten, f"{module.stem}:upper", "--workers", "2", cwd=ten.parent)
    assert done.code == 0
    assert "LINE 3" in ten.read_text()


def test_a_dry_run_shows_what_would_change_and_changes_nothing(ten: Path, module: Path) -> None:
    before = folder_state(ten.parent)
    done = run("transform", ten, f"{module}:upper", "--dry-run")
    assert b"-line 3\n+LINE 3\n" in done.out
    after = folder_state(ten.parent)
    assert {name: after[name] for name in before} == before


def test_a_function_that_fails_names_the_line_and_the_file_is_old(ten: Path, module: Path) -> None:
    before = ten.read_bytes()
    done = run_process("transform", ten, f"{module}:failing", "--json")
    assert done.code == 2
    error = done.json["error"]
    assert (error["code"], error["facts"]["line"], error["facts"]["offset"]) == ("function-failed", 7, 42)
    assert "ZeroDivisionError" in error["message"]
    assert "in failing" in error["facts"]["traceback"]
    assert ten.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "data", "expected", "said"),
    [
        (["--substitute", "a(.)", r"<\1>"], b"ab\nac\n", b"<b>\n<c>\n", "substituted 2 matches"),
        (["--substitute", "b", "x"], b"ab\nac\n", b"ax\nac\n", "substituted 1 match,"),
        (["--drop", "b$"], b"ab\nac\n", b"ac\n", "dropped 1 line"),
        (["--keep", "b$"], b"ab\r\nac\r\n", b"ab\r\n", "dropped 1 line"),
        (["--dedupe"], b"a\nb\na\n", b"a\nb\n", "dropped 1 line"),
        (["--dedupe", "--adjacent"], b"a\na\nb\na\n", b"a\nb\na\n", "dropped 1 line"),
        (["--number"], b"a\nb", b"1\ta\n2\tb", "numbered 2 lines"),
        (["--line-ends", "crlf"], b"a\nb\r\n", b"a\r\nb\r\n", "changed 1 line end"),
        (["--line-ends", "lf"], b"a\nb\r\n", b"a\nb\n", "changed 1 line end"),
        (["--trim"], b"a \t\nb\n", b"a\nb\n", "trimmed 1 line"),
        (["--redact", "[0-9]+"], b"a12\nb\n", b"a**\nb\n", "redacted 1 match,"),
        (["--redact", "[0-9]+", "--mask", "#"], b"a12\nb3", b"a##\nb#", "redacted 2 matches"),
    ],
)
def test_built_in_changes(
    tmp_path: Path, options: list[str], data: bytes, expected: bytes, said: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    done = run("transform", path, *options)
    assert (done.code, path.read_bytes()) == (0, expected)
    assert said in done.err
    assert run("undo", path).code == 0
    assert path.read_bytes() == data


def test_a_file_of_utf16_is_changed_in_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffgr\xfc\xdfe \r\nzwei\r\n".encode("utf-16-le"))
    assert run("transform", path, "--trim").code == 0
    assert run("transform", path, "--substitute", "zwei", "\u20ac").code == 0
    assert path.read_bytes().decode("utf-16-le") == "\ufeffgr\xfc\xdfe\r\n\u20ac\r\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["m:f", "--trim"],
        ["--trim", "--number"],
        ["--adjacent", "--trim"],
        ["--mask", "#", "--trim"],
        ["--trim", "--workers", "2"],
        ["os:getcwd", "--chunk-size", "3"],
        ["no_such_module:f"],
        ["--drop", "("],
        ["--redact", "a", "--mask", "xy"],
        ["--line-ends", "cr"],
    ],
)
def test_wrong_requests_are_refused(ten: Path, arguments: list[str]) -> None:
    before = ten.read_bytes()
    assert run_process("transform", ten, *arguments).code == 2
    assert ten.read_bytes() == before
