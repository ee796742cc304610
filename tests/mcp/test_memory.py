"""A server at huge files stays small: reads everywhere in them, searches, an edit in the middle."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mcp import Client

from tests.mcp.hosts import piped, run, told

RSS_BYTES_MAX = 160 << 20
SIZE = 128 << 20
SIZE_LONG = 1_600 << 20

LINE = (
    b"2026-03-14T09:30:00Z INFO request %012d took 17 ms and was answered with status 200 by worker seven\n"
)
BLOCK_LINES = 10_000


def make(path: Path, size: int) -> int:
    """A log of about that size, with one line like no other in the middle; returns how many lines it has."""
    blocks = size // (BLOCK_LINES * len(LINE % 0))
    with path.open("wb") as file:
        for block in range(blocks):
            first = block * BLOCK_LINES
            file.write(b"".join(LINE % number for number in range(first, first + BLOCK_LINES)))
            if block == blocks // 2:
                file.write(b"the needle in the middle\n")
    return blocks * BLOCK_LINES + 1


def resident_peak(root: Path) -> int:
    """The most bytes that the server of a root held at a time."""
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if os.fsencode(root) in command and b"mcp" in command:
                status = (entry / "status").read_text()
                return int(status.partition("VmHWM:")[2].split()[0]) << 10
        except OSError:
            continue
    raise AssertionError("there is no such server")


async def look_and_edit(client: Client, lines: int) -> None:
    """Reads at both ends and in the middle, searches, edits, takes back."""
    middle = lines // 2
    assert "1\t2026" in await told(client, "file_read", path="huge.log", lines="1-5")
    assert "worker seven" in await told(client, "file_read", path="huge.log", tail=5)
    shown = await told(client, "file_read", path="huge.log", lines=f"{middle}-{middle + 4}")
    assert f"{middle}\t2026" in shown
    needle = "the needle in the middle"
    assert needle in await told(client, "file_search", path="huge.log", pattern=needle)
    expression = {"pattern": r"ne+dle in \w+ middle", "mode": "regex"}
    assert needle in await told(client, "file_search", path="huge.log", **expression)
    changed = {"old_text": "the needle in", "new_text": "the thread that is in"}
    edited = await told(client, "file_edit", path="huge.log", **changed)
    assert "the thread that" in await told(client, "file_read", path="huge.log", around_text="the thread")
    edit_id = json.loads(edited.splitlines()[1])["edit_id"]
    await told(client, "file_undo", path="huge.log", edit_id=edit_id)


async def replace_in_every_line(client: Client, lines: int) -> None:
    """Changes all lines but one, by a plan."""
    replacing = {"path": "huge.log", "pattern": "took 17 ms", "replacement": "took 18 ms"}
    plan = json.loads((await told(client, "file_replace_all", **replacing)).splitlines()[1])
    assert plan["count"] == lines - 1
    await told(client, "file_replace_all", **replacing, plan=plan["plan"])


@pytest.mark.slow
def test_a_log_is_read_and_edited_in_flat_memory(tmp_path: Path) -> None:
    lines = make(tmp_path / "huge.log", SIZE)

    async def main() -> None:
        async with piped(tmp_path) as client:
            await look_and_edit(client, lines)
            assert resident_peak(tmp_path) <= RSS_BYTES_MAX

    run(main)


@pytest.mark.proof
def test_a_huge_log_is_changed_everywhere_in_flat_memory(tmp_path: Path) -> None:
    lines = make(tmp_path / "huge.log", SIZE_LONG)

    async def main() -> None:
        async with piped(tmp_path, "--max-seconds", "1000") as client:
            await look_and_edit(client, lines)
            await replace_in_every_line(client, lines)
            assert resident_peak(tmp_path) <= RSS_BYTES_MAX

    run(main, within_s=3_600)
