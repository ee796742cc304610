"""Links are swapped in and out while files are used beneath a root: not once is anything outside touched.

Other processes exchange a folder, and a file, with a link to its like outside, in a tight loop, so that every
moment between looking and opening is hit. What is read must never be what is outside, and what is outside
must stay as it was; refusals are right answers.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("proved on Linux", allow_module_level=True)

import insitu
from insitu.engine.site import Site
from insitu.errors import (
    FileKindError,
    ForbiddenPathError,
    InsituError,
    MissingFileError,
    OutsideRootsError,
    StorageError,
)
from insitu.storage import linux_calls
from insitu.storage.beneath import BeneathVolume
from insitu.workspace.roots import Roots, RootSpec
from tests.system.programs import start
from tests.system.swapper import SWAPPER

INSIDE, OUTSIDE = b"inside", b"outside and secret"


@pytest.fixture(params=["by the kernel", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to stay beneath the root."""
    if request.param == "step by step":

        def denied(*arguments: object) -> int:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        monkeypatch.setattr(linux_calls, "open_beneath", denied)
    return str(request.param)


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A root in which ``folder`` and ``file`` each have a twin that is a link to what lies outside."""
    outside, ws = tmp_path / "outside", tmp_path / "ws"
    for folder, text in ((outside, OUTSIDE), (ws / "folder", INSIDE)):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(text)
    (ws / "file").write_bytes(INSIDE)
    (ws / "folder twin").symlink_to("../outside")
    (ws / "file twin").symlink_to(outside / "file")
    return ws


@contextmanager
def swapped(ws: Path, pause_s: float = 0.0) -> Iterator[None]:
    """Both twins are exchanged all the time, with a pause in between."""
    swappers = [start(SWAPPER, ws, name, f"{name} twin", pause_s) for name in ("folder", "file")]
    try:
        for swapper in swappers:
            assert swapper.stdout is not None and swapper.stdout.readline() == b"ready\n"
        yield
        assert [swapper.poll() for swapper in swappers] == [None, None], "a swapper ended early"
    finally:
        for swapper in swappers:
            swapper.kill()
            swapper.communicate()


@pytest.fixture
def swapping(ws: Path) -> Iterator[None]:
    """Both twins are exchanged as fast as it goes."""
    with swapped(ws):
        yield


def read(volume: BeneathVolume, path: str) -> bytes:
    file = volume.open(path)
    try:
        return file.read(0, 99)
    finally:
        file.close()


def write(volume: BeneathVolume, path: str) -> bytes:
    file = volume.open(path, write=True)
    try:
        file.write(0, INSIDE)
        return INSIDE
    finally:
        file.close()


def make_and_move(volume: BeneathVolume, path: str) -> bytes:
    folder = os.path.dirname(path)
    volume.open(f"{folder}/new", create=True).close()
    volume.rename(f"{folder}/new", f"{folder}/newer")
    volume.remove(f"{folder}/newer")
    return INSIDE


def look(volume: BeneathVolume, path: str) -> bytes:
    status = volume.stat(path)
    assert status is None or status.size != len(OUTSIDE)
    volume.sync_folder(os.path.dirname(path))
    return INSIDE


USES: dict[str, Callable[[BeneathVolume, str], bytes]] = {
    "read": read,
    "write": write,
    "resolve, then read": lambda volume, path: read(volume, volume.resolve(path)),
    "resolve, then write": lambda volume, path: write(volume, volume.resolve(path)),
    "make and move": make_and_move,
    "look": look,
}
REFUSALS = (ForbiddenPathError, OutsideRootsError, MissingFileError, FileKindError)


def race(volume: BeneathVolume, races: int, outside: Path) -> Counter[str]:
    """Uses both files so many times; how it ended, and that nothing escaped."""
    ends: Counter[str] = Counter()
    uses = list(USES.values())
    for number in range(races):
        path = ("/folder/file", "/file")[number // len(uses) % 2]
        use = uses[number % len(uses)]
        try:
            assert use(volume, path) == INSIDE, "an escape"
            ends["done"] += 1
        except InsituError as error:
            # A create that lost its folder leaves the new file where it was made; the next try finds it.
            assert isinstance(error, (*REFUSALS, FileExistsError)), error
            ends["refused"] += 1
            for left in ("new", "newer"):
                volume.remove(f"/{left}")
    assert (outside / "file").read_bytes() == OUTSIDE, "an escape"
    assert os.listdir(outside) == ["file"], "an escape"
    return ends


@pytest.mark.parametrize(
    "races", [pytest.param(10_000, marks=pytest.mark.slow), pytest.param(100_000, marks=pytest.mark.proof)]
)
@pytest.mark.usefixtures("swapping")
def test_races_without_an_escape(ws: Path, way: str, races: int) -> None:
    volume = BeneathVolume(str(ws))
    ends = race(volume, races, ws.parent / "outside")
    volume.close()
    # Both must have happened often, or it was no race.
    assert min(ends["done"], ends["refused"]) > races // 100, ends


@pytest.mark.slow
def test_whole_edits_and_undo_never_touch_what_is_outside(ws: Path, way: str) -> None:
    """An edit looks at its paths some fifty times; the pause lets some of them through."""
    roots = Roots([RootSpec(str(ws))])
    ends: Counter[str] = Counter()
    before = os.stat(ws.parent / "outside" / "file")
    with swapped(ws, pause_s=0.1):
        began = time.monotonic()
        for number in itertools.count():
            if min(ends["undone"], ends["refused"]) >= 5 or time.monotonic() > began + 60:
                break
            try:
                site = roots.place(("folder/file", "file")[number % 2]).site()
                insitu.append(site, b"+")
                ends["edited"] += 1
                insitu.undo(site)
                ends["undone"] += 1
            except REFUSALS:
                ends["refused"] += 1
            except (
                StorageError
            ):  # the link came behind the commit point; the next edit finishes what was begun
                ends["interrupted"] += 1
    after = os.stat(ws.parent / "outside" / "file")
    roots.close()
    assert (after.st_mtime_ns, after.st_nlink, after.st_size) == (before.st_mtime_ns, 1, len(OUTSIDE))
    assert os.listdir(ws.parent / "outside") == ["file"]
    assert min(ends["undone"], ends["refused"]) >= 5, ends


def test_a_volume_that_followed_links_would_escape(ws: Path) -> None:
    """The race is real: reading by path, as others do, gets at what is outside."""
    assert (ws / "folder twin" / "file").read_bytes() == OUTSIDE
    shutil.rmtree(ws / "folder")
    os.rename(ws / "folder twin", ws / "folder")
    from insitu.storage.local import local_volume

    assert local_volume().open(f"{ws}/folder/file").read(0, 99) == OUTSIDE
    with pytest.raises(ForbiddenPathError):
        BeneathVolume(str(ws)).open("/folder/file")
    with pytest.raises(OutsideRootsError):
        Site.of(BeneathVolume(str(ws)), "/folder/file")
