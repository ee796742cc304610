"""The protocol on standard input and output: one message to a line, and an end that loses no answer.

Not the SDK's transport, which reads on a thread that nothing can interrupt, and whose end of input throws
away the answers of the calls under way. Here the input ends for the server when everything was answered.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import anyio
import mcp_types as types
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from insitu.mcp.calls import Calls

MESSAGE_BYTES_MAX: Final = 16 << 20
"""A longer message is refused without being held; an agent's edit is some kilobytes."""

_READ_BYTES: Final = 64 << 10
# POSIX: a pipe that is ready for writing takes so much without blocking.
_WRITE_BYTES: Final = 4_096
# Hosts close the input, wait two seconds and then send SIGTERM: calls that end before are answered.
_GRACE_S: Final = 1.5
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


async def serve_stdio(server: Server[Any], calls: Calls) -> int:
    """Serves one client until its input ends or a signal asks to stop; every commit under way ends first.

    Returns:
        The number of the signal; 0 where the input ended.
    """
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # whatever prints, prints to the log: the protocol has the output to itself
    try:
        return await _Connection(source, sink, calls).serve(server)
    finally:
        os.close(source)
        os.close(sink)


class _Connection:
    """One client on two descriptors."""

    def __init__(self, source: int, sink: int, calls: Calls) -> None:
        self._source = source
        self._sink = sink
        self._calls = calls
        self._unanswered: set[types.RequestId] = set()
        self._answered = anyio.Event()
        self._signal = 0

    async def serve(self, server: Server[Any]) -> int:
        inward, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, outward = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as tasks:
            reading = anyio.CancelScope()
            tasks.start_soon(self._read, inward, outgoing.clone(), reading)
            tasks.start_soon(self._write, outward, tasks.cancel_scope)
            tasks.start_soon(self._await_signal, reading)
            await server.run(incoming, outgoing, server.create_initialization_options())
            tasks.cancel_scope.cancel()
        return self._signal

    async def _await_signal(self, reading: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(*_STOPPING) as signals:
            async for number in signals:
                self._signal = self._signal or number
                self._calls.stop()
                reading.cancel()

    # Input

    async def _read(
        self,
        inward: ObjectSendStream[SessionMessage | Exception],
        outgoing: ObjectSendStream[SessionMessage],
        reading: anyio.CancelScope,
    ) -> None:
        async with inward, outgoing:
            with reading:
                async for line in _lines(self._source):
                    try:
                        message = _parsed(line)
                    except _Unreadable as unreadable:
                        await outgoing.send(SessionMessage(unreadable.answer))
                        continue
                    self._note(message)
                    await inward.send(SessionMessage(message))
            with anyio.move_on_after(0 if self._signal else _GRACE_S):
                await self._all_answered()
            self._calls.stop()
            await self._calls.idle()
            with anyio.move_on_after(_GRACE_S):  # a host that is still there need not be reading
                await self._all_answered()

    def _note(self, message: types.JSONRPCMessage) -> None:
        """Remembers what is to be answered: a request that the client cancelled is not."""
        if isinstance(message, types.JSONRPCRequest):
            self._unanswered.add(message.id)
        elif isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._settle((message.params or {}).get("requestId"))

    def _settle(self, request_id: Any) -> None:
        self._unanswered.discard(request_id)
        self._answered.set()

    async def _all_answered(self) -> None:
        while self._unanswered:
            self._answered = anyio.Event()
            await self._answered.wait()

    # Output

    async def _write(
        self, outward: ObjectReceiveStream[SessionMessage], everything: anyio.CancelScope
    ) -> None:
        try:
            async for message in outward:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await _put(self._sink, text.encode() + b"\n")
                if isinstance(message.message, types.JSONRPCResponse | types.JSONRPCError):
                    self._settle(message.message.id)
        except OSError:  # nobody listens any more: what was not committed is called off
            self._calls.stop()
            everything.cancel()


async def _lines(source: int) -> AsyncIterator[bytes | None]:
    """The lines of a descriptor; None for one that is too long to be held."""
    held = bytearray()
    skipping = False
    while data := await _get(source):
        *lines, rest = data.split(b"\n")
        for line in lines:
            held += line
            whole, held = bytes(held), bytearray()
            if skipping or len(whole) > MESSAGE_BYTES_MAX:
                skipping = False
                yield None
            elif whole.strip():
                yield whole
        if skipping or len(held) + len(rest) > MESSAGE_BYTES_MAX:
            skipping = True
            held.clear()
        else:
            held += rest


async def _get(source: int) -> bytes:
    with suppress(PermissionError):  # of an ordinary file, which has no readiness and never blocks
        await anyio.wait_readable(source)
    try:
        return os.read(source, _READ_BYTES)
    except OSError:  # as a terminal that is gone
        return b""


async def _put(sink: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        with suppress(PermissionError):
            await anyio.wait_writable(sink)
        rest = rest[os.write(sink, rest[:_WRITE_BYTES]) :]


class _Unreadable(Exception):
    """A line that is no message; ``answer`` says so."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.answer: Final = types.JSONRPCError(
            jsonrpc="2.0", id=None, error=types.ErrorData(code=code, message=said)
        )


def _parsed(line: bytes | None) -> types.JSONRPCMessage:
    """The message of a line; None is one too long."""
    if line is None:
        raise _Unreadable(types.INVALID_REQUEST, f"The message is longer than {MESSAGE_BYTES_MAX:,} bytes.")
    try:
        message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        if isinstance(message, types.JSONRPCNotification) and "id" in json.loads(line):
            raise _Unreadable(types.INVALID_REQUEST, "The id of a request is a text or a whole number.")
        return message
    except ValidationError as error:
        kind = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
        if kind == "json_invalid":
            raise _Unreadable(types.PARSE_ERROR, "The line is not JSON.") from None
        raise _Unreadable(types.INVALID_REQUEST, "The line is no message of JSON-RPC 2.0.") from None
