"""``insitu jsonl``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run

RECORDS = (
    b'{"id": 1, "status": "new", "v": 1.0}\n'
    b'{"id": 2, "status": "old", "v": 20}\n'
    b'{"id": 3, "status": "new", "user": {"name": "Ada"}}\n'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three records."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(RECORDS)
    return path


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["count"], b"3\n"),
        (["count", "--where", "status = 'new'"], b"2\n"),
        (["read", "--records", "2"], RECORDS.splitlines(keepends=True)[1]),
        (["read", "--records", "2-"], b"".join(RECORDS.splitlines(keepends=True)[1:])),
        (["read", "--where", "v > 10"], RECORDS.splitlines(keepends=True)[1]),
        (["read", "--where", "\"/user/name\" = 'Ada'"], RECORDS.splitlines(keepends=True)[2]),
        (["get", "1", "/v"], b"1.0\n"),
        (["get", "3", "/user"], b'{"name": "Ada"}\n'),
    ],
)
def test_reading(path: Path, arguments: list[str], out: bytes) -> None:
    done = run("jsonl", arguments[0], path, *arguments[1:])
    assert (done.code, done.out) == (0, out), done.err


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [
        (["set", "1", "/v", "2.50"], b"1.0", b"2.50"),
        (["set", "1", "/status", "done", "--string"], b'1, "status": "new"', b'1, "status": "done"'),
        (["update", "--set", 'status="x"', "--where", "v = 20"], b"old", b"x"),
        (["update", "--set", "/user/name=null", "--key", "/id=3"], b'"Ada"', b"null"),
        (["delete", "2"], RECORDS.splitlines(keepends=True)[1], b""),
        (["delete", "2", "/v"], b', "v": 20', b""),
        (["delete", "--where", "status = 'old'"], RECORDS.splitlines(keepends=True)[1], b""),
        (["delete", "--key", "status=old"], RECORDS.splitlines(keepends=True)[1], b""),
        (["filter", "--where", "status = 'new'"], RECORDS.splitlines(keepends=True)[1], b""),
        (["insert", "2", '{"id": 1.5}'], b'{"id": 2', b'{"id": 1.5}\n{"id": 2'),
        (["append", '{"id": 4}', "5"], b'"Ada"}}\n', b'"Ada"}}\n{"id": 4}\n5\n'),
        (["rename", "3", "/user", "person"], b'"user"', b'"person"'),
        (["merge", "3", '{"user": {"name": "Bob"}}'], b"Ada", b"Bob"),
        (["merge", "3", '{"name": "Bob"}', "--at", "/user"], b"Ada", b"Bob"),
        (["patch", "3", '{"op": "remove", "path": "/user"}'], b', "user": {"name": "Ada"}', b""),
        (["compact"], b"", b""),
    ],
)
def test_edits(path: Path, arguments: list[str], old: bytes, new: bytes) -> None:
    command = ["jsonl", arguments[0], path, *arguments[1:]]
    shown = run(*command, "--dry-run")
    assert shown.code == 0, shown.err
    assert path.read_bytes() == RECORDS
    done = run(*command, "--json")
    assert done.code == 0, done.err
    assert done.json["dry_run"] is False
    assert path.read_bytes() == RECORDS.replace(old, new, 1)


def test_padding_and_compact(path: Path) -> None:
    assert run("jsonl", "insert", path, "2", '{"id": 9}', "--pad").code == 0
    assert path.stat().st_size == len(RECORDS) + 4096
    assert run("jsonl", "compact", path).code == 0
    assert path.read_bytes() == RECORDS.replace(b'{"id": 2', b'{"id": 9}\n{"id": 2')


def test_a_torn_last_record_is_reported(path: Path) -> None:
    path.write_bytes(RECORDS + b'{"id": 4, "st')
    done = run("jsonl", "check", path)
    assert done.code == 0
    assert f"--bytes {len(RECORDS)}:{len(RECORDS) + 13}" in done.err
    assert run("jsonl", "check", path, "--json").json["torn"] == [len(RECORDS), len(RECORDS) + 13]
    assert run("jsonl", "update", path, "--set", "v=0").code == 0
    assert path.read_bytes().endswith(b'\n{"id": 4, "st')
    assert run("jsonl", "append", path, "{}").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "9"], 2, "no record 9 in"),
        (["read", "--records", "2-9"], 2, "no record 9 in"),
        (["insert", "9", "{}"], 2, "no record 9 in"),
        (["get", "1", "/x"], 1, "no key 'x'"),
        (["set", "1", "/v", "{x"], 2, "not JSON"),
        (["update", "--set", "v"], 2, "POINTER=VALUE"),
        (["update", "--set", "v=1", "--where", "a", "--key", "b=1"], 2, "not both"),
        (["delete"], 2, "one of them"),
        (["merge", "1", "{"], 2, "merge patch is not JSON"),
        (["read", "--records", "3-1"], 2, "reversed"),
        (["patch", "1", '[{"op": "test", "path": "/id", "value": 2}]'], 3, "Operation 1"),
    ],
)
def test_refusals(path: Path, arguments: list[str], code: int, words: str) -> None:
    done = run("jsonl", arguments[0], path, *arguments[1:])
    assert done.code == code
    assert words in done.err
    assert path.read_bytes() == RECORDS


def test_invalid_json_has_its_record(path: Path) -> None:
    path.write_bytes(RECORDS + b'{"id": }\n')
    done = run("jsonl", "update", path, "--set", "v=1")
    assert (done.code, "Record 4 of" in done.err) == (2, True)
