"""Audit logs that tests look at, and what the records in them say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from insitu.errors import NoSpaceError, StaleError
from insitu.workspace.audit import AuditLog, Change, Client
from insitu.workspace.audit_folder import read_key
from insitu.workspace.audit_verify import Report, verify
from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench

HOST = Client("host", "1.2")


def opened(folder: Path, **options: Any) -> AuditLog:
    """The log ``log`` below a folder, with its key beside it."""
    return AuditLog(folder / "log", key=folder / "key", **options)


@contextmanager
def on_record(folder: Path) -> Iterator[tuple[Bench, AuditLog]]:
    """A bench in ``root`` below a folder, whose attempts go to the log beside it."""
    root = folder / "root"
    root.mkdir()
    with opened(folder) as log, Workspace(str(root), audit=log) as workspace:
        yield Bench(root, workspace), log


def write(log: AuditLog, path: str = "notes.txt") -> None:
    """One write that goes well: two records."""
    with log.attempt("edit", client=HOST, root="docs", path=path, addresses=["lines 3-4"]) as attempt:
        attempt.intend([Change(10, 3, 5)], size_before=100)
        attempt.note(size_after=102, operation=7)


def look(log: AuditLog, path: str = "notes.txt") -> None:
    """One read: one record."""
    with log.attempt("read", client=HOST, root="docs", path=path):
        pass


def refuse(log: AuditLog, path: str = "notes.txt") -> None:
    """One write that is refused: one record."""
    try:
        with log.attempt("edit", client=HOST, root="docs", path=path):
            raise StaleError("changed")
    except StaleError:
        pass


def fail(log: AuditLog, path: str = "notes.txt") -> None:
    """One write that fails once it was begun: two records."""
    try:
        with log.attempt("edit", client=HOST, root="docs", path=path) as attempt:
            attempt.intend()
            raise NoSpaceError("full", file_state="old")
    except NoSpaceError:
        pass


def files(folder: Path) -> list[Path]:
    """The files of the log, oldest first."""
    return sorted((folder / "log").glob("audit-*.jsonl"))


def records(folder: Path) -> list[dict[str, Any]]:
    """All records, by a parser that knows nothing of ours."""
    return [json.loads(line) for file in files(folder) for line in file.read_bytes().splitlines()]


def verified(folder: Path, *, keyed: bool = True, expect_head: str | None = None) -> Report:
    """What verifying comes to, with the key or without."""
    return verify(folder / "log", key=read_key(folder / "key") if keyed else None, expect_head=expect_head)


def kinds(report: Report) -> list[str]:
    """The kinds of what was found."""
    return [finding.kind for finding in report.findings]
