"""Every state that a crash may leave, derived from a crash point.

A killed process leaves what programs saw, still unsynced: a power cut that follows may lose it all the
same. It may have put only a part of a write into the cache. A power cut leaves what was durable, plus any
legal choice among what was pending (see ``simulated_inode`` and ``simulated`` for what is legal).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod
from typing import Final, NamedTuple

from insitu.testing.simulated import (
    CrashPoint,
    FrozenVolume,
    SimulatedVolume,
)
from insitu.testing.simulated_inode import FrozenInode
from insitu.testing.simulated_media import GARBAGE, KEPT, LOST
from insitu.testing.simulated_names import Operation, close_over, surviving_names

_FEW_OPERATIONS: Final = 6
"""The legal subsets of so many folder operations are counted (2 ** 6), not estimated."""


class Kill(NamedTuple):
    """The process died; of a write under way, so many bytes had reached the cache."""

    written: int = 0


class Rest(NamedTuple):
    """What a power cut left of one inode's pending deltas and changes."""

    inode: int
    deltas_kept: int
    fates: tuple[int, ...]


class Cut(NamedTuple):
    """The power failed; which folder operations survived, and what of each inode."""

    operations: tuple[bool, ...]
    rests: tuple[Rest, ...]


def left_by(point: CrashPoint, crash: Kill | Cut) -> FrozenVolume:
    """The state that the crash leaves at that point."""
    return _cut(point.state, crash) if isinstance(crash, Cut) else _killed(point, crash)


