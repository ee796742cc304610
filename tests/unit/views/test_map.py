"""``doc.map()`` over real files, against a bytearray as the oracle."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insitu.core.spans import Span
from insitu.errors import RequestError, StaleError
from insitu.storage.base import File
from insitu.views.map import CELL_BYTES, Mapping

WINDOW = 1 << 20


class RealFile:
    """As much of a ``File`` as a mapping uses."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR)

    def fileno(self) -> int:
        return self._descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        os.close(self._descriptor)


class Document:
    """Pending edits over a real file; a commit writes them in place. Its generation is size and mtime."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.file = RealFile(path)
        self.base_file = cast(File, self.file)
        self.read_only = read_only
        self.pending: list[tuple[Span, bytes]] = []
        self.generation = self._generation_now()

    @property
    def size(self) -> int:
        return self.file.size()

    @property
    def changed(self) -> bool:
        return bool(self.pending)

    def _generation_now(self) -> tuple[int, int]:
        stat = os.fstat(self.file.fileno())
        return stat.st_size, stat.st_mtime_ns

    def check_generation(self) -> None:
        if self._generation_now() != self.generation:
            raise StaleError("the file was changed by somebody else")

    def replace_span(self, span: Span, data: bytes) -> None:
        self.replace_spans([(span, data)])

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        edits = list(edits)
        assert edits, "an edit of nothing was recorded"
        assert all(a.stop <= b.start for (a, _), (b, _) in pairwise(edits))
        assert all(span.size == len(data) > 0 and isinstance(data, bytes) for span, data in edits)
        self.pending.extend(edits)

    def discard(self) -> None:
        self.pending.clear()

    def commit(self) -> None:
        for span, data in self.pending:
            os.pwrite(self.file.fileno(), data, span.start)
        self.pending.clear()
        os.utime(self.file.fileno(), ns=(0, self.generation[1] + 1))
        self.generation = self._generation_now()

    def map(self, dtype: Any = None) -> Mapping:
        return Mapping(self, dtype)


SIZE = WINDOW // 24 * 24 + 24 * 401  # whole items of every type below; two windows, a page in part


ORIGINAL = numpy.random.default_rng(7).integers(1, 256, SIZE, numpy.uint8).tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(ORIGINAL)
    return path


@pytest.fixture
def doc(path: Path) -> Iterator[Document]:
    document = Document(path)
    yield document
    document.file.close()


def applied(edits: list[tuple[Span, bytes]]) -> bytes:
    result = bytearray(ORIGINAL)
    for span, data in edits:
        result[span.start : span.stop] = data
    return bytes(result)


def check_tight(edits: list[tuple[Span, bytes]]) -> None:
    """Edits start and end with a changed byte and bridge only short gaps of unchanged ones."""
    for span, data in edits:
        old = numpy.frombuffer(ORIGINAL[span.start : span.stop], numpy.uint8)
        changed = numpy.flatnonzero(old != numpy.frombuffer(data, numpy.uint8))
        assert changed[0] == 0
        assert changed[-1] == span.size - 1
        assert span.size == 1 or numpy.diff(changed).max() < 2 * CELL_BYTES
        assert span.size <= WINDOW


DTYPES = ["u1", "<i2", ">i4", "<f8", "S3", "M8[s]", "V12", [("a", "<u2"), ("b", ">f4")], "(3,)<i4", "?"]
PLACES = st.floats(0, 1)
WRITES = st.lists(st.tuples(PLACES, st.integers(1, 3000), st.binary(min_size=1, max_size=9)), max_size=8)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dtype=st.sampled_from(DTYPES), writes=WRITES, touched=st.lists(PLACES, max_size=4))
def test_recorded_edits_are_what_the_array_was_made(
    doc: Document, dtype: Any, writes: list[tuple[float, int, bytes]], touched: list[float]
) -> None:
    expected = bytearray(ORIGINAL)
    item = numpy.dtype(dtype)
    with doc.map(dtype) as array:
        assert array.nbytes == SIZE
        count = SIZE // item.itemsize
        for place, run, pattern in writes:
            start = int(place * (count - 1))
            stop = min(start + run, count)
            size = (stop - start) * item.itemsize
            data = (pattern * (size // len(pattern) + 1))[:size]
            # Writing through views of bytes keeps bit patterns that are no value of the type.
            array[start:stop].view(numpy.uint8).reshape(-1)[:] = numpy.frombuffer(data, numpy.uint8)
            expected[start * item.itemsize : stop * item.itemsize] = data
        everything = array.reshape(-1).view(numpy.uint8)
        for place in touched:
            everything[int(place * (SIZE - 1))] = everything[int(place * (SIZE - 1))]
        assert everything.tobytes() == expected
    assert applied(doc.pending) == expected
    check_tight(doc.pending)
    assert doc.file.read(0, SIZE) == ORIGINAL
    doc.discard()


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offsets=st.lists(st.integers(0, SIZE - 1), max_size=30, unique=True))
def test_single_bytes_are_recorded_to_the_byte(doc: Document, offsets: list[int]) -> None:
    with doc.map() as array:
        for offset in offsets:
            array[offset] ^= 255
    changed = {offset for span, _ in doc.pending for offset in range(*span)}
    assert changed.issuperset(offsets)
    check_tight(doc.pending)
    far_apart = all(b - a > 2 * CELL_BYTES for a, b in pairwise(sorted(offsets)))
    if far_apart:
        assert changed == set(offsets)
    doc.discard()


def test_changing_everything_records_everything(doc: Document) -> None:
    with doc.map() as array:
        array[:] ^= 255
    assert applied(doc.pending) == bytes(byte ^ 255 for byte in ORIGINAL)
    assert len(doc.pending) == 2


def test_a_page_changed_and_changed_back_records_nothing(doc: Document) -> None:
    with doc.map() as array:
        array[5000] ^= 1
        array[5000] ^= 1
        array[:] = array[:].copy()
    assert not doc.changed


def test_committed_changes_are_in_the_file_and_the_next_map(doc: Document, path: Path) -> None:
    with doc.map("<u4") as array:
        array[:] += 1
    doc.commit()
    assert path.read_bytes() == (numpy.frombuffer(ORIGINAL, "<u4") + 1).astype("<u4").tobytes()
    with doc.map("<u4") as array:
        array[:] -= 1
    doc.commit()
    assert path.read_bytes() == ORIGINAL


def test_an_exception_discards_the_pages(doc: Document) -> None:
    with pytest.raises(ZeroDivisionError), doc.map() as array:
        array[:] = 0
        raise ZeroDivisionError
    assert not doc.changed
    assert array.tobytes() == ORIGINAL
    with doc.map() as array:
        assert array.tobytes() == ORIGINAL


def test_a_kept_array_becomes_read_only_and_changes_nothing(doc: Document) -> None:
    with doc.map() as array:
        inner = array[100:200]
        array[0] ^= 1
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    inner[:] = 0
    assert [span for span, _ in doc.pending] == [Span(0, 1)]
    assert doc.file.read(0, SIZE) == ORIGINAL


def test_a_memoryview_is_writable_in_the_block_and_released_after(doc: Document) -> None:
    with doc.map(memoryview) as view:
        assert type(view) is memoryview
        view[7:9] = bytes((ORIGINAL[7] ^ 1, ORIGINAL[8] ^ 1))
    assert doc.pending == [(Span(7, 9), bytes((ORIGINAL[7] ^ 1, ORIGINAL[8] ^ 1)))]
    with pytest.raises(ValueError, match="released"):
        view[0]


def test_a_memoryview_needs_no_numpy(path: Path) -> None:
    program = f"""
