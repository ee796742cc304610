"""An index that grows: it answers as the bytes do, reads no more than it must, and goes on where it was."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import insitu
import insitu.engine.growing_index
from insitu.core.policy import Policy
from insitu.engine.growing_index import GrowingIndex
from insitu.engine.kept_index import line_index
from insitu.engine.session import snapshot
from insitu.engine.site import Site
from insitu.errors import CancelledError
from insitu.storage.local import local_volume
from tests.readers import CountingSnapshot

SIZE = 12 << 20
WINDOW = 1 << 20
MIDDLE = SIZE // 2
LONG_AGO_S = 1_000_000_000

# In the part that was counted, behind it, over its end; what is inserted or appended.
EDITS: dict[str, Callable[[bytearray], tuple[int, int, bytes]]] = {
    "before": lambda data: (1000, 1200, b"one\ntwo\n"),
    "behind": lambda data: (len(data) - 5000, len(data) - 4000, b"\n" * 7),
    "over the end": lambda data: (100_000, len(data) - 100_000, b"less\n"),
    "appended": lambda data: (len(data), len(data), b"more\nlines\n" * 1000),
}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of an index are worth saving in a file of some megabytes, too."""
    monkeypatch.setattr(insitu.engine.growing_index, "_SAVED_STEP_BYTES", 3 << 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    source = random.Random(3)
    path = tmp_path / "huge.log"
    path.write_bytes(b"".join(b"x" * source.randrange(200) + b"\n" for _ in range(SIZE // 100))[:SIZE])
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return path


def _opened(path: Path, cancel: Callable[[], bool] | None = None) -> tuple[GrowingIndex, CountingSnapshot]:
    site = Site.of(local_volume(), str(path))
    base = snapshot(site, write=False, policy=Policy(), lock_timeout_s=5.0)
    counting = CountingSnapshot(base.file, base.generation)
    return GrowingIndex(site, counting, Policy(), cancel), counting


def _check(path: Path) -> None:
    """Asserts that a newly opened index answers as the bytes do."""
    data = path.read_bytes()
    index, _ = _opened(path)
    source = random.Random(5)
    for _ in range(30):
        offset = source.randrange(len(data) + 1)
        number = data.count(b"\n", 0, offset)
        assert index.ends_before(offset) == number
        if number:
            assert index.find_end(number, len(data)) == data.rindex(b"\n", 0, offset) + 1
    total = data.count(b"\n")
    assert index.find_end(total, len(data)) == data.rindex(b"\n") + 1
    assert index.find_end(total + 1, len(data)) is None
    assert index.find_end(total, len(data) // 2) is None


def test_it_answers_as_the_bytes_do(path: Path) -> None:
    _check(path)
    _check(path)


def test_it_reads_no_further_than_it_must(path: Path) -> None:
    data = path.read_bytes()
    index, base = _opened(path)
    assert index.find_end(10, len(data)) == [at + 1 for at in range(4000) if data[at] == 0x0A][9]
    assert base.read_bytes <= 3 * WINDOW
    number = data.count(b"\n", 0, MIDDLE)
    assert index.find_end(number, len(data)) == data.rindex(b"\n", 0, MIDDLE) + 1
    # Beside the windows that tell what ends lines, what was counted, and the samples that were saved.
    assert index.size < MIDDLE + 2 * WINDOW
    assert base.read_bytes < MIDDLE + 12 * WINDOW


def test_another_opening_goes_on_where_the_last_one_ended(path: Path) -> None:
    first, _ = _opened(path)
    first.ends_before(MIDDLE)
    second, base = _opened(path)
    assert second.size == first.size
    assert second.ends_before(MIDDLE) == first.ends_before(MIDDLE)
    assert base.read_bytes <= 2 * WINDOW


def test_the_index_of_all_lines_begins_with_what_was_counted(path: Path) -> None:
    _opened(path)[0].ends_before(MIDDLE)
    site = Site.of(local_volume(), str(path))
    base = snapshot(site, write=False, policy=Policy(), lock_timeout_s=5.0)
    counting = CountingSnapshot(base.file, base.generation)
    index = line_index(site, counting, Policy())
    assert index.size == SIZE
    assert index.count == path.read_bytes().count(b"\n")
    assert counting.read_bytes < MIDDLE + 6 * WINDOW
    _check(path)


@pytest.mark.parametrize("name", EDITS)
def test_what_was_counted_survives_an_edit_of_ours(path: Path, name: str) -> None:
    _opened(path)[0].ends_before(MIDDLE)
    data = bytearray(path.read_bytes())
    start, stop, new = EDITS[name](data)
    with insitu.open(path) as document:
        document[start:stop] = new
    data[start:stop] = new
    assert path.read_bytes() == data
    time.sleep(0.03)
    index, _ = _opened(path)
    assert (index.size > MIDDLE // 2) == (name != "over the end")
    _check(path)


def test_what_a_stranger_appends_is_counted(path: Path) -> None:
    _opened(path)[0].ends_before(MIDDLE)
    with path.open("ab") as file:
        file.write(b"a\nb\nc\n" * 10_000)
    time.sleep(0.03)
    index, _ = _opened(path)
    assert index.size >= MIDDLE
    _check(path)


def test_what_a_stranger_changes_is_counted_again(path: Path) -> None:
    _opened(path)[0].ends_before(MIDDLE)
    data = path.read_bytes()
    path.write_bytes(b"\n\n\n" + data[3:])
    _check(path)


def test_what_was_counted_before_it_was_cancelled_is_kept(path: Path) -> None:
    stop = False
    index, _ = _opened(path, lambda: stop)
    index.ends_before(MIDDLE)
    stop = True
    with pytest.raises(CancelledError):
        index.ends_before(SIZE)
    counted = index.size
    assert MIDDLE <= counted < SIZE
    assert index.ends_before(1000) == path.read_bytes().count(b"\n", 0, 1000)
    assert _opened(path)[0].size == counted
