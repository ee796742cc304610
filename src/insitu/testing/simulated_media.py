"""What a power cut makes of one file's blocks: the model's media assumptions, executed.

The disk is block-mapped, as real file systems are. Two logs lead from the durable image of a file to what
programs see: *deltas*, changes of its block map and size, of which a prefix survives, and *changes*, one for
each atom written, which survive each by itself.

Media assumptions, beside those of ``Facts.atom_bytes``: a spoiled write spoils its own atom only; cutting a
file spoils nothing before the cut; a block that was never written reads as zeros, or as garbage where a
write to it was under way; a mark is changed as a whole and durable at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from insitu.core.spans import ceil

HOLE: Final = -1

# Fates of a pending change. Above GARBAGE: the first (fate - GARBAGE) bytes are new, the rest old;
# negative: the first (-fate) bytes are old, the rest new.
LOST: Final = 0
KEPT: Final = 1
GARBAGE: Final = 2


class Owner(NamedTuple):
    """Mode and owner: the metadata that ``take_metadata`` copies."""

    mode: int
    uid: int
    gid: int


class Image(NamedTuple):
    """Contents that surely survive: bytes, the numbers of the blocks that are holes, and the owner."""

    data: bytes
    holes: frozenset[int]
    owner: Owner


class Mapped(NamedTuple):
    """Delta: a block of the file now lies in a block of the disk (or is a hole)."""

    block: int
    disk: int


class Moved(NamedTuple):
    """Delta: a block of the file changed its place, leaving a hole."""

    source: int
    target: int


class Sized(NamedTuple):
    """Delta: the file has another size."""

    size: int


Delta = Mapped | Moved | Sized | Owner

# One atom: (offset on the disk, contents) for each block that the atom lies in.
Change = tuple[tuple[int, bytes], ...]


class Geometry(NamedTuple):
    """Sizes of a block and of an atom; one is a multiple of the other."""

    block_bytes: int
    atom_bytes: int


def layout(image: Image, geometry: Geometry) -> list[int]:
    """The block map of a settled image: each block lies where its number says, or is a hole."""
    blocks = list(range(ceil(len(image.data), geometry.block_bytes) // geometry.block_bytes))
    for hole in image.holes:
        blocks[hole] = HOLE
    return blocks


def surviving(
    durable: Image,
    geometry: Geometry,
    fresh: int,
    deltas: Sequence[Delta],
    fates: Iterable[tuple[Change, int]],
) -> Image:
    """Plays the kept deltas and the fates of the changes onto the durable image."""
    block_bytes = geometry.block_bytes
    disk = bytearray(durable.data)
    disk.extend(bytes(fresh * block_bytes - len(disk)))
    for change, fate in fates:
        if fate == KEPT:
            for at, new in change:
                disk[at : at + len(new)] = new
        elif fate != LOST:
            _spoil(disk, change, fate)
    size, owner = len(durable.data), durable.owner
    if not deltas:
        return Image(bytes(disk[:size]), durable.holes, owner)
    blocks = layout(durable, geometry)
    for delta in deltas:
        match delta:
            case Mapped(block, at):
                if block >= len(blocks):
                    blocks.extend([HOLE] * (block + 1 - len(blocks)))
                blocks[block] = at
            case Moved(source, target):
                blocks[target], blocks[source] = blocks[source], HOLE
            case Sized(size):
                count = ceil(size, block_bytes) // block_bytes
                del blocks[count:]
                blocks.extend([HOLE] * (count - len(blocks)))
            case Owner():
                owner = delta
    del blocks[ceil(size, block_bytes) // block_bytes :]
    if blocks == list(range(len(blocks))):
        return Image(bytes(disk[:size]), frozenset(), owner)
    zeros = bytes(block_bytes)
    data = b"".join(zeros if at == HOLE else disk[at * block_bytes : (at + 1) * block_bytes] for at in blocks)
    return Image(data[:size], frozenset(i for i, at in enumerate(blocks) if at == HOLE), owner)


def _spoil(disk: bytearray, change: Change, fate: int) -> None:
    """Tears an atom between old and new, or fills it with bytes that are neither."""
    done = 0
    for at, new in change:
        old = disk[at : at + len(new)]
        if fate == GARBAGE:
            disk[at : at + len(new)] = bytes(_neither(*pair) for pair in zip(old, new, strict=True))
        else:
            cut = min(max((fate - GARBAGE if fate > 0 else -fate) - done, 0), len(new))
            first, second = (new, old) if fate > 0 else (old, new)
            disk[at : at + len(new)] = first[:cut] + second[cut:]
        done += len(new)


def _neither(old: int, new: int) -> int:
    """A byte that is neither of the two."""
    return next(byte for byte in (0xDB, 0xDC, 0xDD) if byte not in (old, new))
