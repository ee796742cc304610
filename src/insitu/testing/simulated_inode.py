"""One simulated file: what programs see, what the disk surely holds, and what lies between.

What lies between is logged as ``simulated_media`` says, and a sync empties the logs. Inserting and
collapsing ranges log one delta per moved block, so their half-done states are prefixes like any other;
written atoms are addressed by disk block, not by file offset, so they go where their block goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from insitu.core.spans import Span, ceil, floor
from insitu.testing.simulated_media import (
    HOLE,
    KEPT,
    Change,
    Delta,
    Geometry,
    Image,
    Mapped,
    Moved,
    Owner,
    Sized,
    layout,
    surviving,
)


class Partial(NamedTuple):
    """The data of a write that was under way at a crash point."""

    inode: int
    offset: int
    data: bytes


class FrozenInode:
    """The immutable state of an inode at one moment; its hash leaves the times out."""

    __slots__ = (
        "blocks", "born", "changed", "changes", "data", "deltas", "durable", "fresh", "key", "mark", "owner",
        "parted",
    )  # fmt: skip

    def __init__(
        self,
        durable: Image,
        *,
        mark: bytes | None,
        born: int,
        changed: int,
        data: bytes,
        blocks: tuple[int, ...],
        owner: Owner,
        fresh: int,
        deltas: tuple[Delta, ...] = (),
        changes: tuple[Change, ...] = (),
        parted: bool = False,
    ) -> None:
        self.durable: Final = durable
        self.mark: Final = mark
        self.born: Final = born
        self.changed: Final = changed
        self.data: Final = data
        self.blocks: Final = blocks
        self.owner: Final = owner
        self.fresh: Final = fresh
        self.deltas: Final = deltas
        self.changes: Final = changes
        # After a failed sync what programs see no longer follows from the durable image and the logs.
        self.parted: Final = parted
        self.key: Final = hash((durable, mark, data, blocks, owner, deltas, changes))

    @property
    def clean(self) -> bool:
        """Whether a power cut could not change it."""
        return not self.deltas and not self.changes and not self.parted

    @classmethod
    def settled(
        cls, image: Image, geometry: Geometry, *, mark: bytes | None, born: int, changed: int
    ) -> FrozenInode:
        """The inode whose programs see exactly what is durable."""
        blocks = tuple(layout(image, geometry))
        return cls(
            image, mark=mark, born=born, changed=changed, data=image.data, blocks=blocks, owner=image.owner,
            fresh=len(blocks),
        )  # fmt: skip

    def survive(self, geometry: Geometry, deltas_kept: int, fates: Sequence[int]) -> FrozenInode:
        """What is left after a power cut that kept so many deltas and did that to each change."""
        image = surviving(self.durable, geometry, self.fresh, self.deltas[:deltas_kept],
                          zip(self.changes, fates, strict=True))  # fmt: skip
        return FrozenInode.settled(image, geometry, mark=self.mark, born=self.born, changed=self.changed)


class Inode:
    """A file as running programs see it; every mutation is logged until ``sync``."""

    __slots__ = (
        "_blocks", "_changes", "_data", "_deltas", "_durable", "_fresh", "_frozen", "_geometry", "_parted",
        "born", "changed", "mark", "number", "owner",
    )  # fmt: skip

    def __init__(self, number: int, geometry: Geometry, frozen: FrozenInode) -> None:
        self.number: Final = number
        self._geometry = geometry
        self._frozen: FrozenInode | None = frozen
        self._durable = frozen.durable
        self._data: bytes | bytearray = frozen.data
        self._blocks: Sequence[int] = frozen.blocks
        self._fresh = frozen.fresh
        self._deltas = list(frozen.deltas)
        self._changes = list(frozen.changes)
        self._parted = frozen.parted
        self.mark = frozen.mark
        self.owner = frozen.owner
        self.born = frozen.born
        self.changed = frozen.changed

    def freeze(self) -> FrozenInode:
        """The state now; the same object until the next mutation."""
        if self._frozen is None:
            clean = not self._deltas and not self._changes and not self._parted
            self._frozen = FrozenInode(
                self._durable, mark=self.mark, born=self.born, changed=self.changed,
                data=self._durable.data if clean else bytes(self._data), blocks=tuple(self._blocks),
                owner=self.owner, fresh=self._fresh, deltas=tuple(self._deltas),
                changes=tuple(self._changes), parted=self._parted,
            )  # fmt: skip
        return self._frozen

    @property
    def size(self) -> int:
        """The size programs see."""
        return len(self._data)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes, as programs see them."""
        return bytes(self._data[offset : offset + size])

    def write(self, offset: int, data: bytes, tick: int) -> None:
        """Puts bytes into the cache; every atom touched becomes a pending change."""
        if not data:
            return
        cache, blocks = self._mutable(tick)
        block_bytes = self._geometry.block_bytes
        stop, size = offset + len(data), len(cache)
        if stop > size:
            cache.extend(bytes(stop - size))
        cache[offset:stop] = data
        for block in range(offset // block_bytes, ceil(stop, block_bytes) // block_bytes):
            if block >= len(blocks):
                blocks.extend([HOLE] * (block + 1 - len(blocks)))
            if blocks[block] == HOLE:
                blocks[block] = self._fresh
                self._deltas.append(Mapped(block, self._fresh))
                self._fresh += 1
            reached = min(stop, (block + 1) * block_bytes)
            if reached > size:
                # Write-back moves the size along block by block.
                self._deltas.append(Sized(reached))
                size = reached
        self._log_atoms(Span(offset, stop))

    def resize(self, size: int, tick: int) -> None:
        """Cuts or extends; the bytes after a cut are zeroed on the disk, as kernels do."""
        cache, blocks = self._mutable(tick)
        if size == len(cache):
            return
        block_bytes = self._geometry.block_bytes
        shrinks = size < len(cache)
        count = ceil(size, block_bytes) // block_bytes
        if shrinks:
            del cache[size:]
            del blocks[count:]
        else:
            cache.extend(bytes(size - len(cache)))
            blocks.extend([HOLE] * (count - len(blocks)))
        self._deltas.append(Sized(size))
        if shrinks and size % block_bytes and blocks[-1] != HOLE:
            within = size % block_bytes
            self._changes.append(((blocks[-1] * block_bytes + within, bytes(block_bytes - within)),))

    def punch(self, span: Span, tick: int) -> None:
        """Whole blocks become holes, one after another; the edges are overwritten with zeros."""
        cache, blocks = self._mutable(tick)
        block_bytes = self._geometry.block_bytes
        cache[span.start : span.stop] = bytes(span.size)
        # The last block may be a hole though the file ends in its midst.
        stop = len(blocks) * block_bytes if span.stop == len(cache) else span.stop
        inner = Span(ceil(span.start, block_bytes), floor(stop, block_bytes))
        for block in range(inner.start // block_bytes, inner.stop // block_bytes):
            if blocks[block] != HOLE:
                blocks[block] = HOLE
                self._deltas.append(Mapped(block, HOLE))
        if inner.size < 0:
            self._log_atoms(span)
        else:
            self._log_atoms(Span(span.start, inner.start))
            self._log_atoms(Span(inner.stop, span.stop))

    def insert(self, offset: int, size: int, tick: int) -> None:
        """Sets the size first, then moves blocks from the last to ``offset``: one hole at the frontier."""
        cache, blocks = self._mutable(tick)
        first, count = offset // self._geometry.block_bytes, size // self._geometry.block_bytes
        if not count:
            return
        self._deltas.append(Sized(len(cache) + size))
        for block in range(len(blocks) - 1, first - 1, -1):
            if blocks[block] != HOLE:
                self._deltas.append(Moved(block, block + count))
        blocks[first:first] = [HOLE] * count
        cache[offset:offset] = bytes(size)

    def collapse(self, offset: int, size: int, tick: int) -> None:
        """Punches the range block by block, moves the blocks after it left, sets the size last."""
        cache, blocks = self._mutable(tick)
        first, count = offset // self._geometry.block_bytes, size // self._geometry.block_bytes
        if not count:
            return
        for block in range(first, first + count):
            if blocks[block] != HOLE:
                self._deltas.append(Mapped(block, HOLE))
        for block in range(first + count, len(blocks)):
            if blocks[block] != HOLE:
                self._deltas.append(Moved(block, block - count))
        del blocks[first : first + count]
        del cache[offset : offset + size]
        self._deltas.append(Sized(len(cache)))

    def take_owner(self, owner: Owner, tick: int) -> None:
        """Changes mode and owner; durable after ``sync``."""
        self._mutable(tick)
        self.owner = owner
        self._deltas.append(owner)

    def set_mark(self, mark: bytes | None, tick: int) -> None:
        """Changes the mark, durably and as a whole; the contents stay as unsynced as they were."""
        self._mutable(tick)
        self.mark = mark

    def sync(self) -> None:
        """Makes everything logged durable."""
        if self._parted:
            self._settle([KEPT] * len(self._changes))
        elif self._deltas or self._changes:
            holes = frozenset(block for block, disk in enumerate(self._blocks) if disk == HOLE)
            self._settled(Image(bytes(self._data), holes, self.owner))

    def fail_sync(self, fates: Iterable[int]) -> None:
        """Some changes reached the disk, all are marked clean: no later sync will write the others."""
        self._settle(fates)
        self._parted = True

    def pending(self) -> int:
        """How many changes wait for a sync."""
        return len(self._changes)

    def next_data(self, offset: int) -> int:
        """The first offset from ``offset`` on that lies in no hole; the size where there is none."""
        return self._next(offset, hole=False)

    def next_hole(self, offset: int) -> int:
        """The first offset from ``offset`` on that lies in a hole; the size where there is none."""
        return self._next(offset, hole=True)

    def _next(self, offset: int, *, hole: bool) -> int:
        block_bytes = self._geometry.block_bytes
        for block in range(offset // block_bytes, len(self._blocks)):
            if (self._blocks[block] == HOLE) is hole:
                return min(max(offset, block * block_bytes), len(self._data))
        return len(self._data)

    def _mutable(self, tick: int) -> tuple[bytearray, list[int]]:
        self._frozen = None
        self.changed = tick
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        if not isinstance(self._blocks, list):
            self._blocks = list(self._blocks)
        return self._data, self._blocks

    def _log_atoms(self, span: Span) -> None:
        """Logs a change for each atom that ``span`` touches, with the whole contents of the atom."""
        if span.size <= 0:
            return
        block_bytes, atom_bytes = self._geometry
        unit = min(block_bytes, atom_bytes)
        limit = len(self._blocks) * block_bytes
        for atom in range(floor(span.start, atom_bytes), span.stop, atom_bytes):
            parts = []
            for start in range(atom, min(atom + atom_bytes, limit), unit):
                disk = self._blocks[start // block_bytes]
                if disk != HOLE:
                    data = bytes(self._data[start : start + unit])
                    parts.append((disk * block_bytes + start % block_bytes, data.ljust(unit, b"\0")))
            if parts:
                self._changes.append(tuple(parts))

    def _settle(self, fates: Iterable[int]) -> None:
        changes = zip(self._changes, fates, strict=True)
        self._settled(surviving(self._durable, self._geometry, self._fresh, self._deltas, changes))

    def _settled(self, image: Image) -> None:
        self._frozen = None
        self._durable = image
        self._deltas = []
        self._changes = []
        self._blocks = layout(image, self._geometry)
        self._fresh = len(self._blocks)
