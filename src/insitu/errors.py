"""Every error insitu raises: four families, by whose move is next.

``RequestError`` asks the caller to change the request, ``ConflictError`` to look at the file again,
``StorageError`` to look at the disk; ``InternalError`` is a bug of ours. Each error carries a stable
``code``, a ``hint`` (what to do next), ``retryable``, and its facts as fields, so that no program has
to parse a sentence. Each also inherits the built-in exception a Python user would catch.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final


class InsituError(Exception):
    """Base of all errors of insitu.

    Args:
        message: one sentence: what happened and what state the file is in.
        hint: what to do next; empty where the message says it all.
        facts: the numbers and names behind the message, kept as ``facts`` for programs.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 70
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message: Final = message
        self.hint: Final = hint
        self.facts: Final = facts

    def __str__(self) -> str:
        return self.message


class NoMatchError(InsituError, LookupError):
    """What was to be found is not in the file; the file is unchanged."""

    code = "no-match"
    exit_code = 1


class MissingDraftError(NoMatchError):
    """The file has no draft."""

    code = "no-draft"


class RequestError(InsituError, ValueError):
    """The request cannot be carried out as it stands; the file is unchanged."""

    code = "bad-request"
    exit_code = 2


class ArgumentsError(RequestError):
    """A call has an argument that is unknown, missing or of the wrong kind."""

    code = "invalid-arguments"


class SpanError(RequestError, IndexError):
    """A span or address lies outside the file, or is reversed."""

    code = "bad-span"


class MissingFileError(RequestError, FileNotFoundError):
    """There is no file at the path."""

    code = "missing-file"


class ExistingFileError(RequestError, FileExistsError):
    """There is a file already where a new one was to be created."""

    code = "file-exists"


class AccessError(RequestError, PermissionError):
    """The file system does not let us read, write or create what the request needs."""

    code = "no-access"


class OutsideRootsError(RequestError):
    """The path leads out of the folders that were opened, or what it names lies outside of them."""

    code = "outside-roots"


class ForbiddenPathError(RequestError):
    """The path is one that nobody may use here: its form, or what it names, is ruled out."""

    code = "forbidden-path"


class ReadOnlyError(AccessError):
    """The path lies below a root that may only be read."""

    code = "read-only"


class FileKindError(RequestError):
    """The path names a folder, device, pipe, socket or pseudo file: nothing insitu can edit."""

    code = "file-kind"


class PatternError(RequestError):
    """A regular expression does not compile, or its matches do not fit the window."""

    code = "bad-pattern"


class ConditionError(RequestError):
    """A condition does not parse, names a column that is not there, or mixes kinds of values."""

    code = "bad-condition"


class TextError(RequestError):
    """Text cannot be encoded as the file is, or the encoding is too uncertain to write."""

    code = "bad-text"


class FormatError(RequestError):
    """The content breaks the rules of its format, as JSON that is none; the message has the place."""

    code = "bad-format"


class FunctionError(RequestError):
    """The caller's function raised, or ended its process; the message names the item it was given.

    ``facts["traceback"]`` is what Python said, also where it happened in another process.
    """

    code = "function-failed"


class LimitError(RequestError):
    """The work would exceed a limit of space, time or history; the message has the numbers."""

    code = "limit"


class TimeLimitError(LimitError):
    """The time that a call may take was up. What it found is kept: the same call goes on from there."""

    code = "time-limit"
    retryable = True


class NoPlanError(RequestError):
    """No planner can carry out the patch on this storage under this policy; reasons are in ``facts``."""

    code = "no-plan"


class ConflictError(InsituError):
    """The world moved, or is not as the request expects; the file is unchanged by us."""

    code = "conflict"
    exit_code = 3
    retryable = True


class StaleError(ConflictError):
    """The file was changed by somebody else since it was opened."""

    code = "stale"


class StaleDraftError(StaleError):
    """The file was changed since its draft was saved, so that the draft fits it no more; both are kept.

    ``facts['moved']`` has the spans that may not be where they were, ``facts['intact']`` the others.
    """

    code = "stale-draft"
    retryable = False


class SnapshotExpiredError(ConflictError):
    """What later operations saved of the version that is being read is no longer in the history."""

    code = "snapshot-expired"


class AmbiguousError(ConflictError):
    """The address fits several places; ``facts['candidates']`` names some."""

    code = "ambiguous"
    retryable = False


class ExpectationError(ConflictError):
    """The file does not hold what ``expect`` (or a count, or a generation) said it would."""

    code = "expectation-failed"
    retryable = False


class UndoError(ConflictError):
    """There is nothing to undo or redo, or later changes touched the same bytes."""

    code = "cannot-undo"
    retryable = False


class LockedError(ConflictError, TimeoutError):
    """Somebody else held the lock for as long as we were willing to wait."""

    code = "locked"
    exit_code = 4


class CancelledError(InsituError):
    """The caller cancelled the work before the commit point; the file is unchanged."""

    code = "cancelled"
    exit_code = 130


class StorageError(InsituError, OSError):
    """The medium failed; ``file_state`` says whether the target is old, new or awaiting recovery.

    It is ``"unknown"`` only where the file could not even be looked at.
    """

    code = "io"
    exit_code = 5

    def __init__(self, message: str, *, hint: str = "", file_state: str = "unknown", **facts: Any) -> None:
        super().__init__(message, hint=hint, **facts)
        self.file_state = file_state


class NoSpaceError(StorageError):
    """The disk or quota is full."""

    code = "no-space"
    retryable = True


class SyncError(StorageError):
    """A sync failed. What the disk holds is unknown; the handle is poisoned and never retried."""

    code = "sync-failed"


class UnsupportedError(StorageError):
    """The storage lacks a call the plan relies on."""

    code = "unsupported"


class RecoveryNeededError(StorageError):
    """A half-done commit was found that this opening may not, or cannot, finish."""

    code = "recovery-needed"
    exit_code = 6

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, file_state="awaiting recovery", **facts)


class JournalDamagedError(RecoveryNeededError):
    """A journal exists that cannot be trusted or read; it is never ignored."""

    code = "journal-damaged"


class AuditError(StorageError):
    """The audit log cannot be kept; by policy a write is refused then, and the file is unchanged."""

    code = "audit-failed"


class AuditDamagedError(AuditError):
    """The audit log was tampered with or damaged; it is left as it is."""

    code = "audit-damaged"
    exit_code = 6


class InternalError(InsituError):
    """A bug of insitu: an illegal plan or a broken invariant. The file is unchanged."""

    code = "internal"
    exit_code = 70
