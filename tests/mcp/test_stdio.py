"""Standard input and output: nothing but messages, no answer lost, and an end when it is asked for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.mcp.raw import Host, hosting

pytestmark = pytest.mark.slow

HUGE = 1 << 40
READ = {"name": "file_read", "arguments": {"path": "a.txt"}}
SEARCH = {"name": "file_search", "arguments": {"path": "huge", "pattern": "needle"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a small file and one whose search takes very long."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\ntwo\n")
    with (folder / "huge").open("wb") as file:
        file.write(b"first line\n")
        file.truncate(HUGE)
    return folder


def searching(host: Host) -> int:
    """Starts a long search and waits until it reports progress."""
    request_id = host.request("tools/call", {**SEARCH, "_meta": {"progressToken": "p"}})
    message = host.receive()
    assert message["method"] == "notifications/progress"
    assert 0 < message["params"]["progress"] < message["params"]["total"] == HUGE
    return request_id


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
def test_earlier_revisions_are_spoken(root: Path, revision: str) -> None:
    with hosting(root) as host:
        said = host.begin(revision)
        assert said["protocolVersion"] == revision
        assert said["serverInfo"]["name"] == "insitu"
        assert "one" in host.call("file_read", path="a.txt")["content"][0]["text"]


def test_lines_that_are_no_messages_are_answered_and_passed_over(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        for line, code in {
            b"no json": -32700,
            b'{"jsonrpc": "2.0", "id": {}, "method": "x"}': -32600,
            b"[1, 2]": -32600,
            b"\xff\xfe": -32700,
            b" " * (17 << 20): -32600,
        }.items():
            host.send(line)
            answer = host.receive()
            assert answer["error"]["code"] == code, line[:40]
            assert answer.get("id") is None
        host.send(b"", b"   ")
        assert not host.call("file_read", path="a.txt").get("isError")


def test_what_was_asked_before_the_input_ends_is_answered(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        ids = {host.request("tools/call", READ) for _ in range(40)}
        host.hang_up()
        assert {message["id"] for message in host.rest() if "result" in message} == ids
        assert host.ended() == 0


def test_input_that_ends_at_once_ends_the_server(root: Path) -> None:
    with hosting(root) as host:
        host.hang_up()
        assert host.rest() == []
        assert host.ended() == 0


def test_a_scan_does_not_outlive_the_input_for_long(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        request_id = searching(host)
        began = time.monotonic()
        host.hang_up()
        messages = host.rest()
        assert time.monotonic() - began < 8
        (answer,) = [message for message in messages if message.get("id") == request_id]
        assert "cancelled" in answer["result"]["content"][0]["text"]
        assert host.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_its_code(root: Path, number: int) -> None:
    with hosting(root) as host:
        host.begin()
        request_id = searching(host)
        assert host.process.pid is not None
        os.kill(host.process.pid, number)
        answers = [message for message in host.rest() if message.get("id") == request_id]
        assert "cancelled" in answers[0]["result"]["content"][0]["text"]
        assert host.ended() == 128 + number


def test_a_signal_ends_a_server_whose_host_does_not_read(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        (root / "long.txt").write_bytes(b"some line or other\n" * 5_000)
        for _ in range(8):
            host.request("tools/call", {"name": "file_read", "arguments": {"path": "long.txt"}})
        time.sleep(0.5)
        assert host.process.pid is not None
        os.kill(host.process.pid, signal.SIGTERM)
        assert host.ended(20) == 128 + signal.SIGTERM


def test_a_host_that_vanishes_takes_the_server_along(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        searching(host)
        host.vanish()
        assert host.ended(20) == 0


def test_a_cancelled_call_ends_and_is_not_answered(root: Path) -> None:
    with hosting(root) as host:
        host.begin()
        cancelled = [searching(host)]
        host.send({"method": "notifications/cancelled", "params": {"requestId": cancelled[0]}})
        # As many as run at once: were they not called off, the next call would wait for them.
        for _ in range(16):
            cancelled.append(host.request("tools/call", SEARCH))
            host.send({"method": "notifications/cancelled", "params": {"requestId": cancelled[-1]}})
        began = time.monotonic()
        assert not host.call("file_read", path="a.txt").get("isError")
        assert time.monotonic() - began < 8
        host.hang_up()
        assert not [message for message in host.rest() if message.get("id") in cancelled]
