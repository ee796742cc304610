"""The line index at its real size: threads, costs, what it raises, and the file it is saved in."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import insitu.engine.granules
from insitu.core.columns import block_of
from insitu.core.spans import Span
from insitu.engine.granules import GRANULE_BYTES
from insitu.engine.index import LINES_LAYOUT, LineIndex
from insitu.engine.saved_index import save
from insitu.errors import CancelledError, InternalError, MissingFileError, NoSpaceError, SpanError, StaleError
from insitu.storage.base import Buffer
from insitu.storage.portable import PortableVolume
from tests.readers import BytesReader

STAMP = b"generation 7"


@pytest.fixture(scope="module")
def text() -> bytes:
    """8 MB of lines of all lengths, some longer than a granule, the last unterminated."""
    source = random.Random(20)
    lines = [b"x" * source.randrange(200) for _ in range(50_000)]
    lines[1000:1000] = [b"y" * (GRANULE_BYTES * 5 // 2), b"", b"z" * GRANULE_BYTES]
    data = b"\n".join(lines)
    return data + b"x" * (8_000_000 - len(data))


def test_threads_and_numpy_count_what_one_thread_and_stringzilla_count(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_stringzilla = LineIndex.build(BytesReader(text))
    monkeypatch.setattr(insitu.engine.granules, "_NUMPY_FROM_BYTES", 0)
    by_numpy = LineIndex.build(BytesReader(text))
    assert by_stringzilla.count == text.count(b"\n")
    assert by_stringzilla.to_bytes(STAMP) == by_numpy.to_bytes(STAMP)


def test_lines_longer_than_granules_are_found(text: bytes) -> None:
    index = LineIndex.build(BytesReader(text))
    lines = text.split(b"\n")
    start = sum(len(line) + 1 for line in lines[:1000])
    stop = start + GRANULE_BYTES * 5 // 2 + 1
    assert list(index.spans(1000, 1003)) == [
        Span(start, stop),
        Span(stop, stop + 1),
        Span(stop + 1, stop + GRANULE_BYTES + 2),
    ]
    assert index.span_of(len(lines) - 1) == Span(len(text) - len(lines[-1]), len(text))


def test_an_index_takes_eight_bytes_per_granule(text: bytes) -> None:
    saved = LineIndex.build(BytesReader(text)).to_bytes(STAMP)
    assert len(saved) <= 8 * -(-len(text) // GRANULE_BYTES) + 192


def test_a_question_reads_at_most_one_granule(text: bytes) -> None:
    reader = BytesReader(text)
    index = LineIndex.build(reader)
    for ask, argument in ((index.ends_before, 5_000_000), (index.end_offset, 20_000)):
        reader.read_bytes = 0
        ask(argument)
        assert 0 < reader.read_bytes <= GRANULE_BYTES


def test_patching_a_small_edit_reads_its_granule_only(text: bytes) -> None:
    index = LineIndex.build(BytesReader(text))
    for at, stop, new in ((4_000_000, 4_000_010, b"a\nb\nc"), (0, 0, b"\n"), (len(text), len(text), b"\n.")):
        reader = BytesReader(text[:at] + new + text[stop:])
        patched = index.patched([block_of([(at, stop, len(new))])], reader)
        assert reader.read_bytes <= GRANULE_BYTES + len(new)
        assert patched.count == reader.data.count(b"\n")
        assert patched.ends_before(7_000_000) == reader.data.count(b"\n", 0, 7_000_000)


def test_patching_edits_far_apart_reads_nothing_between_them(text: bytes) -> None:
    index = LineIndex.build(BytesReader(text))
    reader = BytesReader(text[:9] + b"\n" + text[10:-9] + b"\n" + text[-8:])
    patched = index.patched([block_of([(9, 10, 1), (len(text) - 9, len(text) - 8, 1)])], reader)
    assert reader.read_bytes <= 2 * GRANULE_BYTES
    assert patched.count == reader.data.count(b"\n")


def test_patching_a_mass_edit_reads_nothing_twice(text: bytes) -> None:
    index = LineIndex.build(BytesReader(text))
    reader = BytesReader(text.replace(b"\n", b"\r\n"))
    ends = [at for at, byte in enumerate(text) if byte == 0x0A]
    patched = index.patched([block_of((at, at + 1, 2) for at in ends)], reader)
    assert reader.read_bytes <= reader.size
    assert patched.line_count == index.line_count
    assert patched.end_offset(30_000) == index.end_offset(30_000) + 30_000


def test_extending_reads_what_is_new_and_the_last_granule(text: bytes) -> None:
    reader = BytesReader(text)
    index = LineIndex.build(BytesReader(text[:-1000])).extended(reader)
    assert 1000 <= reader.read_bytes <= GRANULE_BYTES
    assert index.to_bytes(STAMP) == LineIndex.build(reader).to_bytes(STAMP)


def test_extending_leaves_a_full_last_granule_alone(text: bytes) -> None:
    reader = BytesReader(text[: 2 * GRANULE_BYTES + 1])
    index = LineIndex.build(BytesReader(text[: 2 * GRANULE_BYTES])).extended(reader)
    assert reader.read_bytes == 1
    assert index.size == reader.size


def test_an_empty_file_has_no_lines() -> None:
    index = LineIndex.build(BytesReader(b""))
    assert (index.count, index.line_count, list(index.spans()), index.end_offset(0)) == (0, 0, [], 0)
    with pytest.raises(SpanError):
        index.span_of(0)


def test_building_can_be_cancelled_and_reports_its_end(text: bytes) -> None:
    with pytest.raises(CancelledError):
        LineIndex.build(BytesReader(text), cancel=lambda: True)
    reported: list[tuple[int, int]] = []
    LineIndex.build(BytesReader(text), progress=lambda done, size: reported.append((done, size)))
    assert reported[-1] == (len(text), len(text))


@pytest.mark.parametrize("line", [-1, 3])
def test_lines_that_are_not_there_are_refused(line: int) -> None:
    index = LineIndex.build(BytesReader(b"a\nb\nc"))
    with pytest.raises(SpanError):
        index.span_of(line)
    with pytest.raises(SpanError):
        index.end_offset(line)
    with pytest.raises(SpanError):
        index.ends_before(2 * line)


def test_what_does_not_lead_to_the_file_is_a_bug() -> None:
    index = LineIndex.build(BytesReader(b"a\nb\nc"))
    with pytest.raises(InternalError):
        index.extended(BytesReader(b"a\n"))
    for size in (0, 1, 2, 4, 100):
        with pytest.raises(InternalError):
            index.patched([block_of([(1, 2, size)])], BytesReader(b"a\n..b\nc"))


@pytest.mark.parametrize("number", [1, 2, 500])
def test_lines_that_vanished_behind_the_index_are_stale_not_found(number: int) -> None:
    reader = BytesReader(b"\n" * 1000)
    index = LineIndex.build(reader)
    reader.data = b"x" * 1000
    with pytest.raises(StaleError):
        index.end_offset(number)


def test_a_saved_index_is_loaded_and_replaced(tmp_path: Path) -> None:
    volume, path = PortableVolume(), str(tmp_path / "lines.index")
    (tmp_path / "lines.index.new").write_bytes(b"left over by a crash")
    reader = BytesReader(b"a\nb\nc")
    for data in (b"a\n", reader.data):
        save(volume, path, LineIndex.build(BytesReader(data)).to_bytes(STAMP))
    loaded = LineIndex.load(volume, path, reader, STAMP)
    assert loaded is not None
    assert list(loaded.spans()) == [Span(0, 2), Span(2, 4), Span(4, 5)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["lines.index"]


def test_an_index_that_cannot_be_used_is_no_index(tmp_path: Path) -> None:
    volume, path = PortableVolume(), tmp_path / "lines.index"
    reader = BytesReader(b"a\nb\nc")

    def loaded(stamp: bytes = STAMP) -> LineIndex | None:
        return LineIndex.load(volume, str(path), reader, stamp)

    def saved_stamp() -> bytes | None:
        return LINES_LAYOUT.saved_stamp(volume, str(path))

    assert (loaded(), saved_stamp()) == (None, None)
    path.mkdir()
    assert (loaded(), saved_stamp()) == (None, None)
    path.rmdir()
    save(volume, str(path), LineIndex.build(reader).to_bytes(STAMP))
    assert loaded() is not None
    assert saved_stamp() == STAMP
    assert loaded(b"generation 8") is None
    saved = path.read_bytes()
    for damaged in (b"", saved[:-1], saved + b"\0", saved[:40] + b"\0\0\0\0" + saved[44:], b"?" * 1000):
        path.write_bytes(damaged)
        assert loaded() is None
    path.write_bytes(saved[:30])
    assert saved_stamp() in (None, STAMP[:2])
    path.write_bytes(b"?" * 1000)
    assert saved_stamp() is None


def test_an_index_loaded_for_a_file_that_grew_is_extended(tmp_path: Path) -> None:
    volume, path = PortableVolume(), str(tmp_path / "lines.index")
    save(volume, path, LineIndex.build(BytesReader(b"a\nb")).to_bytes(STAMP))
    grown = BytesReader(b"a\nb\nc\n")
    loaded = LineIndex.load(volume, path, grown, STAMP)
    assert loaded is not None
    assert loaded.size == 3
    assert loaded.extended(grown).line_count == 3


def test_a_failed_save_leaves_the_old_index_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, path = PortableVolume(), tmp_path / "lines.index"
    index = LineIndex.build(BytesReader(b"a\n"))
    save(volume, str(path), index.to_bytes(STAMP))
    before = path.read_bytes()

    def full(_self: object, _offset: int, _data: Buffer) -> None:
        raise NoSpaceError("The disk is full.")

    monkeypatch.setattr("insitu.storage.descriptor.PortableFile.write", full)
    with pytest.raises(NoSpaceError):
        save(volume, str(path), index.to_bytes(STAMP))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["lines.index"]
    with pytest.raises(MissingFileError):
        save(volume, str(tmp_path / "nowhere" / "lines.index"), index.to_bytes(STAMP))


def test_small_files_load_no_numpy() -> None:
    program = """
import sys
from insitu.core.columns import block_of
from insitu.engine.index import LineIndex
from tests.readers import BytesReader

index = LineIndex.build(BytesReader(b"a\\n" * 1_000_000))
index = index.patched([block_of([(0, 1, 2)])], BytesReader(b"b" + b"a\\n" * 1_000_000))
index = LineIndex.from_bytes(index.to_bytes(b""), BytesReader(b"b" + b"a\\n" * 1_000_000), b"")
assert index.span_of(1) == (3, 5)
print("numpy" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"
