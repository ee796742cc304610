"""What a storage can do, as data that planners, checker and crash simulator all read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Abilities of one storage, probed by trying, once per device.

    ``atom_bytes`` cannot be probed: it is assumed to be the larger of block and memory page, so that a
    crash that spoils a whole page spoils one atom (docs/journal.md, media assumptions).
    """

    filesystem: str = "unknown"
    """Type name as the platform gives it (``ext4``); for people only, never decided upon."""
    block_bytes: int = 4096
    """Allocation unit: what insert-range, collapse-range and clone-range are aligned to."""
    atom_bytes: int = 4096
    """Smallest unit a crash can spoil."""
    clone: bool = False
    """Ranges can be shared between files (FICLONERANGE)."""
    ranges: bool = False
    """Block ranges can be inserted into and collapsed out of a file."""
    punch: bool = False
    """Holes can be punched."""
    reserve: bool = False
    """Space beyond the end of a file can be allocated without changing its size."""
    kernel_copy: bool = False
    """Bytes can be copied between files inside the kernel."""
    overwrite_allocates: bool = False
    """Overwriting allocates new blocks (copy-on-write), so that it can run out of space."""
    folder_sync: bool = True
    """A folder can be synced, which makes a rename in it durable."""
    locks: bool = True
    """Advisory locks on a descriptor exclude other processes."""
    leases: bool = False
    """Opening a file can be made to wait, for every program on the machine, while we alone have it open."""
    marks: bool = False
    """User extended attributes can be set, so that a moving file can be marked."""
    free_bytes: int = 1 << 62
    """Space left for an unprivileged writer, when probed."""