def kills(point: CrashPoint) -> Iterator[Kill]:
    """Each way a killed process may leave a write: no byte, whole atoms, an atom torn in its middle."""
    yield Kill()
    if point.partial is not None:
        atom_bytes = point.state.facts.atom_bytes
        _, offset, data = point.partial
        step = max(atom_bytes // 2, 1)
        for stop in range(offset - offset % step + step, offset + len(data), step):
            yield Kill(stop - offset)


class Cuts:
    """The power cuts possible at one point."""

    def __init__(self, point: CrashPoint) -> None:
        state = point.state
        named = set(state.names.inodes | state.durable_names.inodes)
        named |= {entry.inode for operation in state.operations for entry in operation if entry.inode}
        self._operations = state.operations
        self._dirty = [
            (number, inode) for number, inode in state.inodes.items() if number in named and not inode.clean
        ]
        half = max(state.facts.atom_bytes // 2, 1)
        # Fates of one change that an exhaustive listing tries; a one-byte atom cannot be torn.
        self._fates = (LOST, KEPT, GARBAGE, GARBAGE + half, -half) if half < state.facts.atom_bytes else (
            LOST, KEPT, GARBAGE
        )  # fmt: skip
        self._atom_bytes = state.facts.atom_bytes

    def count(self) -> int:
        """How many cuts ``every`` lists; more where many folder operations wait."""
        few = len(self._operations) <= _FEW_OPERATIONS
        masks = sum(1 for _ in _legal(self._operations)) if few else 1 << len(self._operations)
        fates = len(self._fates)
        return masks * prod(
            (len(inode.deltas) + 1) * int(fates ** len(inode.changes)) for _, inode in self._dirty
        )

    def every(self) -> Iterator[Cut]:
        """All of them, with atoms torn in their middle only."""
        choices = [
            [
                Rest(number, kept, fates)
                for kept in range(len(inode.deltas) + 1)
                for fates in product(self._fates, repeat=len(inode.changes))
            ]
            for number, inode in self._dirty
        ]
        for mask in _legal(self._operations):
            for rests in product(*choices):
                yield Cut(mask, rests)

    def extremes(self) -> Iterator[Cut]:
        """All kept, all lost, and each single change, delta and folder operation against the rest."""
        operations = len(self._operations)
        for fate in (KEPT, LOST, GARBAGE):
            yield self._even((fate != LOST,) * operations, fate)
            yield self._even((fate == LOST,) * operations, fate)
        for index in range(operations):
            alone = [other == index for other in range(operations)]
            close_over(self._operations, alone)
            without = [other < index for other in range(operations)]
            for mask in (tuple(alone), tuple(without)):
                yield self._even(mask, KEPT)
                yield self._even(mask, LOST)
        kept = self._even((True,) * operations, KEPT)
        for place, (number, inode) in enumerate(self._dirty):
            size = len(inode.changes)
            rests = [Rest(number, count, (KEPT,) * size) for count in range(len(inode.deltas))]
            full = len(inode.deltas)
            for index in range(size):
                for fate, others in ((LOST, KEPT), (KEPT, LOST), (GARBAGE, KEPT)):
                    fates = (others,) * index + (fate,) + (others,) * (size - index - 1)
                    rests.append(Rest(number, full, fates))
            for rest in rests:
                yield Cut(kept.operations, (*kept.rests[:place], rest, *kept.rests[place + 1 :]))

    def extreme(self, random_: random.Random) -> Cut:
        """One of the extremes, drawn without listing them."""
        mask = (random_.random() < 0.8,) * len(self._operations)
        if not self._dirty or random_.random() < 0.2:
            return self._even(mask, random_.choice((KEPT, LOST, GARBAGE)))
        others = random_.choice((KEPT, KEPT, LOST))
        cut = self._even(mask, others)
        place = random_.randrange(len(self._dirty))
        number, inode = self._dirty[place]
        fates = [others] * len(inode.changes)
        deltas_kept = len(inode.deltas)
        if fates and random_.random() < 0.7:
            fates[random_.randrange(len(fates))] = random_.choice((LOST, KEPT, GARBAGE))
        else:
            deltas_kept = random_.randint(0, deltas_kept)
        rest = Rest(number, deltas_kept, tuple(fates))
        return Cut(mask, (*cut.rests[:place], rest, *cut.rests[place + 1 :]))

    def sample(self, random_: random.Random) -> Cut:
        """A random one; each draws its own odds, so that nearly-all and nearly-none come up as well."""
        kept_odds = random_.choice((0.1, 0.5, 0.5, 0.9))
        spoil_odds = random_.choice((0.0, 0.1, 0.4))
        mask = [random_.random() < kept_odds for _ in self._operations]
        close_over(self._operations, mask)
        rests = []
        for number, inode in self._dirty:
            count = len(inode.deltas)
            deltas_kept = count if random_.random() < kept_odds / 2 else random_.randint(0, count)
            fates = tuple(self._fate(random_, kept_odds, spoil_odds) for _ in inode.changes)
            rests.append(Rest(number, deltas_kept, fates))
        return Cut(tuple(mask), tuple(rests))

    def _fate(self, random_: random.Random, kept_odds: float, spoil_odds: float) -> int:
        if random_.random() >= spoil_odds:
            return KEPT if random_.random() < kept_odds else LOST
        if self._atom_bytes == 1 or random_.random() < 0.4:
            return GARBAGE
        at = random_.randrange(1, self._atom_bytes)
        return GARBAGE + at if random_.random() < 0.5 else -at

    def _even(self, mask: tuple[bool, ...], fate: int) -> Cut:
        return Cut(mask, tuple(
            Rest(number, 0 if fate == LOST else len(inode.deltas), (fate,) * len(inode.changes))
            for number, inode in self._dirty
        ))  # fmt: skip


def _killed(point: CrashPoint, kill: Kill) -> FrozenVolume:
    if not kill.written or point.partial is None:
        return point.state
    volume = SimulatedVolume.thawed(point.state)
    number, offset, data = point.partial
    volume.inode(number).write(offset, data[: kill.written], volume.tick())
    return volume.freeze()


def _cut(state: FrozenVolume, cut: Cut) -> FrozenVolume:
    names = surviving_names(state.durable_names, state.operations, cut.operations)
    rests = {rest.inode: rest for rest in cut.rests}
    inodes: dict[int, FrozenInode] = {}
    for number in names.inodes:
        inode = state.inodes.get(number)
        if inode is not None:
            rest = rests.get(number)
            inodes[number] = (
                inode if rest is None else inode.survive(state.geometry, rest.deltas_kept, rest.fates)
            )
    return replace(
        state, inodes=inodes, names=names, durable_names=names, operations=(), boots=state.boots + 1
    )


def _legal(operations: tuple[Operation, ...]) -> Iterator[tuple[bool, ...]]:
    """The subsets in which each operation kept has what it builds upon."""
    for mask in product((False, True), repeat=len(operations)):
        closed = list(mask)
        close_over(operations, closed)
        if tuple(closed) == mask:
            yield mask
