"""Files that others change, cut, replace or delete between opening and commit: their change is kept."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import InsituError, MissingFileError, StaleError

BEFORE = b"0123456789" * 1000


def changed_in_place(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(5_000)
        file.write(b"THEIRS")


def appended_to(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"THEIRS")


def truncated(path: Path) -> None:
    os.truncate(path, 4_000)


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(b"THEIRS" * 10)
    os.replace(new, path)


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "changed in place": (changed_in_place, "changed by somebody else"),
    "appended to": (appended_to, "10,000 bytes then and has 10,006 now"),
    "truncated": (truncated, "10,000 bytes then and has 4,000 now"),
    "replaced": (replaced, "another inode"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    return path


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("visibility", ["committed", "atomic"])
def test_a_commit_over_a_foreign_change_is_refused(path: Path, change: str, visibility: str) -> None:
    act, words = CHANGES[change]
    policy = Policy(visibility=visibility)
    doc = insitu.open(path, policy=policy)
    doc.insert(10, b"ours")
    act(path)
    theirs = path.read_bytes()
    assert theirs != BEFORE
    with pytest.raises(StaleError, match=words) as caught:
        doc.commit()
    assert caught.value.hint
    assert doc.changed
    doc.close()
    assert path.read_bytes() == theirs
    insitu.insert(path, 10, b"ours")  # a verb takes the file as it is
    assert path.read_bytes() == theirs[:10] + b"ours" + theirs[10:]


@pytest.mark.parametrize("change", CHANGES)
def test_a_foreign_change_after_a_commit_of_ours_is_noticed_as_well(path: Path, change: str) -> None:
    doc = insitu.open(path)
    doc.insert(10, b"ours")
    insitu.write(path, 20, 21, b"other")
    CHANGES[change][0](path)
    theirs = path.read_bytes()
    with pytest.raises(StaleError):
        doc.commit()
    doc.close()
    assert path.read_bytes() == theirs


def test_a_foreign_change_with_the_time_set_back_is_noticed_where_the_size_tells(path: Path) -> None:
    status = path.stat()
    doc = insitu.open(path)
    doc[0] = 65
    appended_to(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(StaleError):
        doc.commit()
    doc.close()


def test_a_change_of_mode_or_time_of_reading_is_no_change(path: Path) -> None:
    doc = insitu.open(path)
    doc[0:1] = b"x"
    path.chmod(0o600)
    path.read_bytes()
    doc.commit()
    doc.close()
    assert path.read_bytes() == b"x" + BEFORE[1:]


def test_a_rename_of_the_file_while_open_is_a_clear_error_and_no_edit(path: Path) -> None:
    doc = insitu.open(path)
    doc[0:1] = b"x"
    path.rename(path.with_name("moved"))
    with pytest.raises(MissingFileError):
        doc.commit()
    doc.close()
    assert path.with_name("moved").read_bytes() == BEFORE
    assert not path.exists()


@pytest.mark.parametrize("visibility", ["committed", "atomic"])
def test_a_file_deleted_while_open_is_a_clear_error(path: Path, visibility: str) -> None:
    doc = insitu.open(path, policy=Policy(visibility=visibility))
    assert doc[:10] == BEFORE[:10]
    doc[0:1] = b"x"
    path.unlink()
    assert doc[10:20] == BEFORE[10:20]  # what is open can be read on
    with pytest.raises(MissingFileError, match="no such file"):
        doc.commit()
    doc.close()
    assert os.listdir(path.parent) == []


def test_a_file_cut_while_it_is_read_is_stale(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        assert doc[9_990:] == BEFORE[9_990:]
        truncated(path)
        assert doc[3_990:4_000] == BEFORE[3_990:4_000]
        with pytest.raises(StaleError, match="cut from 10,000 to 4,000 bytes") as caught:
            doc[3_990:4_010]
        assert caught.value.facts["size_now"] == 4_000
        with pytest.raises(StaleError):
            doc.find(b"not there")


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda doc: doc.find(b"no such text"), id="find"),
        pytest.param(lambda doc: doc.find(b"no+ such text", regex=True), id="find regex"),
        pytest.param(lambda doc: doc.count(b"9"), id="count"),
        pytest.param(lambda doc: len(doc.lines), id="lines"),
        pytest.param(lambda doc: doc.read_many(range(0, 8 << 20, 4096), 4096), id="read_many"),
        pytest.param(lambda doc: sum(1 for _ in doc.finditer(b"99")), id="finditer"),
        pytest.param(lambda doc: doc.replace(b"9", b"8", expect=5), id="replace"),
    ],
)
def test_every_scan_of_a_file_that_was_cut_is_stale(
    tmp_path: Path, look: Callable[[insitu.Document], object]
) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"1234567\n" * (1 << 20))
    with insitu.open(path, "r") as doc:
        os.truncate(path, 3 << 20)
        with pytest.raises(StaleError):
            look(doc)


@pytest.mark.slow
def test_a_file_cut_again_and_again_while_it_is_scanned_is_stale_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"1234567\n" * (1 << 20))
    stop = threading.Event()

    def cut() -> None:
        while not stop.is_set():
            os.truncate(path, 5 << 20)
            os.truncate(path, 8 << 20)
            time.sleep(0.001)

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        ended = time.monotonic() + 2
        while time.monotonic() < ended:
            with insitu.open(path, "r") as doc, contextlib.suppress(StaleError):
                assert doc.find(b"no such text") == -1
    finally:
        stop.set()
        cutter.join()


def test_a_file_replaced_by_a_folder_is_a_clear_error(path: Path) -> None:
    doc = insitu.open(path)
    doc[0:1] = b"x"
    path.unlink()
    path.mkdir()
    with pytest.raises(InsituError, match="folder"):
        doc.commit()
    doc.close()
