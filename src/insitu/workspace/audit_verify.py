"""Checking an audit log: what was changed, removed, moved, inserted or cut off, in one pass."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from insitu.errors import InsituError
from insitu.workspace.audit_chain import boot_name, locked
from insitu.workspace.audit_folder import HEAD_NAME, Folder, file_name, reported
from insitu.workspace.audit_lines import Line, lines_of
from insitu.workspace.audit_records import HEAD_BYTES, Head, Point, Record, record_of

FINDINGS_MAX: Final = 100
"""So many findings are told; their number is, whatever it is."""

_OPEN_MAX: Final = 10_000  # intents without an outcome: each a process that died, so ever so few
_UNKNOWN: Final = 0  # no record has this number
LOCK_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class Finding:
    """One place where the log is not as it was written.

    Args:
        kind: ``changed``, ``removed``, ``misplaced`` (moved or inserted), ``cut-off``, ``missing-file``,
            ``head`` or ``unexpected-head``.
        file: the name of the file; empty where it concerns none.
        line: the number of the line in it; None where there is none.
        seq: the number of the record concerned.
        message: what is wrong, in a sentence.
    """

    kind: str
    file: str
    line: int | None
    seq: int | None
    message: str


@dataclass
class Report:
    """What checking an audit log came to.

    Args:
        folder: the log.
        keyed: whether the MACs were checked; without the key only the plain chain is, which whoever can
            write the files can compute anew.
        files, records: how many were read.
        first, last: the numbers of the first and last record; 0 in an empty log.
        head: the digest of the last record, to be kept elsewhere for ``expect_head``.
        findings: the damage, in order, at most ``FINDINGS_MAX``; ``findings_count`` is all of it.
        open_intents: writes without an outcome: under way, or under way when their process died.
        torn_bytes: of a last line that a crash cut; the next append drops it and says so.
        behind_head: whole records that a crash kept the head from counting.
        lost_records: records at the end, not asked to be durable, that a power cut took.
    """

    folder: str
    keyed: bool
    files: int = 0
    records: int = 0
    first: int = 0
    last: int = 0
    head: str = ""
    findings: list[Finding] = field(default_factory=list)
    findings_count: int = 0
    open_intents: list[int] = field(default_factory=list)
    torn_bytes: int = 0
    behind_head: int = 0
    lost_records: int = 0

    @property
    def damaged(self) -> bool:
        """Whether anything was found that no crash explains."""
        return self.findings_count > 0


def verify(
    folder: str | os.PathLike[str], *, key: bytes | None = None, expect_head: str | None = None
) -> Report:
    """Checks every record of a log against its neighbours, its MAC and the head.

    Others may append meanwhile: what they add is not looked at.

    Args:
        key: None checks the chain only.
        expect_head: a digest that was told earlier, or its first 16 characters or more: a record of the log
            must have it.

    Raises:
        MissingFileError: there is no log.

    Cost: reads the log once; memory for one record.
    """
    place = Folder(folder)
    try:
        while True:
            checking = _Checking(place, key, expect_head)
            if checking.run():
                return checking.report
    finally:
        place.close()


class _Checking:
    """One pass over a log as it was at one moment."""

    def __init__(self, folder: Folder, key: bytes | None, expect_head: str | None) -> None:
        self._folder: Final = folder
        self._key: Final = key
        self._expect_head: Final = expect_head.lower() if expect_head else None
        self._expected = False
        self._boot: Final = boot_name()
        self.report: Final = Report(folder.path, key is not None)
        self._intents: Final[dict[int, None]] = {}
        self._next = _UNKNOWN
        # Lines since the last record that are none: each may stand in the place of one, or be one too many.
        self._doubtful = 0
        # The digest the next record has to name; None behind a place where that is unknown.
        self._previous: str | None = None
        self._last: tuple[str, Line, int] | None = None

    def run(self) -> bool:
        """Checks; False where old files were removed meanwhile, so that it must be begun again."""
        head, last_file_size = self._snapshot()
        numbers = self._folder.numbers()
        due, last = (numbers[0], numbers[-1]) if numbers else (1, 0)
        if head is not None:
            due, last = head.oldest_file, head.file
            self._next, self._previous = head.oldest.records + 1, head.oldest.digest
            self._see_digest(head.oldest)
        for number in (*(number for number in numbers if due <= number <= last), last + 1):
            if number > due:
                if head is not None and self._moved_on(head):
                    return False
                self._missing(due, number - 1)
            due = number + 1
            if number > last:
                break
            try:
                descriptor = self._folder.open(file_name(number))
            except FileNotFoundError:
                return False  # it was there a moment ago: look again
            except InsituError as error:
                self._find("missing-file", file_name(number), None, self._next or None, error.message)
                self._previous = self._last = None
                continue
            try:
                size = last_file_size if number == last and head else os.fstat(descriptor).st_size
                self._file(descriptor, number, size, head, final=number == last)
            finally:
                os.close(descriptor)
            self.report.files += 1
        self._beyond(head, numbers)
        self._finish(head)
        return True

    def _missing(self, first: int, last: int) -> None:
        names = file_name(first) if first == last else f"{file_name(first)} to {file_name(last)}"
        self._find("missing-file", names, None, self._next or None, f"Missing: {names}.")
        self._previous = self._last = None

    def _snapshot(self) -> tuple[Head | None, int]:
        """The head, and the size of the last file at the same moment."""
        try:
            descriptor = self._folder.open(HEAD_NAME)
        except FileNotFoundError:
            self._find("head", HEAD_NAME, None, None, "The head is missing: the end cannot be checked.")
            return None, 0
        except InsituError as error:
            self._find("head", HEAD_NAME, None, None, f"{error.message} The end cannot be checked.")
            return None, 0
        try:
            with locked(descriptor, self._folder.path, LOCK_TIMEOUT_S):
                with reported("read", HEAD_NAME):
                    data = os.pread(descriptor, HEAD_BYTES + 1, 0)
                head = Head.parsed(data, self._key)
                if head is None:
                    said = "The head is damaged, or sealed with another key: the end cannot be checked."
                    self._find("head", HEAD_NAME, None, None, said)
                    return None, 0
                try:
                    file = self._folder.open(file_name(head.file))
                except (FileNotFoundError, InsituError):
                    return head, 0  # told once its turn comes
                try:
                    return head, os.fstat(file).st_size
                finally:
                    os.close(file)
        finally:
            os.close(descriptor)

    def _moved_on(self, head: Head) -> bool:
        """Whether the oldest files were removed by rotation since the head was read."""
        try:
            now, _ = self._snapshot()
        except InsituError:
            return False
        return now is not None and now.oldest_file > head.oldest_file

    def _file(self, descriptor: int, number: int, size: int, head: Head | None, *, final: bool) -> None:
        name = file_name(number)
        for line in lines_of(descriptor, 0, size, name):
            if final and not line.whole and line.stop == size and self._ended(head):
                self.report.torn_bytes = len(line.data)
                return
            record = record_of(line.data, self._key)
            if record is None:
                due = self._next + self._doubtful if self._next != _UNKNOWN else None
                self._find("changed", name, line.number, due, self._unreadable(line))
                self._doubtful += 1
                self._previous = self._last = None
            else:
                self._record(record, name, line, head)

    def _ended(self, head: Head | None) -> bool:
        """Whether a crash may have torn what comes: the head does not count it, or never knew it durable."""
        due = self._next + self._doubtful
        if head is None or due > head.count:
            return True
        return head.boot != self._boot and due > head.synced_count

    def _unreadable(self, line: Line) -> str:
        if not line.whole:
            return "The line is cut off, or longer than any record."
        if self._key is not None and record_of(line.data, None) is not None:
            return "The record was changed: its MAC does not fit."
        return "The line is not a record."

    def _record(self, record: Record, name: str, line: Line, head: Head | None) -> None:
        report = self.report
        if self._next == _UNKNOWN:
            self._next = record.seq
        if record.seq < self._next:
            said = f"Record {record.seq} stands where {self._next} belongs: it was moved or inserted."
            self._find("misplaced", name, line.number, record.seq, said)
            self._previous = self._last = None
            return
        due = self._next + self._doubtful
        if record.seq > due:
            gone = f"{due} to {record.seq - 1}" if record.seq - 1 > due else f"{due}"
            self._find("removed", name, line.number, due, f"Missing before this line: record {gone}.")
        elif self._previous is not None and record.previous != self._previous:
            self._broken(record, name, line)
        report.records += 1
        report.first = report.first or record.seq
        report.last, report.head = record.seq, record.digest
        self._next, self._previous, self._last = record.seq + 1, record.digest, (name, line, record.seq)
        self._doubtful = 0
        self._see_digest(Point(record.seq, record.digest))
        if head is not None and record.seq == head.count and record.digest != head.digest:
            said = f"Record {record.seq} is not the one that the head names: it was changed."
            self._find("changed", name, line.number, record.seq, said)
        if head is not None and record.seq > head.count:
            report.behind_head += 1
        if record.fields.get("kind") == "intent" and len(self._intents) < _OPEN_MAX:
            self._intents[record.seq] = None
        elif isinstance(intent := record.fields.get("intent"), int):
            self._intents.pop(intent, None)

    def _broken(self, record: Record, name: str, line: Line) -> None:
        """A record names another predecessor than it has."""
        if self._last is None:
            said = f"Record {record.seq} does not follow what was removed before it."
            self._find("changed", name, line.number, record.seq, said)
            return
        file, before, seq = self._last
        said = f"Record {seq} is not the one that record {record.seq} names: one of them was changed."
        self._find("changed", file, before.number, seq, said)

    def _see_digest(self, point: Point) -> None:
        if self._expect_head and point.digest.startswith(self._expect_head):
            self._expected = True

    def _beyond(self, head: Head | None, numbers: list[int]) -> None:
        """Files behind the one that the head names: a crash leaves one, and that empty."""
        for number in numbers:
            if head is not None and number > head.file and self._folder.size_of(number):
                said = "The file lies behind the end of the log."
                self._find("misplaced", file_name(number), None, None, said)

    def _finish(self, head: Head | None) -> None:
        report, last = self.report, self._next + self._doubtful - 1
        if head is not None and last < head.count:
            missing = head.count - last
            if head.boot != self._boot and last >= head.synced_count:
                report.lost_records = missing
            else:
                said = f"The log was cut off: records {last + 1} to {head.count} are missing."
                self._find("cut-off", file_name(head.file), None, last + 1, said)
        if self._expect_head and not self._expected:
            said = f"No record has the expected digest {self._expect_head}: the log was cut off or replaced."
            self._find("unexpected-head", "", None, None, said)
        report.open_intents = list(self._intents)
        report.head = report.head or (head.digest if head else "")

    def _find(self, kind: str, file: str, line: int | None, seq: int | None, message: str) -> None:
        self.report.findings_count += 1
        if len(self.report.findings) < FINDINGS_MAX:
            self.report.findings.append(Finding(kind, file, line, seq, message))