import sys
sys.modules["numpy"] = None
from insitu.views.map import Mapping
import os
from insitu.core.spans import Span
class File:
    def fileno(self): return descriptor
    def read(self, offset, size): return os.pread(descriptor, size, offset)
class Document:
    changed = read_only = False
    generation, base_file, size = 1, File(), {SIZE}
    def check_generation(self): pass
    def replace_spans(self, edits): print([span.start for span, _ in edits])
descriptor = os.open({str(path)!r}, os.O_RDWR)
with Mapping(Document(), memoryview) as view:
    view[1234] ^= 1
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (answer.stdout, answer.stderr) == ("[1234]\n", "")


def test_pending_edits_are_refused_before_and_in_the_block(doc: Document) -> None:
    doc.replace_span(Span(0, 1), b"x")
    with pytest.raises(RequestError, match="pending") as refusal:
        doc.map()
    assert "discard" in refusal.value.hint
    doc.discard()
    with pytest.raises(RequestError, match="edited while it was mapped"), doc.map() as array:
        array[5] ^= 1
        doc.replace_span(Span(0, 1), b"x")
    assert doc.pending == [(Span(0, 1), b"x")]


def test_of_two_mappings_at_once_only_the_first_to_end_is_recorded(doc: Document) -> None:
    with pytest.raises(RequestError, match="edited"), doc.map() as one:
        one[0] ^= 1
        with doc.map() as two:
            two[9] ^= 1
    assert [span for span, _ in doc.pending] == [Span(9, 10)]


