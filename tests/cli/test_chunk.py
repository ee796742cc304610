"""``insitu chunk``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import run

MANUAL = (
    b"# Manual\n\nWhat it is.\n\n## Install\n\n" + b"Use the package. " * 30 + b"\n\n## Usage\n\nCall it.\n"
)


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    path = tmp_path / "manual.md"
    path.write_bytes(MANUAL)
    return path


def test_it_lists_chunks_for_people(manual: Path) -> None:
    done = run("chunk", manual, "--max-bytes", 300)
    assert done.code == 0
    head, *rows = done.out.decode().splitlines()
    assert head.split() == ["chunk", "lines", "bytes", "size", "hash", "under"]
    assert rows[0].split()[:3] == ["1", "1-6", "0:35"]
    assert "Manual / Install" in done.out.decode()
    assert "[split]" in done.out.decode()
    assert "of at most 300 bytes, cut as markdown" in done.err


def test_each_is_an_object_on_a_line_of_its_own(manual: Path) -> None:
    done = run("chunk", manual, "--max-chars", 300, "--json", "--overlap", 10)
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    assert found[-1]["bytes"][1] == len(MANUAL)
    assert found[-1]["path"] == ["Manual", "Install"]
    assert all(one["schema_version"] == 1 and len(one["hash"]) == 16 for one in found)


def test_the_text_of_one_is_printed_exactly(manual: Path) -> None:
    parts = []
    for number in range(1, 50):
        done = run("chunk", manual, "--max-bytes", 300, "--text", number)
        if done.code:
            break
        parts.append(done.out)
    assert b"".join(parts) == MANUAL
    assert done.code == 1
    assert "There is no chunk" in done.err


def test_rows_are_numbered_and_know_their_header(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'id,v\n1,"a\nb"\n2,c\n3,d\n')
    done = run("chunk", path, "--max-bytes", 10, "--json")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["rows"] for one in found] == [None, [1, 1], [2, 3]]
    assert [one["header"] for one in found] == [None, [0, 5], [0, 5]]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--max-bytes", 0), 2),
        (("--max-bytes", 10, "--max-chars", 10), 2),
        (("--max-tokens", 1 << 40), 2),
        (("--overlap", -1), 2),
        (("--kind", "markdown", "--language", "python"), 2),
        (("--language", "klingon"), 2),
        (("--kind", "pdf"), 2),
    ],
)
def test_what_makes_no_sense_is_refused(manual: Path, arguments: tuple[str | int, ...], code: int) -> None:
    done = run("chunk", manual, *arguments)
    assert (done.code, done.out) == (code, b"")


def test_code_without_a_grammar_says_how_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "main.zig"
    path.write_bytes(b"fn a() void {\n}\n\nfn b() void {\n}\n")
    done = run("chunk", path, "--kind", "code", "--max-bytes", 20)
    assert "blank lines and indentation" in done.err
    assert [row.split()[1] for row in done.out.decode().splitlines()[1:]] == ["1-3", "4-5"]
