"""Crash images: what a disk may hold after a power cut, made from a recording of all that reached it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.system.recorder import FLUSH, MARK, WRITE, Event

SECTOR_BYTES = 512
COPY_BYTES = 1 << 20


def copy_sparse(source: Path, target: Path) -> None:
    """Copies a file, and leaves out blocks that are zeros: images are mostly those."""
    zeros = bytes(65_536)
    with open(source, "rb", buffering=0) as file, open(target, "wb", buffering=0) as copy:
        size = os.fstat(file.fileno()).st_size
        copy.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # nothing but a hole is left
            stop = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < stop:
                data = os.pread(file.fileno(), min(len(zeros), stop - at), at)
                if data != zeros[: len(data)]:
                    os.pwrite(copy.fileno(), data, at)
                at += len(data)


class Crashes:
    """Crash images of one recording, made in the order of their moments.

    Args:
        base: the image that the recording began with; it is moved forward.
        log: the recording.
        torn: whether a write may have reached the disk in part, by sectors.
    """

    def __init__(self, base: Path, log: Sequence[Event], chance: random.Random, *, torn: bool) -> None:
        self.base = base
        self.log = log
        self._chance = chance
        self._torn = torn
        self._durable = 0

    def images(self, count: int, target: Path) -> Iterator[tuple[int, str]]:
        """Makes images in ``target``, one by one; yields the moment of each in the log, and its kind."""
        writes = [at for at, event in enumerate(self.log) if event.kind != MARK]
        moments = sorted(self._chance.choices(writes, k=count)) if writes else []
        for moment in moments:
            self._advance(moment)
            copy_sparse(self.base, target)
            loose = [event for event in self.log[self._durable : moment + 1] if event.kind == WRITE]
            way = self._chance.choice(["all", "some", "some", "torn" if self._torn else "some"])
            with open(target, "r+b", buffering=0) as file:
                for event in loose:
                    self._keep(file.fileno(), event, way, last=event is loose[-1])
            yield moment, way

    def _advance(self, moment: int) -> None:
        """Writes to the base what was flushed before the moment."""
        flushed = max((at for at in range(moment) if self.log[at].kind == FLUSH), default=0)
        with open(self.base, "r+b", buffering=0) as file:
            for event in self.log[self._durable : flushed]:
                if event.kind == WRITE:
                    os.pwrite(file.fileno(), event.data, event.offset)
        self._durable = max(self._durable, flushed)

    def _keep(self, descriptor: int, event: Event, way: str, *, last: bool) -> None:
        if way == "all" or (way == "torn" and not last):
            os.pwrite(descriptor, event.data, event.offset)
        elif way == "some":
            if self._chance.random() < 0.5:
                os.pwrite(descriptor, event.data, event.offset)
        else:
            for at in range(0, len(event.data), SECTOR_BYTES):
                if self._chance.random() < 0.5:
                    os.pwrite(descriptor, event.data[at : at + SECTOR_BYTES], event.offset + at)


def allowed(log: Sequence[Event], moment: int) -> dict[str, tuple[int, int]]:
    """By name of a file, the first and last of its states that a crash at the moment may leave."""
    found: dict[str, tuple[int, int]] = {}
    for event in log[: moment + 1]:
        if event.kind == MARK:
            word, name, number = event.data.decode().split()
            state = int(number)
            found[name] = (state, state + 1) if word == "begin" else (state + 1, state + 1)
    return found
