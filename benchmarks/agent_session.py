"""One agent's call to a file server over pipes, by the official client; run as a process of its own.

Prints one line of JSON: the seconds of the call, the answer, and what the server took in memory. The server
is started, introduced and asked about a small file before the clock runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

SHOWN_LINES = 5
PARALLEL = 20


def main() -> None:
    """Does one task at one server."""
    arguments = _arguments()
    asyncio.run(_session(arguments))


async def _session(arguments: argparse.Namespace) -> None:
    command, *rest = arguments.server
    server = StdioServerParameters(command=command, args=rest, env=dict(os.environ))
    async with Client(server, read_timeout_seconds=900) as client:
        talk = _SERVERS[arguments.kind](client)
        await talk.read(arguments.sample, 1)
        if arguments.before:
            await talk.read(arguments.file, arguments.before)
        began = time.perf_counter()
        answer = await _task(talk, arguments)
        seconds = time.perf_counter() - began
        notes = {"server, MiB": _server_bytes() / (1 << 20)}
    print(json.dumps({"seconds": seconds, "answer": answer, "notes": notes}))


async def _task(talk: Talk, arguments: argparse.Namespace) -> str:
    match arguments.task:
        case "head":
            return await talk.head(arguments.file)
        case "tail":
            return await talk.tail(arguments.file)
        case "read":
            return await talk.read(arguments.file, arguments.line)
        case "edit":
            await talk.edit(arguments.file, arguments.line, arguments.old, arguments.new)
            return ""
    edits = (
        talk.edit(arguments.file, number, f"line {number};", f"LINE {number};")
        for number in range(1, PARALLEL + 1)
    )
    await asyncio.gather(*edits, return_exceptions=True)
    return str(Path(arguments.file).read_text().count("LINE"))


class Talk:
    """How one kind of server is asked."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def told(self, tool: str, **arguments: Any) -> str:
        """What a call says.

        Raises:
            RuntimeError: it was refused.
        """
        result = await self.client.call_tool(tool, arguments)
        text = "".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise RuntimeError(text[:300])
        return text

    async def head(self, file: str) -> str:
        """The first lines."""
        return await self.read(file, 1)

    async def tail(self, file: str) -> str:
        """The last lines."""
        raise NotImplementedError

    async def read(self, file: str, line: int) -> str:
        """Some lines from one on."""
        raise NotImplementedError

    async def edit(self, file: str, line: int, old: str, new: str) -> None:
        """Puts one text that occurs once, in a line, in the place of another."""
        raise NotImplementedError


class Insitu(Talk):
    """insitu mcp."""

    async def tail(self, file: str) -> str:
        return _body(await self.told("file_read", path=file, tail=SHOWN_LINES, prefix="none"))

    async def read(self, file: str, line: int) -> str:
        lines = f"{line}-{line + SHOWN_LINES - 1}"
        return _body(await self.told("file_read", path=file, lines=lines, prefix="none"))

    async def edit(self, file: str, line: int, old: str, new: str) -> None:
        await self.told("file_edit", path=file, edits=[{"old_text": old, "new_text": new}])


class Filesystem(Talk):
    """The reference server: it reads heads and tails, and nothing in between."""

    async def head(self, file: str) -> str:
        return await self.told("read_text_file", path=file, head=SHOWN_LINES)

    async def tail(self, file: str) -> str:
        # Its tail counts what is behind the last line ending as a line.
        return await self.told("read_text_file", path=file, tail=SHOWN_LINES + 1)

    async def read(self, file: str, line: int) -> str:
        return await self.head(file)

    async def edit(self, file: str, line: int, old: str, new: str) -> None:
        await self.told("edit_file", path=file, edits=[{"oldText": old, "newText": new}])


class Editor(Talk):
    """mcp-text-editor: an edit takes the hashes that reading its lines gives, so an edit is both calls."""

    async def tail(self, file: str) -> str:
        raise RuntimeError("has no tail")

    async def read(self, file: str, line: int) -> str:
        found = await self._range(file, line, line + SHOWN_LINES - 1)
        content: str = found["ranges"][0]["content"]
        return content

    async def edit(self, file: str, line: int, old: str, new: str) -> None:
        found = await self._range(file, line, line)
        (there,) = found["ranges"]
        patch = {
            "start": line,
            "end": line,
            "contents": there["content"].replace(old, new),
            "range_hash": there["range_hash"],
        }
        said = await self.told(
            "patch_text_file_contents", file_path=file, file_hash=found["file_hash"], patches=[patch]
        )
        if '"ok"' not in said:
            raise RuntimeError(said[:300])

    async def _range(self, file: str, start: int, end: int) -> dict[str, Any]:
        said = await self.told(
            "get_text_file_contents", files=[{"file_path": file, "ranges": [{"start": start, "end": end}]}]
        )
        found: dict[str, Any] = json.loads(said)[file]
        return found


_SERVERS: dict[str, type[Talk]] = {"insitu": Insitu, "filesystem": Filesystem, "editor": Editor}


def _body(text: str) -> str:
    """The lines that an answer shows: without the header, and without what it says of going on."""
    lines = text.split("\n")[1:]
    return "\n".join(lines[:-1] if lines and lines[-1].startswith("[") else lines)


def _server_bytes() -> int:
    """The most memory that any process took that this one started, or those did."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
    ours = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= grown
    return sum(_peak_bytes(pid) for pid in ours - {os.getpid()})


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=sorted(_SERVERS))
    parser.add_argument("task", choices=["head", "tail", "read", "edit", "parallel"])
    parser.add_argument("file")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--line", type=int, default=1)
    parser.add_argument("--before", type=int, help="read this line first, while no clock runs")
    parser.add_argument("--old", default="")
    parser.add_argument("--new", default="")
    cut = sys.argv.index("--")
    arguments = parser.parse_args(sys.argv[1:cut])
    arguments.server = sys.argv[cut + 1 :]
    return arguments


if __name__ == "__main__":
    main()
