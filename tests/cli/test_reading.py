"""Commands that only look: read, find, info, history, diff, index, doctor."""

from __future__ import annotations

import base64
import codecs
import re
import resource
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import TEN_LINES
from tests.cli.running import COMMAND, folder_state, run, run_process

LOOKS = {
    "info": ["info"],
    "read": ["read"],
    "read lines": ["read", "--lines", "2"],
    "find": ["find", "line"],
    "count": ["find", "line", "--count"],
    "history": ["history"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("name", LOOKS)
def test_looking_changes_nothing(ten: Path, name: str) -> None:
    command, *rest = LOOKS[name]
    before = folder_state(ten.parent)
    for options in ([], ["--json"]):
        assert run(command, ten, *rest, *options).code == 0
    assert folder_state(ten.parent) == before


@pytest.mark.parametrize("name", LOOKS)
def test_looking_answers_with_one_object(ten: Path, name: str) -> None:
    command, *rest = LOOKS[name]
    found = run(command, ten, *rest, "--json").json
    assert (found["schema_version"], found["command"], found["path"]) == (1, command, str(ten))


def test_reading_gives_the_exact_bytes(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    contents = bytes(range(256)) * 9000 + b"\r\n\0\xff"
    path.write_bytes(contents)
    assert run("read", path).out == contents
    assert run_process("read", path, "--bytes", "1000:-7").out == contents[1000:-7]


def test_reading_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert run("read", path)[:] == (0, b"", "")
    assert run("read", path, "--bytes", "0:0")[:] == (0, b"", "")
    assert run("read", path, "--lines", "1-").code == 2
    assert run("read", path, "--tail", 1).code == 2


def test_read_in_json_text_is_text_and_bytes_are_base64(ten: Path) -> None:
    found = run("read", ten, "--lines", 2, "--json").json
    assert (found["text"], found["span"], found["encoding"]) == ("line 2\n", [7, 14], "utf-8")
    ten.write_bytes(codecs.BOM_UTF8 + b"a\xffb")
    found = run("read", ten, "--bytes", "3:", "--json").json
    assert base64.b64decode(found["base64"]) == b"a\xffb"


def test_read_in_json_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(20 << 20)
    done = run("read", path, "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "limit"


@pytest.mark.slow
def test_reading_takes_little_memory_whatever_the_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    done = run_process("read", path, "--bytes", "0:5", preexec_fn=_limit_memory)
    assert done.code == 0
    with (tmp_path / "copy").open("wb") as copy:
        subprocess.run([*COMMAND, "read", path], stdout=copy, check=True, preexec_fn=_limit_memory)
    assert (tmp_path / "copy").stat().st_size == 300 << 20


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))


def test_found_places_are_byte_line_and_text(ten: Path) -> None:
    done = run("find", ten, "line 1")
    assert done.out == b"0\t1\tline 1\n63\t10\tline 10\n"
    assert run("find", ten, r"^line \d0$", "--regex").out == b"63\t10\tline 10\n"


def test_what_is_found_is_bounded_and_says_so(ten: Path) -> None:
    done = run("find", ten, "line", "--max", 3)
    assert done.out.count(b"\n") == 3
    assert "--max 0" in done.err
    assert run("find", ten, "line", "--max", 0).out.count(b"\n") == 10
    found = run("find", ten, "line", "--max", 3, "--json").json
    assert (len(found["matches"]), found["more"]) == (3, True)
    assert found["matches"][1] == {"byte": 7, "stop": 11, "line": 2, "text": "line 2"}


def test_finding_nothing_exits_with_one(ten: Path) -> None:
    assert run("find", ten, "nothing")[:] == (1, b"", "")
    assert run("find", ten, "nothing", "--count")[:] == (1, b"0\n", "")
    assert run("find", ten, "nothing", "--json").json["matches"] == []


def test_a_found_line_stays_on_one_line_and_short(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 5000 + b"needle\t\x1b[31m\0" + b"y" * 5000 + b"\nneedle\r\n")
    out = run("find", path, "needle").out
    first, second = out.splitlines()
    assert len(first) < 300
    assert re.fullmatch(rb"5000\t1\t\.\.\.x+needle\\t\\x1b\[31m\\x00y+\.\.\.", first)
    assert second == b"10014\t2\tneedle"


def test_a_match_may_span_lines(ten: Path) -> None:
    assert run("find", ten, "9\nline").out == b"61\t9\tline 9\\nline 10\n"


def test_line_numbers_are_right_far_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_bytes(b"abc\n" * 700_000 + b"needle\n" + b"abc\n" * 10 + b"needle\n")
    assert run("find", path, "needle").out == b"2800000\t700001\tneedle\n2800047\t700012\tneedle\n"


def test_text_of_other_encodings_is_found(tmp_path: Path) -> None:
    path = tmp_path / "wide"
    path.write_bytes("\ufeffeins\nzwei\n".encode("utf-16-le"))
    assert run("find", path, "zwei").out == b"12\t2\tzwei\n"


def test_history_and_diff_tell_what_was_done(ten: Path) -> None:
    assert run("history", ten)[:] == (0, b"", f"{ten}: no operation is kept\n")
    assert run("replace", ten, "line 2", "two").code == 0
    rows = run("history", ten).out.decode().splitlines()
    assert rows[0].split() == ["OPERATION", "TIME", "KIND", "PLACES", "SIZE", "KEPT", "PLANNER"]
    assert rows[1].split()[0] == "1"
    assert "-3 B" in rows[1]
    shown = run("diff", ten, 1).out
    assert b"-line 2\n" in shown
    assert b"+two\n" in shown
    assert run("diff", ten, 1, "--json").json["diff"] == shown.decode()
    assert run("diff", ten, 2).code == 3


def test_indexing_counts_lines(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_bytes(b"abc\n" * 2_000_000)
    assert run("index", path, "--json").json["lines"] == 2_000_000
    assert "2,000,000 lines" in run("index", path).err
    assert path.stat().st_size == 8_000_000


def test_doctor_looks_at_folders_too(tmp_path: Path) -> None:
    assert run("doctor", tmp_path).code == 0
    assert run("doctor", tmp_path / "missing").code == 2


@pytest.mark.slow
def test_names_that_are_no_text_work(tmp_path: Path) -> None:
    path = tmp_path / "n\udcffame with\nline end"
    path.write_bytes(TEN_LINES)
    assert run_process("write", path, "--lines", 1, "--text", "x").code == 0
    assert run_process("info", path).code == 0
    assert run_process("info", path, "--json").json["size"] == len(TEN_LINES) - 5
    assert run_process("read", tmp_path / "n\udcffo").code == 2
