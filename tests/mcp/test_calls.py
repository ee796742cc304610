"""Calls: who makes them is on record, long ones are told of, and cancelled ones end."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import anyio
import pytest
from mcp import Client

from insitu.mcp.calls import AT_ONCE, Calls
from insitu.mcp.server import serving
from insitu.workspace.audit import AuditLog
from insitu.workspace.audit_listing import Filter, Listing
from insitu.workspace.workspace import Workspace
from tests.mcp.hosts import ERAS, HOST, run, told

HUGE = 1 << 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file whose search takes very long."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\n")
    with (folder / "huge").open("wb") as file:
        file.write(b"first line\n")
        file.truncate(HUGE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
def test_progress_is_told_and_cancelled_calls_make_room(root: Path, era: str) -> None:
    told_of: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told_of.append((done, total))

    async def main() -> None:
        calls = Calls(20.0)
        with Workspace(str(root)) as workspace:
            async with Client(serving(workspace, calls), mode=era) as client:
                arguments = {"path": "huge", "pattern": "needle"}
                async with anyio.create_task_group() as tasks:
                    for _ in range(AT_ONCE):
                        tasks.start_soon(
                            lambda: client.call_tool("file_search", arguments, progress_callback=progress)
                        )
                    with anyio.fail_after(30):
                        while not told_of:
                            await anyio.sleep(0.05)
                    tasks.cancel_scope.cancel()
                with anyio.fail_after(10):
                    await calls.idle()
                    await told(client, "file_read", path="a.txt")

    run(main)
    assert all(0 < done < HUGE and total == HUGE for done, total in told_of)


@pytest.mark.slow
def test_a_search_that_takes_too_long_says_where_to_go_on(root: Path) -> None:
    async def main() -> None:
        with Workspace(str(root)) as workspace:
            async with Client(serving(workspace, Calls(0.5))) as client:
                began = time.monotonic()
                text = await told(client, "file_search", path="huge", pattern="needle")
                assert time.monotonic() - began < 10
                assert "cursor=" in text

    run(main)


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
def test_the_log_names_the_client(root: Path, tmp_path: Path, era: str) -> None:
    async def main() -> None:
        with (
            AuditLog(tmp_path / "log", key=tmp_path / "key", roots=[root]) as log,
            Workspace(str(root), audit=log) as workspace,
        ):
            async with Client(serving(workspace, Calls(20.0)), mode=era, client_info=HOST) as client:
                await told(client, "file_edit", path="a.txt", old_text="one", new_text="1")

    run(main)
    listing = Listing(tmp_path / "log")
    (attempt,) = listing.last(1, Filter())
    listing.close()
    assert attempt["client"] == {"name": HOST.name, "version": HOST.version}


@pytest.mark.slow
def test_a_call_that_waits_for_a_lock_can_be_cancelled(root: Path) -> None:
    async def main() -> None:
        calls = Calls(20.0)
        with Workspace(str(root)) as workspace, (root / "a.txt").open("rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            async with Client(serving(workspace, calls)) as client:
                edit = {"path": "a.txt", "old_text": "one", "new_text": "1"}
                began = time.monotonic()
                with anyio.move_on_after(0.5):
                    await client.call_tool("file_edit", edit)
                await calls.idle()
                assert time.monotonic() - began < 5  # the lock is waited for twice as long
                fcntl.flock(holder, fcntl.LOCK_UN)
                assert (root / "a.txt").read_bytes() == b"one\n"
                await told(client, "file_edit", **edit)

    run(main)
