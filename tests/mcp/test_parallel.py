"""Many edits of one file at once, from one host and from several: every one of them is there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client

from tests.mcp.hosts import listening, over_http, run, told, within
from tests.mcp.raw import Host, hosting

EDITS = 20


def make(root: Path) -> Path:
    """A file of lines, one of which each edit replaces."""
    path = root / "shared.txt"
    path.write_bytes(b"".join(b"slot %d is free\n" % n for n in range(EDITS)) + b"the end\n")
    return path


def expected() -> bytes:
    """What the file holds when every edit is in it."""
    return b"".join(b"slot %d is taken by %d\n" % (n, n) for n in range(EDITS)) + b"the end\n"


async def edit(client: Client, number: int) -> None:
    """One of the edits."""
    old, new = f"slot {number} is free", f"slot {number} is taken by {number}"
    await told(client, "file_edit", path="shared.txt", old_text=old, new_text=new)


@pytest.mark.slow
@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_twenty_edits_of_one_file_at_once_are_all_there(tmp_path: Path, era: str) -> None:
    path = make(tmp_path)

    async def main() -> None:
        async with within(tmp_path, era) as client:
            await asyncio.gather(*(edit(client, number) for number in range(EDITS)))

    run(main)
    assert path.read_bytes() == expected()


@pytest.mark.slow
def test_twenty_edits_over_http_are_all_there(tmp_path: Path) -> None:
    path = make(tmp_path)

    async def main() -> None:
        with listening(tmp_path) as server:
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(over_http(server)) for _ in range(4)]
                await asyncio.gather(*(edit(clients[number % 4], number) for number in range(EDITS)))

    run(main)
    assert path.read_bytes() == expected()


@pytest.mark.slow
def test_two_servers_on_one_root_lose_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    path = make(root)

    def ask(host: Host, number: int) -> int:
        old, new = f"slot {number} is free", f"slot {number} is taken by {number}"
        arguments = {"path": "shared.txt", "edits": [{"old_text": old, "new_text": new}]}
        return host.request("tools/call", {"name": "file_edit", "arguments": arguments})

    with hosting(root) as one, hosting(root) as other:
        for host in (one, other):
            host.begin()
        asked = {
            host: {ask(host, number) for number in range(first, EDITS, 2)}
            for first, host in enumerate((one, other))
        }
        for host, ids in asked.items():
            while ids:
                answer = host.receive()
                assert not answer["result"].get("isError"), answer
                ids.remove(answer["id"])
    assert path.read_bytes() == expected()
