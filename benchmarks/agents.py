"""What agents do over pipes: read some lines, edit one. By the official client, beside today's servers."""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

from benchmarks.agent_peers import (
    editor_server,
    filesystem_server,
    install_editor_server,
    install_filesystem_server,
)
from benchmarks.agent_session import PARALLEL, SHOWN_LINES
from benchmarks.cases import Bench, Case, Contestant, Target
from benchmarks.inputs import Line
from benchmarks.measure import digest, fresh_copy, warm

FOLDER_NAME = "agents"
INSITU = "insitu mcp"
AGAIN = "insitu mcp, looked at before"
_OURS = (INSITU, AGAIN)
FILESYSTEM = "server-filesystem"
EDITOR = "mcp-text-editor"

SMALL_BYTES = 210_000_000
LARGE_BYTES = 1_600_000_000

# Of a bare interpreter; what the server takes is weighed by itself, and noted.
_CLIENT_MOST_BYTES = 160 << 20
MEMORY = Target(INSITU, most_noted=(160, "server, MiB"))


def cases(bench: Bench) -> list[Case]:
    """The cases of this module."""
    agents = _Agents(bench)
    sizes = [("210mb", min(SMALL_BYTES, bench.log.size // 2)), ("1600mb", min(LARGE_BYTES, bench.log.size))]
    found = []
    for name, size in sizes:
        found += [agents.end(name, size, "head"), agents.middle(name, size), agents.end(name, size, "tail")]
        found.append(agents.edits(name, size))
    return [*found, agents.parallel()]


class _Agents:
    """The cases, with where their files and servers are."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._folder = bench.folder / FOLDER_NAME
        self._root = self._folder / "root"
        self._file = self._root / "app.log"
        self._small = self._root / "small.txt"

    def middle(self, name: str, size: int) -> Case:
        """Five lines in the middle: of a file never looked at before, and of one that was."""
        line = self._middle(size)
        asked = ("read", "--line", str(line.number))
        contestants = [
            self._contestant(AGAIN, *asked, "--before", str(line.number // 2)),
            self._contestant(INSITU, *asked),
            self._contestant(EDITOR, *asked),
        ]
        targets = (Target(AGAIN, (EDITOR,), 20.0), Target(INSITU, (EDITOR,), 20.0), MEMORY)
        return self._reading(f"agent-middle-{name}", "middle", size, contestants, targets)

    def end(self, name: str, size: int, task: str) -> Case:
        """Five lines at the head or the tail."""
        peers = (FILESYSTEM, EDITOR) if task == "head" else (FILESYSTEM,)
        contestants = [self._contestant(server, task) for server in (INSITU, *peers)]
        targets = (Target(INSITU, peers, why_shown="heads and tails are cheap for everybody"), MEMORY)
        return self._reading(f"agent-{task}-{name}", task, size, contestants, targets)

    def _reading(
        self, name: str, task: str, size: int, contestants: list[Contestant], targets: tuple[Target, ...]
    ) -> Case:
        return Case(
            name,
            f"five lines at the {task} of {size:,} bytes, by an agent",
            contestants,
            targets,
            prepare=lambda: self._prepared(size),
            answer=lambda stdout: stdout.strip("\n"),
            expected=self._lines(size, task),
            memory_most_bytes=_CLIENT_MOST_BYTES,
            install=lambda: _install(self._folder),
        )

    def edits(self, name: str, size: int) -> Case:
        """One text that occurs once, in the middle, in the place of a longer one."""
        line = self._middle(size)
        old = line.text.decode().split(" ", 1)[0]
        new = f"{old}-edited-by-an-agent"
        asked = ("edit", "--line", str(line.number), "--old", old, "--new", new)
        return Case(
            f"agent-edit-{name}",
            f"one unique text in the middle of {size:,} bytes, by an agent",
            [self._contestant(server, *asked) for server in (INSITU, FILESYSTEM, EDITOR)],
            (Target(INSITU, (FILESYSTEM, EDITOR), 5.0), MEMORY),
            prepare=lambda: self._prepared(size),
            answer=lambda stdout: digest(self._file),
            memory_most_bytes=_CLIENT_MOST_BYTES,
            install=lambda: _install(self._folder),
        )

    def parallel(self) -> Case:
        """Edits of one small file, all at once: how many are in it afterwards."""
        return Case(
            "agent-parallel",
            f"{PARALLEL} edits of one file at once, by an agent: how many are there",
            [self._contestant(server, "parallel") for server in (INSITU, FILESYSTEM, EDITOR)],
            (MEMORY,),
            prepare=self._prepared_lines,
            answer=lambda stdout: stdout,
            expected=str(PARALLEL),
            memory_most_bytes=_CLIENT_MOST_BYTES,
            install=lambda: _install(self._folder),
        )

    def _contestant(self, server: str, task: str, *options: str) -> Contestant:
        kind, argv = self._server(server)
        client = (sys.executable, "-m", "benchmarks.agent_session", kind, task, str(self._file))
        shown = {
            INSITU: "insitu mcp --root DIR",
            AGAIN: "insitu mcp --root DIR",
            FILESYSTEM: "mcp-server-filesystem DIR",
            EDITOR: "mcp-text-editor",
        }
        return Contestant(
            server,
            (*client, "--sample", str(self._small), *options, "--", *argv),
            shown[server],
            ours=server in _OURS,
            inside=True,
            needs="" if server in _OURS else argv[0],
            slow=server not in _OURS,
        )

    def _server(self, name: str) -> tuple[str, tuple[str, ...]]:
        if name in _OURS:
            return "insitu", (sys.executable, "-m", "insitu", "mcp", "--root", str(self._root), "--no-audit")
        if name == FILESYSTEM:
            return "filesystem", (str(filesystem_server(self._folder)), str(self._root))
        return "editor", (str(editor_server(self._folder)),)

    def _lines(self, size: int, task: str) -> str:
        """What is to be read."""
        with self._bench.log.path.open("rb") as log:
            if task == "tail":
                log.seek(size - SHOWN_LINES * 1_000)
                lines = log.read(SHOWN_LINES * 1_000).splitlines()[-SHOWN_LINES:]
            else:
                log.seek(self._middle(size).offset if task == "middle" else 0)
                lines = [log.readline().rstrip(b"\n") for _ in range(SHOWN_LINES)]
        return b"\n".join(lines).decode()

    def _middle(self, size: int) -> Line:
        return self._bench.log.line_near(size // 2)

    def _prepared(self, size: int) -> None:
        """The log's first bytes, in the page cache, never looked at by anybody."""
        source = self._folder / f"{size}.log"
        self._folder.mkdir(parents=True, exist_ok=True)
        if not source.exists():
            with self._bench.log.path.open("rb") as log, source.open("wb") as part:
                left = size
                while left and (data := log.read(min(left, 1 << 20))):
                    part.write(data)
                    left -= len(data)
        fresh_copy(source, self._file)
        self._small.write_text("small\n")
        warm(self._file)

    def _prepared_lines(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(parents=True)
        self._small.write_text("small\n")
        self._file.write_text("".join(f"line {number}; of many\n" for number in range(1, 1001)))


@cache
def _install(folder: Path) -> None:
    """Once, and not for those who measure something else."""
    install_filesystem_server(folder)
    install_editor_server(folder)
