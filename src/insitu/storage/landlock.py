"""A second wall around a process: Landlock, by which it gives up the rest of the file system for good.

The first wall is ``beneath``, which every path passes. Should a bug let one slip by, the kernel itself
refuses to open anything but what was listed here. Files that are open already are not affected, nor are
changes of modes, times and attributes, which Landlock does not govern.

Source: landlock(7), linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat as modes
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from insitu.errors import UnsupportedError

# The same numbers on every architecture but alpha.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVILEGES: Final = 38  # prctl(2)
_RULE: Final = struct.Struct("=Qi")

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_FOLDER, _MAKE_FILE = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _DEVICE_CALLS = 1 << 13, 1 << 14, 1 << 15
# What each version of the interface can govern: links, pipes, devices and sockets are among the first.
_GOVERNED: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}

READ: Final = _READ_FILE | _READ_FOLDER
CHANGE: Final = (
    READ | _WRITE_FILE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _REFER | _TRUNCATE
)
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CALLS

# Beside the interpreter and its packages: what the standard library, the resolver of time zones, and insitu's
# own questions to the kernel (boot, locks, leases) read. /dev/null is written to.
_SYSTEM: Final = (
    *("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/etc/mime.types", "/etc/ssl", "/etc/hosts"),
    *("/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/gai.conf"),
    *("/etc/host.conf", "/etc/ld.so.cache", "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib"),
    *("/dev/urandom", "/proc/sys/kernel/random/boot_id", "/proc/sys/fs/lease-break-time", "/proc/self"),
    *("/proc/locks", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system/cpu"),
)
_DEVICES: Final = ("/dev/null",)


@dataclass(frozen=True, slots=True)
class Wall:
    """What stands around the process.

    Attributes:
        version: of the kernel's interface; 0 where there is none.
        active: whether the process is walled in.
        reason: why not; empty where it is, or was not asked to be.
    """

    version: int
    active: bool
    reason: str = ""


def available() -> Wall:
    """Which version of Landlock this kernel offers; changes nothing."""
    if sys.platform != "linux":
        return Wall(0, False, "only Linux has it")
    try:
        return Wall(_call(_CREATE_RULESET, None, 0, _ASK_VERSION), False)
    except OSError as error:
        return Wall(0, False, _WHY_NOT.get(error.errno or 0, os.strerror(error.errno or 0)))


_WHY_NOT: Final = {
    errno.ENOSYS: "this kernel, or the container's filter of system calls, does not have it",
    errno.EOPNOTSUPP: "this kernel has it switched off",
    errno.EPERM: "the container's filter of system calls denies it",
}


def enter(change: Iterable[str], read: Iterable[str] = ()) -> Wall:
    """Walls the process in, for good, with all threads and programs it starts from now on.

    To be called before the first thread is started: threads that run already stay outside.

    Args:
        change: folders and files that may be changed: roots, state, the audit log.
        read: folders and files that may only be read. What Python itself reads is added.

    Returns:
        Whether it worked; on a kernel without Landlock nothing happens, and the reason says why.

    Raises:
        UnsupportedError: a folder that was named cannot be opened, or the kernel refused half-way; the
            process may then be walled in too closely and should end.
    """
    offer = available()
    if not offer.version:
        return offer
    governed = max(mask for version, mask in _GOVERNED.items() if version <= offer.version)
    try:
        rules = _call(_CREATE_RULESET, struct.pack("=Q", governed), 8, 0)
        try:
            for path in change:
                _allow(rules, path, CHANGE & governed)
            for path in read:
                _allow(rules, path, READ & governed)
            for path in _needed():
                if os.path.exists(path):
                    _allow(rules, path, (READ | _EXECUTE) & governed)
            for path in _DEVICES:
                if os.path.exists(path):
                    _allow(rules, path, (_READ_FILE | _WRITE_FILE) & governed)
            if _library().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            _call(_RESTRICT_SELF, rules, 0, 0)
        finally:
            os.close(rules)
    except OSError as error:
        raise UnsupportedError(
            f"The process could not be walled in by Landlock: {error.strerror}.",
            hint="Check that every root can be opened.",
        ) from error
    return Wall(offer.version, True)


def _needed() -> list[str]:
    """What Python reads while it runs: itself, what it imports later, and the system's tables."""
    own = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    own += [os.path.dirname(sys.executable), os.path.dirname(os.path.dirname(__file__))]
    # The folder a program was started in, or lies in, leads the path of imports, whatever else it holds.
    started_in = {"", os.getcwd(), os.path.dirname(os.path.abspath(sys.argv[0]))}
    return [*own, *(path for path in sys.path if path not in started_in), *_SYSTEM]


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not modes.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        _call(_ADD_RULE, rules, _PATH_BENEATH, _RULE.pack(rights, descriptor), 0)
    finally:
        os.close(descriptor)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """A system call; its failure as everywhere in ``os``."""
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_library().syscall(ctypes.c_long(number), *passed))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
