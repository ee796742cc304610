"""``insitu json``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run

CONFIG = b"""{
  "server": {"port": 80, "hosts": ["a", "b"]},
  "price": 1.0
}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small document."""
    path = tmp_path / "config.json"
    path.write_bytes(CONFIG)
    return path


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["get", "/server/port"], b"80\n"),
        (["get"], CONFIG),
        (["keys"], b"server\nprice\n"),
        (["keys", "/server"], b"port\nhosts\n"),
        (["check"], b""),
    ],
)
def test_reading(path: Path, arguments: list[str], out: bytes) -> None:
    done = run("json", arguments[0], path, *arguments[1:])
    assert (done.code, done.out) == (0, out), done.err
    assert run("json", arguments[0], path, *arguments[1:], "--json").json["command"]


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [
        (["set", "/server/port", "8080"], b"80", b"8080"),
        (["set", "/price", "1.50"], b"1.0", b"1.50"),
        (["set", "/server/name", "x", "--string"], b'"b"]', b'"b"], "name": "x"'),
        (["insert", "/server/hosts/0", '"z"'], b'["a"', b'["z", "a"'),
        (["append", "/server/hosts", '"c"', '"d"'], b'"b"]', b'"b", "c", "d"]'),
        (["delete", "/server/hosts/0"], b'"a", ', b""),
        (["rename", "/price", "cost"], b"price", b"cost"),
        (["merge", '{"server": {"port": null}}'], b'"port": 80, ', b""),
        (["merge", '{"port": 81}', "--at", "/server"], b"80", b"81"),
        (["patch", '[{"op": "replace", "path": "/price", "value": 2}]'], b"1.0", b"2"),
    ],
)
def test_edits(path: Path, arguments: list[str], old: bytes, new: bytes) -> None:
    command = ["json", arguments[0], path, *arguments[1:]]
    shown = run(*command, "--dry-run")
    assert shown.code == 0, shown.err
    assert path.read_bytes() == CONFIG
    assert run(*command).code == 0
    assert path.read_bytes() == CONFIG.replace(old, new, 1)
    assert run("undo", path).code == 0
    assert path.read_bytes() == CONFIG


def test_padding(path: Path) -> None:
    assert run("json", "set", path, "/price", "12.5", "--pad").code == 0
    assert path.stat().st_size == len(CONFIG) + 4096
    assert run("json", "set", path, "/price", "1234.5", "--pad").code == 0
    assert path.stat().st_size == len(CONFIG) + 4096


def test_a_value_from_standard_input(path: Path) -> None:
    assert run("json", "set", path, "/price", "-", stdin=b"[1,\n2]\n").code == 0
    assert path.read_bytes() == CONFIG.replace(b"1.0", b"[1,\n2]")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "/server/port/x"], 1, "'/server/port' is the number 80"),
        (["get", "/server/hosts/2"], 1, "an array of 2 elements"),
        (["get", "server"], 2, "'/server'"),
        (["set", "/price", "{"], 2, "not JSON"),
        (["rename", "/price", "server"], 3, "server"),
        (["keys", "/price"], 1, "no keys"),
        (["patch", '{"op": "x"}'], 2, "Operation 1"),
    ],
)
def test_refusals(path: Path, arguments: list[str], code: int, words: str) -> None:
    done = run("json", arguments[0], path, *arguments[1:])
    assert done.code == code
    assert words in done.err
    assert path.read_bytes() == CONFIG


def test_check_names_the_place(path: Path) -> None:
    path.write_bytes(b'{"a": [1, 2}')
    done = run("json", "check", path)
    assert (done.code, "at byte 11" in done.err) == (2, True)