def test_a_mapping_in_use_cannot_be_entered_again_but_a_left_one_can(doc: Document) -> None:
    mapping = doc.map()
    with mapping as array:
        array[0] ^= 1
        with pytest.raises(RequestError, match="in use"), mapping:
            pass
    doc.discard()
    with mapping as array:
        array[1] ^= 1
    assert [span for span, _ in doc.pending] == [Span(1, 2)]


def test_a_file_changed_by_others_is_stale_and_nothing_is_recorded(doc: Document, path: Path) -> None:
    with pytest.raises(StaleError), doc.map() as array:
        array[0] ^= 1
        with open(path, "ab") as other:
            other.write(b"more")
    assert not doc.changed
    with pytest.raises(StaleError), doc.map(memoryview):
        pass


def test_a_truncated_file_is_stale_and_not_touched_again(doc: Document, path: Path) -> None:
    with pytest.raises(StaleError), doc.map() as array:
        array[SIZE - 1] ^= 1
        os.truncate(path, 10)
    assert not doc.changed


def test_a_commit_of_our_own_in_the_block_is_stale(doc: Document) -> None:
    with pytest.raises(StaleError, match="committed while"), doc.map() as array:
        array[0] ^= 1
        doc.replace_span(Span(1, 2), b"\0")
        doc.commit()
    assert not doc.changed


def test_a_read_only_document_gives_a_read_only_array(path: Path) -> None:
    document = Document(path, read_only=True)
    with document.map("<u4") as array:
        assert array.tobytes() == ORIGINAL
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with document.map(memoryview) as view:
        assert view.readonly
    assert not document.changed
    document.file.close()


@pytest.mark.parametrize("dtype", [None, "<f8", memoryview, [("a", "u1"), ("b", "<u4")]])
def test_an_empty_file_maps_to_an_empty_array(tmp_path: Path, dtype: Any) -> None:
    (tmp_path / "empty").touch()
    document = Document(tmp_path / "empty")
    with document.map(dtype) as array:
        assert len(array) == 0
    assert not document.changed
    document.file.close()


def test_a_size_that_does_not_divide_is_refused_with_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1003)
    document = Document(tmp_path / "file")
    with pytest.raises(RequestError, match=r"1003 bytes .* of 8 bytes: 3 are left over") as refusal:
        document.map("<f8")
    assert refusal.value.facts == {"size": 1003, "item_bytes": 8, "remainder": 3}
    document.file.close()


def test_the_size_is_judged_again_on_entering(doc: Document, path: Path) -> None:
    mapping = doc.map("<u4")
    os.truncate(path, SIZE - 1)
    doc.commit()
    with pytest.raises(RequestError, match="3 are left over"), mapping:
        pass
    os.truncate(path, SIZE - 4)
    doc.commit()
    with mapping as array:
        assert array.nbytes == SIZE - 4


@pytest.mark.parametrize("dtype", ["no such type", object, "V0", [("a", object)], "S"])
def test_types_without_fixed_bytes_are_refused(doc: Document, dtype: Any) -> None:
    with pytest.raises(RequestError):
        doc.map(dtype)


def test_what_a_forked_process_writes_stays_there(doc: Document) -> None:
    with doc.map() as array:
        array[10_000] ^= 1
        child = os.fork()
        if not child:
            array[20_000] ^= 1
            os._exit(0)
        os.waitpid(child, 0)
        array[10_001] ^= 1
    assert [span for span, _ in doc.pending] == [Span(10_000, 10_002)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives pages back at once")
def test_recording_needs_no_second_copy_of_the_pages(tmp_path: Path) -> None:
    size = 192 << 20
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(size)
    document = Document(tmp_path / "sparse")
    with document.map() as array:
        array[:] = 7
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(span.size for span, _ in document.pending) == size
    assert after_kib - before_kib < 48 << 10
    document.file.close()
