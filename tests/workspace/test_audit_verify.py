"""Whatever is done to a log afterwards is found, and named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.errors import MissingFileError
from insitu.workspace.audit_records import GENESIS, RECORD_BYTES_MAX, Record, record_of, sealed
from insitu.workspace.audit_verify import FINDINGS_MAX
from tests.workspace.audit_logs import fail, files, kinds, look, opened, records, refuse, verified, write

ROTATE_BYTES = 4000


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three files."""
    folder = tmp_path_factory.mktemp("origin")
    with opened(folder, rotate_bytes=ROTATE_BYTES) as log:
        for _ in range(4):
            for act in (write, look, refuse, fail):
                act(log)
    assert len(files(folder)) == 3
    return folder


@pytest.fixture
def copy(origin: Path, tmp_path: Path) -> Path:
    shutil.copytree(origin, tmp_path / "copy")
    return tmp_path / "copy"


Lines = list[bytes]


def _edit(folder: Path, number: int, change: Callable[[Lines], object]) -> None:
    """Changes the list of lines of one of the files."""
    file = files(folder)[number]
    lines = file.read_bytes().splitlines(keepends=True)
    change(lines)
    file.write_bytes(b"".join(lines))


def _swap(lines: Lines) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def _change(lines: Lines) -> None:
    lines[2] = lines[2].replace(b"notes", b"nodes")


def _keep(lines: Lines) -> None:
    """Nothing."""


# What is done to which file; the kind, line and difference of the record number that are told.
TAMPERING: dict[str, tuple[int, Callable[[Lines], object], str, int | None, int | None]] = {
    "changed": (1, _change, "changed", 3, 2),
    "the last changed": (
        2,
        lambda lines: lines.append(lines.pop().replace(b"notes", b"nodes")),
        "changed",
        None,
        None,
    ),
    "a record removed": (1, lambda lines: lines.pop(2), "removed", 3, 2),
    "two removed": (1, lambda lines: lines.__delitem__(slice(2, 4)), "removed", 3, 2),
    "the first of a file removed": (1, lambda lines: lines.pop(0), "removed", 1, 0),
    "the very first removed": (0, lambda lines: lines.pop(0), "removed", 1, 0),
    "repeated": (1, lambda lines: lines.insert(3, lines[2]), "misplaced", 4, 2),
    "repeated later": (1, lambda lines: lines.insert(5, lines[2]), "misplaced", 6, 2),
    "a line of words": (1, lambda lines: lines.insert(3, b"words\n"), "changed", 4, None),
    "an empty line": (1, lambda lines: lines.insert(3, b"\n"), "changed", 4, None),
    "cut off": (2, lambda lines: lines.pop(), "cut-off", None, None),
    "cut off in a line": (2, lambda lines: lines.append(lines.pop()[:-9]), "changed", None, None),
    "emptied": (2, lambda lines: lines.clear(), "cut-off", None, 0),
    "cut off before rotation": (1, lambda lines: lines.pop(), "removed", 1, None),
}


@pytest.mark.parametrize("keyed", [True, False], ids=["with the key", "without"])
@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_and_named(copy: Path, name: str, keyed: bool) -> None:
    number, change, kind, line, ahead = TAMPERING[name]
    file = files(copy)[number]
    record = record_of(file.read_bytes().splitlines(keepends=True)[0], None)
    assert record is not None
    _edit(copy, number, change)
    found = verified(copy, keyed=keyed).findings[0]
    assert found.kind == kind
    if line is not None:
        assert found.line == line
        assert found.file == (files(copy)[2].name if name == "cut off before rotation" else file.name)
    if ahead is not None:
        assert found.seq == record.seq + ahead


def test_moved_records_are_found(copy: Path) -> None:
    _edit(copy, 1, _swap)
    report = verified(copy)
    assert kinds(report) == ["removed", "misplaced"]
    assert [finding.line for finding in report.findings] == [3, 4]


def test_an_untouched_log_is_whole(copy: Path) -> None:
    _edit(copy, 1, _keep)
    for keyed in (True, False):
        report = verified(copy, keyed=keyed)
        assert (report.findings, report.keyed, report.files) == ([], keyed, 3)
        assert (report.records, report.first, report.last) == (len(records(copy)), 1, len(records(copy)))
        assert report.open_intents == []


@pytest.mark.parametrize("number", range(3))
def test_a_missing_file_is_named(copy: Path, number: int) -> None:
    name = files(copy)[number].name
    files(copy)[number].unlink()
    found = verified(copy).findings[0]
    assert (found.kind, found.file) == ("missing-file", name)


def test_a_file_too_many_is_found(copy: Path) -> None:
    (copy / "log/audit-000009.jsonl").write_bytes(b"{}\n")
    assert kinds(verified(copy)) == ["misplaced"]


def test_a_log_without_its_head_is_not_whole(copy: Path) -> None:
    (copy / "log/head.json").unlink()
    report = verified(copy)
    assert kinds(report) == ["head"]
    assert report.records == len(records(copy))


@pytest.mark.parametrize("name", ["head.json", "audit-000001.jsonl", "audit-000003.jsonl"])
@pytest.mark.parametrize("how", ["a link", "a folder", "a pipe"])
def test_what_is_no_file_any_more_is_found(copy: Path, name: str, how: str) -> None:
    place = copy / "log" / name
    place.rename(copy / "kept")
    match how:
        case "a link":
            place.symlink_to(copy / "kept")
        case "a folder":
            place.mkdir()
        case "a pipe":
            os.mkfifo(place)
    found = verified(copy).findings[0]
    assert (found.kind, found.file) == ("head" if name == "head.json" else "missing-file", name)


