"""Writing behind: in order, one at a time, and an error is raised by the next call."""

from __future__ import annotations

import threading
import time

import pytest

from insitu.engine import execute
from insitu.engine.write_behind import WriteBehind
from insitu.storage.base import Buffer


def test_writes_are_made_in_order_and_drained() -> None:
    written: list[tuple[int, bytes]] = []

    def write(offset: int, data: Buffer) -> None:
        time.sleep(0.0005)
        written.append((offset, bytes(data)))

    behind = WriteBehind(write)
    behind.drain()
    for number in range(100):
        behind.put(number, b"%d" % number)
    behind.drain()
    assert written == [(number, b"%d" % number) for number in range(100)]
    behind.put(100, b"last")
    behind.end()
    assert written[-1] == (100, b"last")
    behind.end()


def test_at_most_one_write_is_under_way_while_the_next_is_prepared() -> None:
    going, under_way = threading.Event(), threading.Event()

    def write(offset: int, data: Buffer) -> None:
        under_way.set()
        assert going.wait(10)

    behind = WriteBehind(write)
    behind.put(0, b"")
    assert under_way.wait(10)  # ``put`` has returned meanwhile
    second = threading.Thread(target=behind.put, args=(1, b""))
    second.start()
    second.join(0.05)
    assert second.is_alive()
    going.set()
    second.join(10)
    behind.end()


def test_an_error_is_raised_by_the_next_call_and_nothing_is_written_behind_it() -> None:
    written: list[int] = []

    def write(offset: int, data: Buffer) -> None:
        if offset == 1:
            raise OSError("full")
        written.append(offset)

    behind = WriteBehind(write)
    behind.put(0, b"")
    behind.put(1, b"")
    for call in (lambda: behind.put(2, b""), behind.drain):
        with pytest.raises(OSError, match="full"):
            call()
    behind.end()
    assert written == [0]


def test_small_plans_are_written_without_a_thread() -> None:
    assert execute.BEHIND_FROM_BYTES >= 1 << 20
