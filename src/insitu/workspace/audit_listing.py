"""Listing an audit log: its attempts by path, tool, client, outcome and time, in bounded memory."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from insitu.workspace.audit_folder import Folder, file_name
from insitu.workspace.audit_lines import backwards, lines_of
from insitu.workspace.audit_records import Record, record_of

OUTCOMES: Final = ("ok", "refused", "failed", "open")

# What the lines of intents, and of the outcomes that close them, hold: others need not be parsed.
_INTENT: Final = (b'"kind":"intent"', b'"intent":')


@dataclass(frozen=True)
class Filter:
    """Which attempts to list; what is None is not looked at.

    Args:
        path: a path, a folder that holds it, its last parts, or a pattern with ``*`` and ``?``.
        tool, client: their names.
        outcome: one of ``OUTCOMES``; ``open`` is a write that has none.
        since, until: times in the form of the records; both inclusive.
    """

    path: str | None = None
    tool: str | None = None
    client: str | None = None
    outcome: str | None = None
    since: str | None = None
    until: str | None = None

    def fits(self, fields: dict[str, Any]) -> bool:
        """Whether a record is asked for."""
        client = fields.get("client")
        name = client.get("name") if isinstance(client, dict) else None
        time = str(fields.get("time", ""))
        return (
            (self.tool is None or fields.get("tool") == self.tool)
            and (self.client is None or str(name).casefold() == self.client.casefold())
            and (self.outcome is None or fields.get("outcome") == self.outcome)
            and (self.since is None or time >= self.since)
            and (self.until is None or time <= self.until)
            and (self.path is None or any(_path_fits(path, self.path) for path in _paths(fields)))
        )


def _paths(fields: dict[str, Any]) -> Iterator[str]:
    """The files that an attempt was about: of a transaction, of a refused one too, those of its calls."""
    yield str(fields.get("path", ""))
    arguments = fields.get("arguments")
    calls = arguments.get("calls") if isinstance(arguments, dict) else None
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield str(call.get("path", ""))
    files = fields.get("files")
    yield from files if isinstance(files, dict) else ()


def _path_fits(path: str, wanted: str) -> bool:
    if any(letter in wanted for letter in "*?"):
        return fnmatch.fnmatchcase(path, wanted)
    wanted = wanted.rstrip("/")
    return path == wanted or path.startswith(f"{wanted}/") or path.endswith(f"/{wanted}")


class Listing:
    """The attempts of a log, as far as it can be read; whether it is whole is for ``verify`` to say.

    Raises:
        MissingFileError: there is no such folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder: Final = Folder(folder)
        self.unreadable = 0
        """Lines passed over so far that are no records."""

    def forwards(self, filter_: Filter) -> Iterator[dict[str, Any]]:
        """The attempts asked for, oldest first.

        An intent is listed only if nothing tells how it ended, with the outcome ``open``.

        Cost: reads the log twice; memory for one record and the open intents.
        """
        intents = self._open_intents()
        for line in self._lines():
            if (record := self._record(line)) and (shown := self._shown(record, intents, filter_)):
                yield shown

    def last(self, count: int, filter_: Filter) -> list[dict[str, Any]]:
        """The last attempts asked for, oldest first.

        Cost: reads the log backwards, as far as needed; memory for what is listed.
        """
        found: list[dict[str, Any]] = []
        closed: set[int] = set()
        for line in self._lines_backwards():
            if len(found) >= count:
                break
            if (record := self._record(line)) is None:
                continue
            if isinstance(intent := record.fields.get("intent"), int):
                closed.add(intent)
            intents = set() if record.seq in closed else {record.seq}
            closed.discard(record.seq)
            if shown := self._shown(record, intents, filter_):
                found.append(shown)
        return found[::-1]

    def close(self) -> None:
        """Closes the folder."""
        self._folder.close()

    def _shown(self, record: Record, intents: set[int], filter_: Filter) -> dict[str, Any] | None:
        fields = record.fields
        if fields.get("kind") == "intent":
            if record.seq not in intents:
                return None
            fields = {**fields, "outcome": "open"}
        return fields if filter_.fits(fields) else None

    def _record(self, line: bytes) -> Record | None:
        record = record_of(line, None)
        self.unreadable += record is None
        return record

    def _open_intents(self) -> set[int]:
        found: set[int] = set()
        for line in self._lines():
            if not any(mark in line for mark in _INTENT) or (record := record_of(line, None)) is None:
                continue
            if record.fields.get("kind") == "intent":
                found.add(record.seq)
            elif isinstance(intent := record.fields.get("intent"), int):
                found.discard(intent)
        return found

    def _lines(self) -> Iterator[bytes]:
        for name, descriptor, size in self._files(self._folder.numbers()):
            for line in lines_of(descriptor, 0, size, name):
                if line.whole or line.stop < size:  # the last one may be on its way
                    yield line.data

    def _lines_backwards(self) -> Iterator[bytes]:
        for name, descriptor, size in self._files(self._folder.numbers()[::-1]):
            yield from backwards(descriptor, size, name)

    def _files(self, numbers: list[int]) -> Iterator[tuple[str, int, int]]:
        for number in numbers:
            with ExitStack() as closing:
                try:
                    descriptor = self._folder.open(file_name(number))
                except FileNotFoundError:
                    continue  # removed by rotation since the folder was listed
                closing.callback(os.close, descriptor)
                yield file_name(number), descriptor, os.fstat(descriptor).st_size
