"""The audit log: what was tried, by whom, on what, and what came of it, in a chain that shows tampering.

Every attempt leaves one record of how it ended; a write leaves one of what it is about to do as well, durable
before the file is touched. A write whose second record is missing was under way when the process died.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple

from insitu.errors import AuditError, InsituError, InternalError, LockedError, RequestError, StorageError
from insitu.workspace import audit_folder
from insitu.workspace.audit_chain import Chain
from insitu.workspace.audit_records import RECORD_BYTES_MAX, Point, canonical
from insitu.workspace.audit_redaction import redacted, redacted_value

ROTATE_BYTES: Final = 64 << 20  # a file that editors and mail still take
FILES_KEPT: Final = 64  # so the log stays below 4 GiB
LOCK_TIMEOUT_S: Final = 10.0

CHANGES_MAX: Final = 100
"""So many changed spans of one operation are recorded; their number is, whatever it is."""

_NAME_CHARACTERS_MAX: Final = 4096  # a path; no file system has longer ones
_ADDRESSES_MAX: Final = 100


class Client(NamedTuple):
    """Who asked: as the host introduced itself, which nobody checks."""

    name: str = ""
    version: str = ""


@dataclass(frozen=True)
class Change:
    """One span of a file, replaced.

    Args:
        start: its offset before the operation, in bytes.
        old_bytes, new_bytes: how many bytes it had, and how many stand there now.
        old_sha256, new_sha256: their digests in hex; empty where nobody computed them.
    """

    start: int
    old_bytes: int
    new_bytes: int
    old_sha256: str = ""
    new_sha256: str = ""


class AuditLog:
    """An audit log that several threads and processes may share.

    Args:
        folder: where it is kept; None takes the user's state folder. Made with mode 0700 where it is missing.
        key: the file of the key that seals it; None takes the one in the user's state folder. Made with
            mode 0600 if the log is new.
        roots: folders that agents work in: neither log nor key may lie inside one.
        contents: record the texts that attempts bring along, secrets taken out, and not only their sizes
            and digests.
        required: refuse a write that cannot be recorded; else it goes ahead, and ``Attempt.problem`` tells.
        rotate_bytes, files_kept: a file of this size is followed by a new one; the oldest are removed when
            there are more than so many (None: never).
        lock_timeout_s: how long to wait for others that append.

    Raises:
        RequestError: log or key lie inside a root.
        AccessError: others could write to the log or read the key.
        MissingFileError: the log is there, and its key is gone.
        AuditDamagedError: the log's head is damaged, or of another key.
        AuditError: the disk refuses.

    Cost: an attempt that is not a write costs some microseconds; a write two syncs of the log.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        key: str | os.PathLike[str] | None = None,
        roots: Sequence[str | os.PathLike[str]] = (),
        contents: bool = False,
        required: bool = True,
        rotate_bytes: int = ROTATE_BYTES,
        files_kept: int | None = FILES_KEPT,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        if files_kept is not None and files_kept < 2:
            raise ValueError("files_kept must be 2 or more: the last file may have just begun")
        place = audit_folder.default_folder() if folder is None else folder
        key_path = audit_folder.default_key_path() if key is None else key
        audit_folder.refuse_inside((place, key_path), roots)
        if audit_folder.lies_in(key_path, place):
            raise RequestError("The key of an audit log cannot lie in the log's own folder.", path=key_path)
        self.required: Final = required
        self.contents: Final = contents
        self.key_path: Final = os.path.abspath(key_path)
        self._folder: Final = audit_folder.Folder(place, create=True)
        try:
            self._chain: Final = Chain(
                self._folder,
                key_path,
                rotate_bytes=rotate_bytes,
                files_kept=files_kept,
                lock_timeout_s=lock_timeout_s,
            )
        except BaseException:
            self._folder.close()
            raise

    @property
    def folder(self) -> str:
        """The folder, absolute."""
        return self._folder.path

    def head(self) -> Point:
        """How many records there are and the digest of the last: what ``verify --expect-head`` takes."""
        return self._chain.end()

    def attempt(
        self,
        tool: str,
        *,
        client: Client | None = None,
        root: str = "",
        path: str = "",
        addresses: Sequence[str] = (),
        arguments: Mapping[str, Any] | None = None,
        contents: Mapping[str, str | bytes] | None = None,
    ) -> Attempt:
        """Begins an attempt, to be used as a context: how the block ends is recorded when it ends.

        Args:
            tool: what was called.
            client: who called.
            root: the name of the root.
            path: the file, relative to the root, as it was given.
            addresses: what was asked for, as ``lines 5-8``.
            arguments: the other arguments; secrets are taken out of them.
            contents: the texts to find or to write: only sizes and digests, unless ``contents`` is on.
        """
        fields: dict[str, Any] = {"tool": redacted(tool)}
        if client is not None:
            fields["client"] = {name: redacted(text) for name, text in client._asdict().items()}
        for name, text in (("root", root), ("path", path)):
            if text:
                fields[name] = text[:_NAME_CHARACTERS_MAX]
        if addresses:
            fields["addresses"] = [redacted(address) for address in addresses[:_ADDRESSES_MAX]]
        if arguments:
            fields["arguments"] = redacted_value(arguments)
        if contents:
            fields["contents"] = {name: self._content(value) for name, value in contents.items()}
        return Attempt(self, fields)

    def close(self) -> None:
        """Makes the log durable and closes it."""
        self._chain.close()
        self._folder.close()

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _content(self, value: str | bytes) -> dict[str, Any]:
        from hashlib import sha256

        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
        fields: dict[str, Any] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        if self.contents:
            fields["text"] = redacted_value(value)
        return fields

    def _record(self, fields: dict[str, Any], *, sync: bool) -> int:
        return self._chain.append(_fitting(fields), sync=sync)


