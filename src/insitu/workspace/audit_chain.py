"""Appending to an audit log: one chain for all threads and processes, over all of its files.

The head (``audit_records.Head``) is the lock, too: its inode never changes, since it is overwritten in place.
Whoever holds it appends one line and then moves the head, so that after a crash the head may lag behind the
log, and never the log behind the head, but for records that nobody asked to be durable and a power cut took.

Crash: a torn last line, or whole ones that the head does not count. The next append takes the whole ones for
what they are, cuts the torn one off and says so in a record. Everything else that does not fit together is
damage: nothing is appended to it.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from insitu.engine.lock import PAUSE_MAX_S, PAUSE_MIN_S
from insitu.errors import AuditDamagedError, AuditError, LockedError
from insitu.storage.local import local_volume
from insitu.workspace.audit_folder import HEAD_NAME, Folder, file_name, made_key, read_key, reported
from insitu.workspace.audit_lines import lines_of
from insitu.workspace.audit_records import (
    HEAD_BYTES,
    RECORD_BYTES_MAX,
    Head,
    Point,
    digest_of,
    record_of,
    sealed,
)

# A power cut takes at most so many records that were not to be durable; the next one is synced.
UNSYNCED_MAX: Final = 256

_sync: Final = getattr(os, "fdatasync", os.fsync)  # covers a changed size: fdatasync(2)


def boot_name() -> str:
    """Names the time since the machine was started, in sixteen characters."""
    return hashlib.sha256(local_volume().boot_id().encode()).hexdigest()[:16]


def now() -> str:
    """The time as RFC 3339 has it, in UTC: texts in this form sort as the times do."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def locked(descriptor: int, path: str, timeout_s: float) -> Iterator[None]:
    """Holds the lock of an audit log.

    Raises:
        LockedError: somebody else held it all the time.
    """
    from filelock import lock_descriptor, unlock_descriptor

    began, pause_s = time.monotonic(), PAUSE_MIN_S
    with reported("lock", path):
        while not lock_descriptor(descriptor, blocking=False):
            if (waited_s := time.monotonic() - began) >= timeout_s:
                raise LockedError(
                    f"The audit log {path!r} was locked for all of {waited_s:.1f} s.",
                    hint="Look for a stopped process that uses the same audit log.",
                    path=path,
                    waited_s=waited_s,
                )
            time.sleep(random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
    try:
        yield
    finally:
        with suppress(OSError):
            unlock_descriptor(descriptor)


class Chain:
    """The end of an audit log, to append to.

    Args:
        folder: the log's folder, opened for writing.
        key_path: the file of the key; made if the log is new.
        rotate_bytes: a file that has reached this size is followed by a new one.
        files_kept: the oldest files are removed when there are more; None keeps all.
        lock_timeout_s: how long to wait for other writers.

    Raises:
        MissingFileError: there is a log, and its key is gone.
        AuditDamagedError: the head is unreadable, or of another key.
    """

    def __init__(
        self,
        folder: Folder,
        key_path: str | os.PathLike[str],
        *,
        rotate_bytes: int,
        files_kept: int | None,
        lock_timeout_s: float,
    ) -> None:
        self._folder: Final = folder
        self._rotate_bytes: Final = rotate_bytes
        self._files_kept: Final = files_kept
        self._lock_timeout_s: Final = lock_timeout_s
        self._boot: Final = boot_name()
        self._threads: Final = threading.Lock()
        self._path: Final = os.path.join(folder.path, HEAD_NAME)
        self._head = self._open(HEAD_NAME, create=True)
        self._process: Final = os.getpid()
        self._file = -1
        self._file_number = 0
        self._poisoned = False
        self._seen = 0  # so many records there were at least: an older head put back is noticed
        self._key = b""
        try:
            with locked(self._head, self._path, lock_timeout_s):
                # A log without records was begun and not finished, or is about to begin.
                fresh = os.fstat(self._head).st_size == 0
                self._key = made_key(key_path) if fresh else read_key(key_path)
                if fresh:
                    self._begin()
                self._read_head()
        except BaseException:
            self.close()
            raise

    def append(self, fields: Mapping[str, Any], *, sync: bool) -> int:
        """Appends a record and returns its number.

        Args:
            fields: its members but for ``seq``, ``time``, ``previous`` and ``mac``.
            sync: it is durable when this returns; if not, a power cut may take it.

        Raises:
            AuditError: it could not be written; the chain is whole without it.
            AuditDamagedError: the log was tampered with or damaged; nothing was appended.
        """
        with self._held():
            head = self._settled(self._read_head())
            return self._appended(head, fields, sync=sync).count

    def end(self) -> Point:
        """How many records there are, and the digest of the last."""
        with self._held():
            return self._settled(self._read_head()).end

    def close(self) -> None:
        """Makes everything durable that is not; harmless when repeated."""
        with self._threads:
            for descriptor in (self._file, self._head):
                if descriptor >= 0:
                    with suppress(OSError):
                        _sync(descriptor)
                    os.close(descriptor)
            self._file = self._head = -1

    @contextmanager
    def _held(self) -> Iterator[None]:
        # A child shares its parent's lock, so that neither would wait for the other.
        if os.getpid() != self._process:
            raise self._failed("it was opened before this process was forked; open it anew")
        with self._threads:
            if self._head < 0:
                raise self._failed("it is closed")
            if self._poisoned:
                raise self._failed("an earlier sync of it failed; open it anew when the disk is sound")
            with locked(self._head, self._path, self._lock_timeout_s):
                yield

    def _begin(self) -> None:
        if any(self._folder.size_of(number) for number in self._folder.numbers()):
            raise self._damaged("its head is empty, its files are not")
        os.close(self._open(file_name(1), create=True))
        self._folder.sync()
        self._write_head(Head(boot=self._boot))
        self._sync(self._head)

    def _read_head(self) -> Head:
        with reported("read", self._path):
            data = os.pread(self._head, HEAD_BYTES + 1, 0)
        head = Head.parsed(data, self._key)
        if head is None:
            raise self._damaged("its head is damaged or of another key")
        if head.count < self._seen:
            raise self._damaged(f"its head counts {head.count} records, and there were {self._seen}")
        self._seen = head.count
        self._check_named(self._head, HEAD_NAME)
        return head

    def _check_named(self, descriptor: int, name: str) -> os.stat_result:
        """The status of an open file, if its path still names it."""
        path = os.path.join(self._folder.path, name)
        with reported("look at", path):
            status = os.fstat(descriptor)
            try:
                named = os.path.samestat(status, os.lstat(path))
            except FileNotFoundError:
                named = False
        if not named:
            raise self._damaged(f"{name} was removed or replaced")
        return status

    def _write_head(self, head: Head) -> None:
        with reported("write", self._path):
            if os.pwrite(self._head, head.rendered(self._key), 0) != HEAD_BYTES:
                raise self._failed("its head was written in part")
        self._seen = head.count

    def _settled(self, head: Head) -> Head:
        """The head, with the log's last file open and in accord with it."""
        if self._file_number != head.file:
            self._turn_to(head.file)
        size = self._check_named(self._file, file_name(head.file)).st_size
        if size == head.size and head.boot == self._boot:
            return head
        return self._mended(head, size)

    def _mended(self, head: Head, size: int) -> Head:
        """Takes in what a crash left behind the head, and drops what it left of a line."""
        name = file_name(head.file)
        if size < head.synced_size:
            raise self._damaged(f"{name} was cut off")
        end, stop = head.synced, head.synced_size
        for line in lines_of(self._file, stop, size, name):
            record = record_of(line.data, self._key)
            if record is None or (record.seq - 1, record.previous) != end:
                break
            end, stop = Point(record.seq, record.digest), line.stop
            if end.records == head.count and end.digest != head.digest:
                raise self._damaged(f"record {end.records} in {name} is not the one that was written")
        torn, lost = size - stop, max(0, head.count - end.records)
        # Only a power cut takes whole records, or leaves other bytes than the start of a line.
        if head.boot == self._boot and (lost or (torn and self._has_line_end(stop, size))):
            raise self._damaged(f"{name} does not go on as written behind record {end.records}")
        with reported("mend", name):
            os.ftruncate(self._file, stop)
        self._sync(self._file)
        head = replace(head, count=end.records, digest=end.digest, size=stop, boot=self._boot)
        head = replace(head, synced_count=end.records, synced_digest=end.digest, synced_size=stop)
        self._write_head(head)
        if not (torn or lost):
            return head
        return self._appended(head, {"kind": "repair", "torn_bytes": torn, "lost_records": lost}, sync=True)

    def _has_line_end(self, start: int, stop: int) -> bool:
        with reported("read", self._path):
            data = os.pread(self._file, min(stop - start, RECORD_BYTES_MAX + 1), start)
        return b"\n" in data or len(data) > RECORD_BYTES_MAX

    def _appended(self, head: Head, fields: Mapping[str, Any], *, sync: bool) -> Head:
        chained = {**fields, "time": now(), "seq": head.count + 1, "previous": head.digest}
        line = sealed(chained, self._key)
        if len(line) > RECORD_BYTES_MAX:
            raise self._failed(f"a record of {len(line):,} bytes is too long")
        if head.size and head.size + len(line) > self._rotate_bytes:
            head = self._rotated(head)
        try:
            with reported("write", file_name(head.file)):
                if os.pwrite(self._file, line, head.size) != len(line):
                    raise self._failed("a record was written in part")
        except AuditError:
            with suppress(OSError):
                os.ftruncate(self._file, head.size)
            raise
        end = Point(head.count + 1, digest_of(line))
        head = replace(head, count=end.records, digest=end.digest, size=head.size + len(line))
        if sync or end.records - head.synced_count >= UNSYNCED_MAX:
            self._sync(self._file)
            head = replace(head, synced_count=end.records, synced_digest=end.digest, synced_size=head.size)
        self._write_head(head)
        return head

    def _rotated(self, head: Head) -> Head:
        """Goes on in a new file, and removes the oldest where there are too many."""
        self._sync(self._file)
        number = head.file + 1
        self._turn_to(number, create=True)
        if os.fstat(self._file).st_size:
            raise self._damaged(f"{file_name(number)} is there before its time")
        self._folder.sync()
        head = replace(
            head, file=number, size=0, synced_count=head.count, synced_digest=head.digest, synced_size=0
        )
        oldest = number if self._files_kept is None else number - self._files_kept + 1
        if self._files_kept is not None and oldest > head.oldest_file:
            before = self._point_before(oldest)
            head = replace(head, oldest_file=oldest, oldest_count=before.records, oldest_digest=before.digest)
        self._write_head(head)
        self._sync(self._head)
        for old in self._folder.numbers():
            if old < head.oldest_file:
                self._folder.remove(old)
        return head

    def _point_before(self, number: int) -> Point:
        """Where a file of the log begins."""
        descriptor = self._open(file_name(number))
        try:
            with reported("read", file_name(number)):
                size = os.fstat(descriptor).st_size
            first = next(lines_of(descriptor, 0, size, file_name(number)), None)
        finally:
            os.close(descriptor)
        record = record_of(first.data, self._key) if first else None
        if record is None:
            raise self._damaged(f"{file_name(number)} does not begin with a record")
        return Point(record.seq - 1, record.previous)

    def _turn_to(self, number: int, *, create: bool = False) -> None:
        descriptor = self._open(file_name(number), create=create)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._file_number = descriptor, number

    def _open(self, name: str, *, create: bool = False) -> int:
        try:
            return self._folder.open(name, create=create)
        except FileNotFoundError:
            raise self._damaged(f"{name} is missing") from None

    def _sync(self, descriptor: int) -> None:
        try:
            with reported("sync", self._path):
                _sync(descriptor)
        except AuditError:
            self._poisoned = True  # the kernel forgets what it could not write: see PortableFile
            raise

    def _failed(self, what: str) -> AuditError:
        return AuditError(
            f"The audit log in {self._folder.path!r} cannot be kept: {what}.",
            hint="Check the folder of the log and its disk.",
            file_state="old",
            path=self._folder.path,
        )

    def _damaged(self, what: str) -> AuditDamagedError:
        return AuditDamagedError(
            f"The audit log in {self._folder.path!r} is damaged: {what}. Nothing is added to it.",
            hint=f"See: insitu audit verify --log {self._folder.path}. To go on, keep that folder as it is "
            "and begin a log in another.",
            file_state="old",
            path=self._folder.path,
        )
