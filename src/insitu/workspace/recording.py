"""What the audit log is told of a call: its arguments without the texts, and what it changes, by digests."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.document import Document
from insitu.engine.receipt import Receipt
from insitu.workspace.audit import CHANGES_MAX, Change
from insitu.workspace.call import Call
from insitu.workspace.described import version_of

_ADDRESSES: Final = (
    *("lines", "tail", "around_line", "bytes", "section", "rows", "records", "pointer", "within"),
    *("to_after_line", "to_offset", "edit_id", "plan"),
)
_ADDRESS_CHARS_MAX: Final = 200

# Arguments whose strings are choices and places. Any other string may be what is in a file.
_CHOICES: Final = frozenset(
    {"op", "mode", "form", "kind", "prefix", "tool", "to_path", "glob", "after", "cursor", "path"}
)

# A longer span is named by its sizes alone: hashing it would read what the edit itself does not.
_HASHED_BYTES_MAX: Final = 1 << 20


class Told(NamedTuple):
    """A call's arguments, sorted by what the log does with them."""

    path: str
    addresses: list[str]
    arguments: dict[str, Any]
    contents: dict[str, str]


def told(arguments: Mapping[str, Any]) -> Told:
    """Sorts the arguments of a call, as they were sent."""
    path = arguments.get("path", "")
    found = Told(path if isinstance(path, str) else "", [], {}, {})
    for name, value in arguments.items():
        if name in _ADDRESSES:
            found.addresses.append(f"{name} {value}"[:_ADDRESS_CHARS_MAX])
        elif name != "path":
            kept = _without_texts(name, value, found.contents)
            if kept is not None:
                found.arguments[name] = kept
    return found


def _without_texts(name: str, value: Any, contents: dict[str, str]) -> Any:
    """A value with its texts moved to the contents, under the way to them."""
    last = name.rpartition(".")[2]
    if isinstance(value, str) and last not in _CHOICES and last not in _ADDRESSES:
        contents[name] = value
        return None
    if isinstance(value, Mapping):
        kept = {key: _without_texts(f"{name}.{key}", part, contents) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part is not None}
    if isinstance(value, list):
        return [_without_texts(f"{name}.{number}", part, contents) for number, part in enumerate(value)]
    return value


def intend(call: Call, document: Document) -> None:
    """Records durably what a commit is about to change.

    Raises:
        AuditError, LockedError: it cannot be recorded, and must be: nothing was changed.
    """
    if call.attempt is None or not document.changed:
        return  # digests are not to be had for nothing
    call.intend(**_meant(document, CHANGES_MAX))


def intend_together(call: Call, documents: Mapping[str, Document]) -> None:
    """As ``intend``, of the files of a transaction, by their paths.

    Raises:
        AuditError, LockedError: it cannot be recorded, and must be: nothing was changed.
    """
    if call.attempt is None or not documents:
        return
    most = max(1, CHANGES_MAX // len(documents))  # so that a record stays as short as that of one file
    call.intend(files={path: _meant(document, most) for path, document in documents.items()})


def done(receipt: Receipt) -> dict[str, Any]:
    """What is known of a file once it was committed, as ``Attempt.note`` takes it."""
    return {
        "size_before": receipt.size_before,
        "size_after": receipt.size_after,
        "version_before": version_of(receipt.before),
        "version_after": version_of(receipt.after),
        "operation": receipt.operation,
        "lock_wait_s": receipt.lock_wait_s,
    }


def _meant(document: Document, most: int) -> dict[str, Any]:
    """What is pending, as ``Attempt.note`` takes it: the first changes, and how many there are."""
    changes = document.sequence.changes()
    return {
        "changes": [
            Change(
                change.base.start,
                change.base.size,
                change.current.size,
                _digest(document.base, change.base),
                _digest(document, change.current),
            )
            for change in changes[:most]
        ],
        "count": len(changes),
        "size_before": document.base.size,
        "size_after": document.size,
        "version_before": version_of(document.generation),
    }


def _digest(reader: Reader, span: Span) -> str:
    if span.size > _HASHED_BYTES_MAX:
        return ""
    return sha256(reader.read(span.start, span.size)).hexdigest()
