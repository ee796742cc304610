"""The lock is on the target's inode: links share it, a swap is noticed, and waiting ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from insitu.engine.lock import PATIENCE_S, holder_of, locked
from insitu.engine.site import Site
from insitu.errors import CancelledError, LockedError, MissingFileError, UnsupportedError
from insitu.storage.linux import LinuxVolume
from insitu.storage.memory import ABLE, MemoryVolume


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "file").write_bytes(b"data")
    return Site.of(LinuxVolume(), str(tmp_path / "file"))


def test_one_at_a_time_holds_it(site: Site) -> None:
    with locked(site, timeout_s=0) as (target, waited_s):
        assert target.read(0, 4) == b"data" and 0 <= waited_s < 1
        with pytest.raises(LockedError), locked(site, timeout_s=0):
            pass
    with locked(site, timeout_s=0):
        pass


def test_an_exception_gives_it_back(site: Site) -> None:
    with pytest.raises(ZeroDivisionError), locked(site, timeout_s=0):
        raise ZeroDivisionError
    with locked(site, timeout_s=0):
        pass


def test_links_are_the_same_file(site: Site, tmp_path: Path) -> None:
    os.link(site.path, tmp_path / "hard")
    (tmp_path / "soft").symlink_to(site.path)
    with locked(site, timeout_s=0):
        for name in ("hard", "soft"):
            other = Site.of(LinuxVolume(), str(tmp_path / name))
            with pytest.raises(LockedError), locked(other, timeout_s=0):
                pass


def test_who_waits_in_vain_is_told_who_holds_it(site: Site) -> None:
    program = (
        "import sys; from insitu.engine.lock import locked; from insitu.engine.site import Site\n"
        "from insitu.storage.linux import LinuxVolume\n"
        "with locked(Site.of(LinuxVolume(), sys.argv[1]), timeout_s=0):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, site.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        with pytest.raises(LockedError) as caught, locked(site, timeout_s=0.2):
            pass
        assert 0.2 <= time.monotonic() - began < 5
        assert caught.value.facts["pid"] == holder.pid and str(holder.pid) in str(caught.value)
        assert caught.value.facts["waited_s"] >= 0.2 and caught.value.retryable
        # A dead holder holds nothing.
        holder.kill()
        holder.wait()
    with locked(site, timeout_s=1):
        pass


def test_it_is_taken_as_soon_as_it_is_free(site: Site) -> None:
    with locked(site, timeout_s=0) as (target, _):
        timer = threading.Timer(0.1, target.close)
        timer.start()
        with locked(site, timeout_s=10) as (_, waited_s):
            assert 0.05 < waited_s < 5


def test_a_free_lock_is_left_to_those_who_wait(site: Site) -> None:
    """Else whoever gives it back takes it again, and they wait for ever."""
    waiting = site.volume.queue(site.path)
    waiting.join()
    timer = threading.Timer(0.05, waiting.close)
    timer.start()
    with locked(site, timeout_s=30) as (_, waited_s):
        assert 0.04 < waited_s < 5
    timer.join()


def test_who_is_first_and_does_nothing_stops_nobody_for_long(site: Site) -> None:
    with closing(site.volume.queue(site.path)) as stopped:
        stopped.join()
        with locked(site, timeout_s=30) as (_, waited_s):
            assert PATIENCE_S < waited_s < 5
        with locked(site, timeout_s=0):  # who does not wait does not queue
            pass


def test_each_file_of_a_folder_has_a_queue_of_its_own(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    other = Site.of(LinuxVolume(), str(tmp_path / "other"))
    with closing(site.volume.queue(site.path)) as waiting:
        waiting.join()
        with locked(other, timeout_s=30) as (_, waited_s):
            assert waited_s < PATIENCE_S


def test_waiting_is_cancelled(site: Site) -> None:
    with (
        locked(site, timeout_s=0),
        pytest.raises(CancelledError),
        locked(site, timeout_s=60, cancel=lambda: True),
    ):
        pass


def test_after_a_swap_the_new_file_is_locked(site: Site, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new data")
    with locked(site, timeout_s=0) as (old, _):

        def swap() -> None:
            os.replace(tmp_path / "new", site.path)
            old.close()

        timer = threading.Timer(0.05, swap)
        timer.start()
        with locked(site, timeout_s=10) as (target, _):
            assert target.read(0, 8) == b"new data"
            assert target.stat().inode == os.stat(site.path).st_ino
        timer.join()


def test_a_file_that_is_gone_cannot_be_locked(site: Site) -> None:
    os.unlink(site.path)
    with pytest.raises(MissingFileError), locked(site, timeout_s=0):
        pass


def test_where_locks_do_not_work_only_a_caller_who_says_so_goes_on() -> None:
    volume = MemoryVolume(replace(ABLE, locks=False))
    volume.open("/file", write=True, create=True).close()
    site = Site.of(volume, "/file")
    with pytest.raises(UnsupportedError), locked(site, timeout_s=0):
        pass
    with locked(site, timeout_s=0, unlocked=True) as (target, _):
        assert target.size() == 0


def test_nobody_holds_a_free_file(site: Site) -> None:
    file = site.open()
    assert holder_of(file) == {}
    file.close()
