"""A host that writes the protocol's lines itself, and servers forked from a process that has loaded them.

Loading the server takes a second; a test that kills twenty of them would take a minute for that alone.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from tests.forks import FORKS

_PATIENCE_S = 60.0

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "0"},
}


def _serve(source: Any, sink: Any, errors: str, arguments: list[str]) -> None:
    """Becomes ``insitu mcp``."""
    os.dup2(source.detach(), 0)
    os.dup2(sink.detach(), 1)
    os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), 2)
    os.environ["XDG_STATE_HOME"] = f"{errors}.state"
    from insitu.cli.main import cli

    cli.main(["mcp", *arguments])


class Host:
    """One side of a conversation; the other is a server of its own."""

    def __init__(self, root: Path, *options: str, errors: Path) -> None:
        source, self._sink = os.pipe()
        self._source, sink = os.pipe()
        unrecorded = [] if "--audit" in options else ["--no-audit"]
        arguments = ["--root", str(root), *unrecorded, *options]
        self.process: BaseProcess = FORKS.Process(
            target=_serve, args=(DupFd(source), DupFd(sink), str(errors), arguments), daemon=True
        )
        self.process.start()
        os.close(source)
        os.close(sink)
        self._held = b""
        self._ids = 0

    def send(self, *messages: dict[str, Any] | bytes) -> None:
        """Writes messages, or lines as they are."""
        for message in messages:
            line = (
                message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
            )
            os.write(self._sink, line + b"\n")

    def receive(self, within_s: float = _PATIENCE_S) -> dict[str, Any]:
        """The next message; every line must be one."""
        until = time.monotonic() + within_s
        while b"\n" not in self._held:
            ready, _, _ = select.select([self._source], [], [], max(0, until - time.monotonic()))
            assert ready, "no answer came"
            data = os.read(self._source, 1 << 16)
            if not data:
                raise EOFError("the server closed its output")
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def rest(self) -> list[dict[str, Any]]:
        """Everything until the server closes its output."""
        found = []
        try:
            while True:
                found.append(self.receive())
        except EOFError:
            assert not self._held, "half a message was left"
            return found

    def request(self, method: str, params: dict[str, Any]) -> int:
        """Asks; returns the id of the request."""
        self._ids += 1
        self.send({"id": self._ids, "method": method, "params": params})
        return self._ids

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Asks, and waits for the answer, past notifications."""
        request_id = self.request(method, params)
        while (message := self.receive()).get("id") != request_id:
            assert "method" in message
        return message

    def begin(self, revision: str = "2025-11-25") -> dict[str, Any]:
        """Shakes hands; returns what the server says of itself."""
        answer = self.ask("initialize", {**INITIALIZE, "protocolVersion": revision})
        self.send({"method": "notifications/initialized"})
        result: dict[str, Any] = answer["result"]
        return result

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a call."""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        result: dict[str, Any] = answer["result"]
        return result

    def hang_up(self) -> None:
        """Closes the server's input."""
        if self._sink >= 0:
            os.close(self._sink)
            self._sink = -1

    def vanish(self) -> None:
        """Closes both, as when the host dies."""
        self.hang_up()
        if self._source >= 0:
            os.close(self._source)
            self._source = -1

    def ended(self, within_s: float = _PATIENCE_S) -> int:
        """Waits for the server to end; its exit code, or the negative number of the signal that killed it."""
        self.process.join(within_s)
        assert self.process.exitcode is not None, "the server is still there"
        return self.process.exitcode


@contextmanager
def hosting(root: Path, *options: str) -> Iterator[Host]:
    """A host whose server is gone at the end."""
    errors = root.parent / f"{root.name}.stderr"
    host = Host(root, *options, errors=errors)
    try:
        yield host
    finally:
        host.vanish()
        host.process.join(10)
        host.process.kill()
        host.process.join()
