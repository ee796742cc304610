"""What a file system of Linux can do: tried out, since no list holds for every kernel and mount."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from insitu.core.facts import Facts
from insitu.storage import linux_calls as calls
from insitu.storage.failures import UNBRIDGED

MARK: Final = "user.insitu.pending"
"""The extended attribute of a file that is being moved."""

# linux/magic.h and the file systems' own sources. Contents of these are made up by the kernel.
_PSEUDO: Final = {
    0x9FA0: "proc",
    0x62656572: "sysfs",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x64626720: "debugfs",
    0x74726163: "tracefs",
    0x73636673: "securityfs",
    0xF97CFF8C: "selinuxfs",
    0x43415D53: "smackfs",
    0x5A3C69F0: "apparmorfs",
    0x62656570: "configfs",
    0x6165676C: "pstore",
    0xDE5E81E4: "efivarfs",
    0xCAFE4A11: "bpf",
    0x42494E4D: "binfmt_misc",
    0x65735543: "fusectl",
    0x07655821: "resctrl",
    0x19800202: "mqueue",
    0x6E736673: "nsfs",
    0x958458F6: "hugetlbfs",
}
_NAMES: Final = {
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0xCA451A4E: "bcachefs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0x3434: "nilfs2",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x794C7630: "overlay",
    0x65735546: "fuse",
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x01021997: "9p",
    0x00C36400: "ceph",
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x7366746E: "ntfs3",
    0x5346544E: "ntfs",
    0xF15F: "ecryptfs",
}
# Every overwrite goes to new blocks there, so that it can run out of space.
_COPY_ON_WRITE: Final = frozenset({0x9123683E, 0xCA451A4E, 0x2FC12FC1, 0x3434})
# Known to sync folders (ext4, xfs, btrfs, f2fs, tmpfs): trying would wait for other people's changes.
_FOLDER_SYNC: Final = frozenset({0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x01021994})

_PAGE_BYTES: Final = os.sysconf("SC_PAGESIZE")
_SMALLEST_BLOCK, _LARGEST_BLOCK = 512, 65536  # what file systems of Linux can be made with
_UNLIMITED: Final = 1 << 62

_probed: dict[int, tuple[tuple[int, ...], Facts]] = {}
"""By device, for the life of the process, with what tells that another file system took the number."""


def pseudo_name(descriptor: int) -> str | None:
    """The file system of an open file whose contents the kernel makes up; None for any other file."""
    return _PSEUDO.get(calls.file_system_type(descriptor))


def facts_under(folder: int) -> Facts:
    """What the storage under an open folder can do, and how much is free.

    Raises:
        OSError: the folder cannot be looked at.
    Cost: once per device and process a handful of calls on an unnamed file of a few unwritten blocks;
        afterwards two calls. Where the folder cannot be written nothing can be tried: all that needs
        writing is denied, and tried again next time.
    """
    device = os.fstat(folder).st_dev
    space = os.fstatvfs(folder)
    traits = (space.f_fsid, space.f_bsize, space.f_blocks)
    seen, known = _probed.get(device, ((), None))
    if known is None or seen != traits:
        known, certain = _probe(folder, space)
        if certain:
            _probed[device] = traits, known
    # Some network and FUSE file systems count no blocks at all: not full, but not telling.
    free = space.f_bavail * space.f_frsize if space.f_blocks else _UNLIMITED
    return replace(known, free_bytes=free)


class _Trial:
    """Tries calls out; ``certain`` unless one failed for a reason that may pass (a full disk)."""

    def __init__(self) -> None:
        self.certain = True

    def works(self, call: Callable[..., object], *arguments: object) -> bool:
        """Whether the call succeeds."""
        try:
            call(*arguments)
        except OSError as error:
            self.certain &= error.errno in UNBRIDGED
            return False
        return True


def _probe(folder: int, space: os.statvfs_result) -> tuple[Facts, bool]:
    """Tries every ability out; also whether the answer will hold for every folder of the device."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        magic = calls.file_system_type(readable)
        folder_sync = magic in _FOLDER_SYNC or _Trial().works(os.fsync, readable)
    finally:
        os.close(readable)
    block = space.f_bsize
    if not _SMALLEST_BLOCK <= block <= _LARGEST_BLOCK or block & (block - 1):
        block = _PAGE_BYTES  # a transfer size, as network file systems give
    common = Facts(
        filesystem=_NAMES.get(magic) or _PSEUDO.get(magic) or f"type {magic:#x}",
        block_bytes=block,
        atom_bytes=max(block, _PAGE_BYTES),
        overwrite_allocates=magic in _COPY_ON_WRITE,
        folder_sync=folder_sync,
    )
    file = _unnamed_file(folder)
    if file is None:
        return common, False
    trial = _Trial()
    works = trial.works
    try:
        # All hole, and so nothing the disk has to move; blocks are allocated last, since freeing them
        # may wait for the file system's journal.
        os.ftruncate(file, 4 * block)
        ranges = works(calls.fallocate, file, calls.INSERT_RANGE, block, block)
        ranges = ranges and works(calls.fallocate, file, calls.COLLAPSE_RANGE, block, block)
        facts = replace(
            common,
            ranges=ranges,
            punch=works(calls.fallocate, file, calls.PUNCH_HOLE, 0, block),
            clone=works(calls.clone_range, file, 0, file, 2 * block, block),
            kernel_copy=works(os.copy_file_range, file, file, 1, 0, 3 * block),
            leases=works(calls.take_lease, file),
            marks=works(os.setxattr, file, MARK, b"probe"),
            locks=works(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB),
            reserve=works(calls.fallocate, file, calls.KEEP_SIZE, 4 * block, block),
        )
    finally:
        os.close(file)
    return facts, trial.certain


def _unnamed_file(folder: int) -> int | None:
    """A file that vanishes when closed, in an open folder; None where none can be made there."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            return None
    name = f".insitu-probe-{os.urandom(8).hex()}"
    try:
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError:
        return None
    os.unlink(name, dir_fd=folder)
    return file
