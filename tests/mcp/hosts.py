"""Hosts as the tests play them: the official client, in this process, over pipes and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Implementation

from insitu.mcp.calls import Calls
from insitu.mcp.rendering import ERROR_KEY
from insitu.mcp.server import serving
from insitu.workspace.workspace import Workspace
from tests.tidy.tree import ROOT

ERAS = {"2025-11-25": "legacy", "2026-07-28": "auto"}
"""Protocol revisions, by how the official client comes to speak them."""

HOST = Implementation(name="host-of-the-tests", version="1.2")

COMMAND = (sys.executable, "-m", "insitu.cli.main", "mcp")
STARTING_S = 30.0

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]], *, within_s: float = 120) -> T:
    """Runs a coroutine function to its end, which must come."""

    async def bounded() -> T:
        return await asyncio.wait_for(main(), within_s)

    return asyncio.run(bounded())


def environment() -> dict[str, str]:
    """The environment of a server."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@asynccontextmanager
async def within(root: Path, era: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """A client of a server in this process."""
    with Workspace(str(root), **options) as workspace:
        async with Client(serving(workspace, Calls(20.0)), mode=era, client_info=HOST) as client:
            yield client


@asynccontextmanager
async def piped(root: Path, *options: str, era: str = "auto", **settings: Any) -> AsyncIterator[Client]:
    """A client of a server that it started, over pipes."""
    command, *arguments = COMMAND
    server = StdioServerParameters(
        command=command,
        args=[*arguments, "--root", str(root), "--no-audit", *options],
        env=environment(),
    )
    async with Client(server, mode=era, client_info=HOST, **settings) as client:
        yield client


class Listening(NamedTuple):
    """A server that listens."""

    url: str
    token: str
    process: subprocess.Popen[str]


@contextmanager
def listening(root: Path, *options: str) -> Iterator[Listening]:
    """A server on a free port of the loopback."""
    command = [*COMMAND, "--root", str(root), "--no-audit", "--http", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stderr is not None
        url = re.search(r"serving (\S+)", process.stderr.readline())
        token = (
            re.search(r"Bearer (\S+)", process.stderr.readline()) if "--token-file" not in options else None
        )
        assert url
        yield Listening(url[1], token[1] if token else "", process)
    finally:
        process.terminate()
        process.communicate(timeout=STARTING_S)


@asynccontextmanager
async def over_http(server: Listening, *, era: str = "auto") -> AsyncIterator[Client]:
    """A client of a server that listens."""
    headers = {"Authorization": f"Bearer {server.token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(server.url, http_client=http), mode=era, client_info=HOST) as client,
    ):
        yield client


def text_of(result: CallToolResult) -> str:
    """What the model reads."""
    (block,) = result.content
    assert block.type == "text"
    return block.text


async def told(client: Client, tool: str, **arguments: Any) -> str:
    """What a call that is carried out says."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def refused(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The words and the facts of a refusal, in the agreed shape."""
    result = await client.call_tool(tool, arguments)
    text = text_of(result)
    assert result.is_error, text
    assert result.structured_content is None
    facts = dict((result.meta or {})[ERROR_KEY])
    words, line = text.rsplit("\n", 1)
    assert json.loads(line) == facts
    assert words.startswith(f"{facts['code']}: ")
    assert facts["applied"] is False
    return words, facts
