"""Streamable HTTP: who may connect, from where, by which name; and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest

from insitu.storage.landlock import available
from tests.mcp.hosts import COMMAND, Listening, environment, listening, over_http, run, told
from tests.mcp.raw import INITIALIZE

pytestmark = pytest.mark.slow

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
PAGE = "https://agent.example"
TOKEN = "a token of more than sixteen characters"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """A server that takes requests of one page, and under one more name."""
    folder = tmp_path_factory.mktemp("http")
    (folder / "token").write_text(f"{TOKEN}\n")
    root = folder / "root"
    root.mkdir()
    (root / "a.txt").write_bytes(b"one\n")
    options = ["--token-file", str(folder / "token"), "--allow-origin", PAGE, "--allow-host", "box.example"]
    with listening(root, *options) as found:
        yield found._replace(token=TOKEN)


def answer(server: Listening, **headers: str) -> httpx2.Response:
    """What a first request gets, with other headers than the right ones; an empty one is left out."""
    given = {**HEADERS, "Authorization": f"Bearer {TOKEN}", **headers}
    return httpx2.post(server.url, json=HELLO, headers={key: value for key, value in given.items() if value})


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \u00e9",
    ],
    ids=["none", "no token", "longer", "shorter", "another scheme", "no scheme", "not ASCII"],
)
def test_without_the_token_nobody_gets_in(server: Listening, authorization: str) -> None:
    given = {**HEADERS, **({"Authorization": authorization.encode()} if authorization else {})}
    refused = httpx2.post(server.url, json=HELLO, headers=given)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", "box.example:1"]
)
def test_another_name_is_refused_even_with_the_token(server: Listening, host: str) -> None:
    assert answer(server, Host=host).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{PAGE}.evil.example", "http://agent.example"]
)
def test_a_foreign_page_is_refused_even_with_the_token(server: Listening, origin: str) -> None:
    assert answer(server, Origin=origin).status_code == 403


def test_named_hosts_and_pages_get_in(server: Listening) -> None:
    port = server.url.split(":")[2].partition("/")[0]
    for headers in (
        {},
        {"Host": f"localhost:{port}"},
        {"Host": "BOX.example"},
        {"Origin": PAGE},
        {"Origin": f"http://127.0.0.1:{port}"},
        {"Authorization": f"bearer {TOKEN}"},
    ):
        assert answer(server, **headers).status_code == 200, headers


def test_a_named_page_may_ask_before_it_sends_the_token(server: Listening) -> None:
    asking = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    allowed = httpx2.options(server.url, headers=asking)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
    assert httpx2.options(server.url, headers={**asking, "Origin": "https://evil.example"}).status_code == 400


def test_a_new_token_is_shown_and_opens(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")

    async def main(server: Listening) -> None:
        async with over_http(server) as client:
            assert "one" in await told(client, "file_read", path="a.txt")

    with listening(tmp_path) as server:
        assert len(server.token) > 40
        run(lambda: main(server))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 128 + signal.SIGTERM


def test_a_signal_ends_a_server_that_scans(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)

    async def main(server: Listening) -> None:
        async with over_http(server) as client, anyio.create_task_group() as tasks:
            asked = partial(client.call_tool, "file_search", {"path": "huge", "pattern": "needle"})
            tasks.start_soon(asked)
            await anyio.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            await anyio.to_thread.run_sync(server.process.wait)
            assert time.monotonic() - began < 10
            tasks.cancel_scope.cancel()

    with listening(tmp_path) as server:
        run(lambda: main(server))
        assert server.process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http", "256.0.0.1:0"], "Cannot listen"),
        (["--http", "nowhere"], "is no address"),
        (["--http", "127.0.0.1:0", "--token-file", "missing"], "Cannot read a token"),
        (["--http", "127.0.0.1:0", "--token-file", "short"], "less than 16 characters"),
        (["--allow-origin", PAGE], "go with --http"),
    ],
    ids=["a foreign address", "no address", "no token file", "a short token", "not over HTTP"],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "short").write_text("short")
    command = [*COMMAND, "--root", ".", "--no-audit", *options]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, os.fsdecode(done.stderr)
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.skipif(not available().version, reason="the kernel has no Landlock to wall the server in with")
def test_the_server_stands_behind_a_second_wall(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