def test_another_key_fits_nothing(copy: Path) -> None:
    (copy / "key").write_text("ab" * 32)
    report = verified(copy)
    assert kinds(report)[:2] == ["head", "changed"]
    assert report.findings_count == len(records(copy)) + 1


def test_findings_are_bounded(copy: Path) -> None:
    file = files(copy)[2]
    file.write_bytes(b"x\n" * 10_000 + file.read_bytes())
    report = verified(copy)
    assert len(report.findings) == FINDINGS_MAX < report.findings_count


def test_a_line_of_any_length_takes_no_memory(copy: Path) -> None:
    file = files(copy)[1]
    file.write_bytes(file.read_bytes() + b"x" * (20 * RECORD_BYTES_MAX) + b"\n" + b"y\n")
    last = len(files(copy)[1].read_bytes().splitlines())
    assert [finding.line for finding in verified(copy).findings] == [last - 1, last]


def test_who_has_the_key_can_write_it_anew_and_only_a_head_kept_elsewhere_tells(copy: Path) -> None:
    told = verified(copy).head
    shutil.rmtree(copy / "log")
    with opened(copy) as log:
        look(log)
    assert not verified(copy).damaged
    assert kinds(verified(copy, expect_head=told)) == ["unexpected-head"]


def test_an_older_head_and_a_shorter_log_are_told_by_a_head_kept_elsewhere(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        write(log)
        saved = tmp_path / "saved"
        shutil.copytree(tmp_path / "log", saved)
        early = log.head().digest
        write(log)
        late = log.head().digest
    assert not verified(tmp_path, expect_head=late).damaged
    assert not verified(tmp_path, expect_head=early[:16].upper()).damaged
    assert not verified(tmp_path, expect_head=GENESIS).damaged
    shutil.rmtree(tmp_path / "log")
    shutil.copytree(saved, tmp_path / "log")
    assert not verified(tmp_path).damaged
    assert kinds(verified(tmp_path, expect_head=late)) == ["unexpected-head"]


def test_there_must_be_a_log(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(MissingFileError):
        verified(tmp_path)


def test_verifying_while_others_append(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=3000, files_kept=2) as log:
        for _ in range(30):
            with log.attempt("edit") as attempt:
                attempt.intend()
                report = verified(tmp_path)
                assert (report.findings, report.open_intents) == ([], [report.last])


class _Tampering:
    """Draws one change of the bytes of a log."""

    def __init__(self, data: st.DataObject, folder: Path) -> None:
        self.files = {file.name: file.read_bytes() for file in files(folder)}
        self.head = (folder / "log/head.json").read_bytes()
        self._data = data

    def draw(self) -> str:
        pick = self._data.draw
        name = pick(st.sampled_from(sorted(self.files)))
        data = self.files[name]
        how = pick(st.sampled_from(["byte", "cut", "insert", "remove", "lines", "head", "swap files"]))
        place = pick(st.integers(0, len(data) - 1))
        match how:
            case "byte":
                byte = pick(st.integers(0, 255))
                self.files[name] = data[:place] + bytes([byte]) + data[place + 1 :]
            case "cut":
                self.files[name] = data[:place]
            case "insert":
                self.files[name] = data[:place] + pick(st.binary(min_size=1, max_size=9)) + data[place:]
            case "remove":
                self.files[name] = data[:place] + data[place + pick(st.integers(1, 3000)) :]
            case "lines":
                lines = data.splitlines(keepends=True)
                other = pick(st.sampled_from(sorted(self.files)))
                donor = pick(st.sampled_from(self.files[other].splitlines(keepends=True)))
                lines[pick(st.integers(0, len(lines) - 1))] = donor
                self.files[name] = b"".join(lines)
            case "head":
                place = pick(st.integers(0, len(self.head) - 1))
                byte = bytes([pick(st.integers(0, 255))])
                self.head = self.head[:place] + byte + self.head[place + 1 :]
            case "swap files":
                other = pick(st.sampled_from(sorted(self.files)))
                self.files[name], self.files[other] = self.files[other], self.files[name]
        return how


@given(data=st.data(), keyed=st.booleans())
def test_any_change_is_found(
    origin: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, keyed: bool
) -> None:
    folder = tmp_path_factory.mktemp("tampered")
    shutil.copytree(origin, folder, dirs_exist_ok=True)
    tampering = _Tampering(data, folder)
    before = (dict(tampering.files), tampering.head)
    how = tampering.draw()
    for name, content in tampering.files.items():
        (folder / "log" / name).write_bytes(content)
    (folder / "log/head.json").write_bytes(tampering.head)
    report = verified(folder, keyed=keyed)
    shutil.rmtree(folder)
    changed = (tampering.files, tampering.head) != before
    if how == "head" and not keyed:
        return  # without the key, a head can be anybody's
    assert (report.damaged or report.torn_bytes > 0) == changed


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.none(), max_size=5))
def test_a_record_comes_back_as_it_was(fields: dict[str, object]) -> None:
    given_fields = {**fields, "seq": 3, "previous": GENESIS}
    given_fields.pop("mac", None)
    line = sealed(given_fields, b"key")
    found = record_of(line, b"key")
    assert isinstance(found, Record)
    assert found.fields == given_fields
    assert record_of(line, b"other") is None
    assert record_of(line[:-1], b"key") is None
