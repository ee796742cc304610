"""Private mappings of real files, with every way of finding the touched pages."""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insitu.core.spans import Span
from insitu.errors import StaleError, StorageError, UnsupportedError
from insitu.storage.mapping import _IS_PRIVATE, DETECTIONS, PAGE_BYTES, PrivateMapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")

PAGES = 700  # more than one compare window
SIZE = PAGES * PAGE_BYTES - 100


CONTENT = (bytes(range(1, 251)) * (SIZE // 250 + 1))[:SIZE]


@pytest.fixture
def fileno(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def ways(mapping: PrivateMapping) -> list[str]:
    """The ways this kernel has: the one picked, and all that are tried after it."""
    names = list(DETECTIONS)
    return names[names.index(mapping.detection) :]


def touched_by(mapping: PrivateMapping, way: str) -> list[Span]:
    mapping.detection = way
    return list(mapping.touched())


def spans_of(pages: set[int], size: int) -> list[Span]:
    """The oracle: runs of pages as byte spans within the file."""
    starts = sorted(page for page in pages if page - 1 not in pages)
    stops = sorted(page + 1 for page in pages if page + 1 not in pages)
    return [Span(a * PAGE_BYTES, min(b * PAGE_BYTES, size)) for a, b in zip(starts, stops, strict=True)]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 5 * PAGE_BYTES)), max_size=12),
    reads=st.lists(st.integers(0, SIZE - 1), max_size=12),
)
def test_every_way_finds_exactly_the_pages_that_were_changed(
    fileno: int, writes: list[tuple[int, int]], reads: list[int]
) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    pages: set[int] = set()
    for offset in reads:
        assert mapping.buffer[offset] == CONTENT[offset]
    for start, size in writes:
        stop = min(start + size, SIZE)
        mapping.buffer[start:stop] = bytes(stop - start)  # the file holds no zero byte
        pages.update(range(start // PAGE_BYTES, (stop - 1) // PAGE_BYTES + 1))
    for offset in reads:
        assert mapping.buffer[offset] in (0, CONTENT[offset])
    for way in ways(mapping):
        assert touched_by(mapping, way) == spans_of(pages, SIZE), way
    mapping.close()
    assert os.pread(fileno, SIZE, 0) == CONTENT


def test_a_page_written_with_its_own_bytes_is_touched_but_does_not_differ(fileno: int) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    mapping.buffer[3 * PAGE_BYTES] = mapping.buffer[3 * PAGE_BYTES]
    for way in ways(mapping):
        assert touched_by(mapping, way) == ([] if way == "compare" else spans_of({3}, SIZE))
    mapping.close()


def test_writes_of_the_kernel_are_found_like_those_of_the_program(fileno: int, tmp_path: Path) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    with open("/dev/zero", "rb", buffering=0) as zeros:
        zeros.readinto(mapping.buffer[5 * PAGE_BYTES + 7 : 7 * PAGE_BYTES])
    for way in ways(mapping):
        assert touched_by(mapping, way) == spans_of({5, 6}, SIZE)
    mapping.close()


def test_more_runs_than_one_scan_returns_are_all_found(tmp_path: Path) -> None:
    count = 9001
    with open(tmp_path / "sparse", "w+b") as file:
        file.truncate(2 * count * PAGE_BYTES)
        mapping = PrivateMapping(file.fileno(), 2 * count * PAGE_BYTES)
        for page in range(0, 2 * count, 2):
            mapping.buffer[page * PAGE_BYTES] = 1
        expected = spans_of(set(range(0, 2 * count, 2)), mapping.size)
        for way in ways(mapping):
            assert touched_by(mapping, way) == expected
        mapping.close()


def test_pages_are_found_while_the_ones_before_are_given_back(tmp_path: Path) -> None:
    count = 5000
    with open(tmp_path / "sparse", "w+b") as file:
        file.truncate(2 * count * PAGE_BYTES)
        mapping = PrivateMapping(file.fileno(), 2 * count * PAGE_BYTES)
        for page in range(0, 2 * count, 2):
            mapping.buffer[page * PAGE_BYTES] = 1
        for way in ways(mapping):
            if way == "compare":
                continue
            mapping.detection = way
            for page in range(0, 2 * count, 2):
                mapping.buffer[page * PAGE_BYTES] = 1
            found = 0
            for span in mapping.touched():
                assert mapping.buffer[span.start] == 1
                mapping.give_back(span)
                assert mapping.buffer[span.start] == 0
                found += 1
            assert found == count
            assert list(mapping.touched()) == []
        mapping.close()


def test_three_bytes_in_a_terabyte_are_found_in_milliseconds(tmp_path: Path) -> None:
    size = 1 << 40
    with open(tmp_path / "sparse", "w+b") as file:
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("no sparse files of this size here")
        mapping = PrivateMapping(file.fileno(), size)
        if mapping.detection != "scan":
            pytest.skip("needs Linux 6.7")
        for offset in (5, size // 2, size - 1):
            mapping.buffer[offset] = 1
        started = time.perf_counter()
        found = list(mapping.touched())
        elapsed_s = time.perf_counter() - started
        assert found == spans_of({0, size // 2 // PAGE_BYTES, (size - 1) // PAGE_BYTES}, size)
        assert elapsed_s < 0.05
        mapping.close()


def test_a_kernel_that_answers_but_notices_nothing_is_not_believed(
    fileno: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTIONS, "scan", lambda mapped, fileno: iter(()))
    mapping = PrivateMapping(fileno, SIZE)
    assert mapping.detection == "entries"
    mapping.close()


def test_without_a_pagemap_the_file_is_compared(fileno: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insitu.storage.mapping._PAGEMAP", "/proc/self/no-such-file")
    mapping = PrivateMapping(fileno, SIZE)
    assert mapping.detection == "compare"
    mapping.buffer[SIZE - 1] = 0
    assert list(mapping.touched()) == spans_of({PAGES - 1}, SIZE)
    mapping.close()


def test_losing_the_pagemap_later_is_a_storage_error(fileno: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    if mapping.detection == "compare":
        pytest.skip("no pagemap to lose")
    monkeypatch.setattr("insitu.storage.mapping._PAGEMAP", "/proc/self/no-such-file")
    with pytest.raises(StorageError, match="cannot be told"):
        list(mapping.touched())
    mapping.close()


@pytest.mark.parametrize("writable", [True, False])
def test_an_empty_file_gives_an_empty_buffer(tmp_path: Path, writable: bool) -> None:
    (tmp_path / "empty").touch()
    with open(tmp_path / "empty", "rb") as file:
        mapping = PrivateMapping(file.fileno(), 0, writable=writable)
        assert len(mapping.buffer) == 0
        assert mapping.buffer.readonly is not writable
        assert list(mapping.touched()) == []
        mapping.close()


def test_a_read_only_mapping_shows_the_file_and_refuses_writes(fileno: int) -> None:
    mapping = PrivateMapping(fileno, SIZE, writable=False)
    assert mapping.buffer[:500] == CONTENT[:500]
    with pytest.raises(TypeError):
        mapping.buffer[0] = 0
    assert list(mapping.touched()) == []
    mapping.close()


def test_closing_releases_the_buffer_and_may_be_repeated(fileno: int) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    buffer = mapping.buffer
    mapping.close()
    mapping.close()
    with pytest.raises(ValueError, match="released"):
        buffer[0]
    assert list(mapping.touched()) == []


def test_closing_under_a_view_frees_its_pages_and_leaves_it_harmless(fileno: int) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    view = mapping.buffer[10 : SIZE - 10]
    view[0] = 0
    mapping.close()
    assert view[0] == CONTENT[10]
    view[0] = 0
    assert list(mapping.touched()) == []
    assert os.pread(fileno, SIZE, 0) == CONTENT


def test_a_forgotten_view_does_not_hold_a_lock_of_the_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    locked = os.open(path, os.O_RDWR)
    fcntl.flock(locked, fcntl.LOCK_EX)
    mapping = PrivateMapping(locked, 100)
    view = mapping.buffer[:]
    mapping.close()
    os.close(locked)
    other = os.open(path, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    assert view[0] == ord("x")


def test_descriptors_are_not_leaked(fileno: int) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for way in DETECTIONS:
        mapping = PrivateMapping(fileno, SIZE)
        if way in ways(mapping):
            mapping.buffer[0] = 0
            touched_by(mapping, way)
        mapping.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_a_fork_each_process_finds_its_own_writes(fileno: int) -> None:
    mapping = PrivateMapping(fileno, SIZE)
    mapping.buffer[0] = 0
    child = os.fork()
    if not child:
        mapping.buffer[9 * PAGE_BYTES] = 0
        right = all(touched_by(mapping, way) == spans_of({0, 9}, SIZE) for way in ways(mapping))
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    mapping.buffer[4 * PAGE_BYTES] = 0
    for way in ways(mapping):
        assert touched_by(mapping, way) == spans_of({0, 4}, SIZE)
    mapping.close()


def test_a_file_that_became_shorter_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    with open(path, "rb") as file, pytest.raises(StaleError, match="shorter than the 101 bytes"):
        PrivateMapping(file.fileno(), 101)


def test_what_cannot_be_mapped_says_so(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(UnsupportedError, match="cannot be mapped"):
        PrivateMapping(descriptor, 4096)
    os.close(descriptor)


def test_pages_of_files_on_a_memory_file_system_are_told_apart() -> None:
    descriptor = os.memfd_create("memory")
    os.write(descriptor, b"x" * (20 * PAGE_BYTES))
    mapping = PrivateMapping(descriptor, 20 * PAGE_BYTES)
    assert mapping.buffer[:] == b"x" * (20 * PAGE_BYTES)
    mapping.buffer[2 * PAGE_BYTES - 1 : 2 * PAGE_BYTES + 1] = b"ab"
    for way in ways(mapping):
        assert touched_by(mapping, way) == spans_of({1, 2}, mapping.size)
    mapping.close()
    os.close(descriptor)


def test_asking_for_huge_pages_hides_no_write() -> None:
    size = 8 << 20
    descriptor = os.memfd_create("memory")
    os.ftruncate(descriptor, size)
    mapping = PrivateMapping(descriptor, size)
    memory = mapping.buffer.obj
    assert isinstance(memory, mmap.mmap)
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        pytest.skip("no transparent huge pages")
    mapping.buffer[3 << 20] = 1
    for way in ways(mapping):
        found = touched_by(mapping, way)
        assert any(span.holds(Span(3 << 20, (3 << 20) + 1)) for span in found), way
    mapping.close()
    os.close(descriptor)


@pytest.mark.parametrize("others", [0, 0x01, 0x02, 0x1F])
@pytest.mark.parametrize(
    ("present", "swapped", "of_file", "private"),
    [
        (False, False, False, False),
        (True, False, True, False),
        (True, False, False, True),
        (False, True, False, True),
        (False, True, True, False),
        (False, False, True, False),
    ],
)
def test_a_pagemap_entry_is_private_when_somewhere_and_not_of_a_file(
    present: bool, swapped: bool, of_file: bool, private: bool, others: int
) -> None:
    assert _IS_PRIVATE[present << 7 | swapped << 6 | of_file << 5 | others] == private