class Attempt:
    """One attempt, from its beginning to its record.

    Leaving the block normally records ``ok``; an ``InsituError`` on its way out is recorded as a refusal or a
    failure, with its code, and any other exception as a failure.
    """

    def __init__(self, log: AuditLog, fields: dict[str, Any]) -> None:
        self._log: Final = log
        self._fields = fields
        self._began: Final = time.monotonic()
        self._intent: int | None = None
        self._intends = False
        self.problem = ""
        """Why the log is not complete about this attempt, for the answer; empty where it is."""
        self.number: int | None = None
        """The record of how it ended, once there is one."""

    def intend(self, changes: Sequence[Change] = (), **facts: Any) -> None:
        """Records, durably, what is about to be written. To be called before the file is touched.

        Args:
            changes: the spans to be replaced.
            facts: as for ``note``.

        Raises:
            AuditError, LockedError: it cannot be recorded, and the log is required: do not write. If it is
                not required, ``problem`` is set instead.
        """
        self._intends = True
        self.note(changes, **facts)
        try:
            self._intent = self._log._record({**self._fields, "kind": "intent"}, sync=True)
        except InsituError as error:
            self.problem = f"Not recorded in the audit log: {error.message}"
            if self._log.required:
                raise _refusal(error) from error

    def note(
        self,
        changes: Sequence[Change] = (),
        *,
        files: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        **facts: Any,
    ) -> None:
        """Adds what became known: to the record of how the attempt ended.

        Args:
            changes: the spans that were replaced; they take the place of those noted before.
            files: of an attempt on several files, the same of each, by its path.
            facts: as for ``_known``.
        """
        self._fields |= _known(changes, **facts)
        for path, of_file in files.items():
            self._fields.setdefault("files", {}).setdefault(path, {}).update(_known(**of_file))

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fields = {**self._fields, **_outcome(error)}
        fields["kind"] = "outcome" if self._intends else "attempt"
        fields["duration_s"] = round(time.monotonic() - self._began, 6)
        if self._intent is not None:
            fields["intent"] = self._intent
        try:
            self.number = self._log._record(fields, sync=self._intends)
        except InsituError as trouble:
            # What was done is done: the caller says so in its answer, and the intent stays open.
            self.problem = f"Not recorded in the audit log: {trouble.message}"


def _outcome(error: BaseException | None) -> dict[str, str]:
    """How an attempt ended: whose move is next decides between refused and failed."""
    if error is None:
        return {"outcome": "ok"}
    if isinstance(error, InsituError):
        failed = isinstance(error, StorageError | InternalError)
        return {"outcome": "failed" if failed else "refused", "code": error.code}
    return {"outcome": "failed", "code": type(error).__name__}


def _known(
    changes: Sequence[Change] = (),
    *,
    count: int | None = None,
    size_before: int | None = None,
    size_after: int | None = None,
    version_before: str | None = None,
    version_after: str | None = None,
    operation: int | None = None,
    lock_wait_s: float | None = None,
) -> dict[str, Any]:
    """What is known of one file, as a record holds it.

    Args:
        changes: the spans that were replaced.
        count: how many there are, where not all of them are given.
        size_before, size_after: of the file, in bytes.
        version_before, version_after: its version tokens.
        operation: the number of the operation in the file's history.
        lock_wait_s: how long the file's lock was waited for.
    """
    facts: dict[str, Any] = {
        "size_before": size_before,
        "size_after": size_after,
        "version_before": version_before,
        "version_after": version_after,
        "operation": operation,
        "lock_wait_s": None if lock_wait_s is None else round(lock_wait_s, 6),
    }
    if changes:
        listed = [asdict(change) for change in changes[:CHANGES_MAX]]
        facts["changes"] = [{k: v for k, v in one.items() if v != ""} for one in listed]
        facts["changes_count"] = len(changes) if count is None else count
    return {name: value for name, value in facts.items() if value is not None}


def _refusal(error: InsituError) -> InsituError:
    """The error for a write that was not made since it could not be recorded."""
    message = f"Nothing was written, since it could not be recorded. {error.message}"
    if isinstance(error, LockedError):
        return LockedError(message, hint=error.hint, **error.facts)
    kind = type(error) if isinstance(error, AuditError) else AuditError
    return kind(message, hint=error.hint, file_state="old", **error.facts)


def _fitting(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, without the long ones where a record would exceed its bound with them."""
    room = RECORD_BYTES_MAX // 2
    with suppress(ValueError, TypeError):
        if len(canonical(fields)) <= room:
            return fields
    return {name: value for name, value in fields.items() if name not in ("arguments", "contents")} | {
        "left_out": "arguments and contents: too long to record"
    }
