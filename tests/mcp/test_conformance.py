"""The conformance suite of the protocol's authors, against our HTTP server as it runs.

Many of its scenarios need a server with fixtures of the suite's own; ``conformance.yml`` lists them, in the
form that the suite has for it. The others are about any server, and must pass.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from insitu.mcp.calls import Calls
from insitu.mcp.http import application, bound, url_of
from insitu.mcp.server import serving
from insitu.workspace.workspace import Workspace

SUITE = "@modelcontextprotocol/conformance@0.1.16"
NODE = 22
"""The major version that the suite needs (fs.globSync); npm has it where the distribution's is older."""
TOKEN = "the token of the conformance test"

EXPECTED = Path(__file__).with_name("conformance.yml")
PASSING = (
    *("server-initialize", "ping", "tools-list", "tools-call-error", "resources-list"),
    *("server-sse-multiple-streams", "dns-rebinding-protection"),
)


def authorized(app: ASGIApp) -> ASGIApp:
    """The server for a client that cannot send a token."""

    async def sending(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {TOKEN}".encode())]
        await app(scope, receive, send)

    return sending


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Our server, on a thread; its URL."""
    listening: socket.socket = bound("127.0.0.1", 0)
    with listening, Workspace(str(root)) as workspace:
        app = authorized(application(serving(workspace, Calls(20.0)), listening, TOKEN))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield url_of(listening)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command that runs the suite; installed for this once, outside of the project."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx is missing; install nodejs and npm to run the protocol's conformance suite")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    newer = [] if int(node.lstrip("v").partition(".")[0]) >= NODE else ["--package", f"node@{NODE}"]
    command = [npx, "--yes", *newer, "--package", SUITE, "conformance"]
    tried = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=300, check=False)
    if tried.returncode:
        pytest.skip(f"npm cannot install {SUITE}: {tried.stderr.strip()[-200:]}")
    return command


@pytest.mark.slow
def test_the_server_conforms(tmp_path: Path, suite: list[str]) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    with serve(tmp_path) as url:
        done = subprocess.run(
            [*suite, "server", "--url", url, "--expected-failures", str(EXPECTED)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
        )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    passed = [line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("\u2713 ")]
    assert set(PASSING) <= set(passed)
