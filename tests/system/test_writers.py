"""Many writers of one file: every edit is made exactly once, or refused in so many words."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.engine.lock import locked
from insitu.engine.site import Site
from insitu.errors import LockedError, StaleError
from insitu.storage.local import local_volume
from tests.system.programs import ended, start

PROCESSES, EDITS = 20, 20
ALL = {f"{process:02d}:{edit:02d}" for process in range(PROCESSES) for edit in range(EDITS)}

# Each edit leaves its own token in the file; the verb goes by turns. Slots for `write` and tokens for
# `replace` lie in the file from the start, so that both have a place of their own.
VERBS = """
import sys, insitu
from insitu.errors import StaleError
path, process, edits, atomic = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
policy = insitu.Policy(visibility="atomic") if atomic else None
options = {"policy": policy, "lock_timeout_s": 200}
for edit in range(edits):
    token = b"<%02d:%02d>" % (process, edit)
    match edit % 4:
        case 0: insitu.append(path, token, **options)
        case 1: insitu.insert(path, 0, token, **options)
        case 2: insitu.replace(path, b"[%02d:%02d]" % (process, edit), token, expect=1, **options)
        case 3:
            with insitu.editing(path, **options) as one:
                at = one.document.find(b"(%02d:%02d)" % (process, edit))
                one.document[at : at + 7] = token
"""


def prepared(path: Path) -> None:
    parts = []
    for token in sorted(ALL):
        edit = int(token[3:])
        if edit % 4 == 2:
            parts.append(f"[{token}]")
        elif edit % 4 == 3:
            parts.append(f"({token})")
        parts.append("." * 20)
    path.write_text("".join(parts), "ascii")


def tokens(path: Path) -> list[str]:
    return re.findall(r"<(\d\d:\d\d)>", path.read_text("ascii"))


def check_every_edit_is_there_in_order(path: Path, fill: str) -> None:
    found = tokens(path)
    assert len(found) == len(ALL)
    assert set(found) == ALL
    left = re.sub(r"<\d\d:\d\d>", "", path.read_text("ascii"))
    assert left == fill * 20 * len(ALL)  # nothing else was touched, no slot is left
    for process in range(PROCESSES):
        mine = [token for token in found if token.startswith(f"{process:02d}:")]
        appended = [token for token in mine if int(token[3:]) % 4 == 0]
        inserted = [token for token in mine if int(token[3:]) % 4 == 1]
        assert appended == sorted(appended)
        assert inserted == sorted(inserted, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("swapping", [False, True], ids=["in place", "with inodes swapped under the lock"])
def test_twenty_processes_lose_no_edit_through_verbs(tmp_path: Path, swapping: bool) -> None:
    path = tmp_path / "shared"
    prepared(path)
    inode = path.stat().st_ino
    ended([start(VERBS, path, process, EDITS, swapping and process % 2 == 0) for process in range(PROCESSES)])
    check_every_edit_is_there_in_order(path, ".")
    assert (path.stat().st_ino != inode) == swapping
    assert not (tmp_path / ".insitu" / "shared.d" / "journal").exists()


# A document takes no lock until it commits: what it cannot be moved past is refused, and tried again.
DOCUMENTS = """
import sys, insitu
from insitu.errors import StaleError
path, process, edits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
refused = rebased = 0
for edit in range(edits):
    token = b"<%02d:%02d>" % (process, edit)
    while True:
        doc = insitu.open(path, lock_timeout_s=200)
        try:
            match edit % 3:
                case 0: doc.append(token)
                case 1: doc.insert(0, token)
                case 2:
                    at = doc.find(b"{%02d}" % process)
                    doc.insert(at + 4, token)
            rebased += bool(doc.commit().rebased_over)
            break
        except StaleError:
            refused += 1
        finally:
            doc.close()
print(refused, rebased)
"""


@pytest.mark.slow
def test_twenty_processes_lose_no_edit_through_documents(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    marks = b"".join(b"{%02d}" % process + b"." * 5000 for process in range(PROCESSES))
    path.write_bytes(marks)
    printed = ended([start(DOCUMENTS, path, process, EDITS) for process in range(PROCESSES)])
    found = tokens(path)
    assert len(found) == len(ALL)
    assert set(found) == ALL
    assert re.sub(rb"<\d\d:\d\d>", b"", path.read_bytes()) == marks
    for process in range(PROCESSES):
        mine = [token for token in found if token.startswith(f"{process:02d}:")]
        assert [t for t in mine if int(t[3:]) % 3 == 0] == sorted(t for t in mine if int(t[3:]) % 3 == 0)
    refused, rebased = (sum(int(line.split()[i]) for line in printed) for i in (0, 1))
    assert rebased > 0  # else the processes never met, and the test showed nothing
    print(f"refused {refused}, rebased {rebased}")


@pytest.mark.parametrize("swapping", [False, True], ids=["in place", "swapping"])
def test_threads_lose_no_edit(tmp_path: Path, swapping: bool) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"-" * 10_000)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        policy = Policy(visibility="atomic" if swapping and thread % 2 else "committed")
        try:
            for edit in range(10):
                token = b"<%02d:%02d>" % (thread, edit)
                if edit % 2:
                    insitu.append(path, token, policy=policy, lock_timeout_s=60)
                else:
                    insitu.insert(path, 5_000, token, policy=policy, lock_timeout_s=60)
        except BaseException as error:  # a test of its own thread would not see it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(tokens(path)) == [f"{thread:02d}:{edit:02d}" for thread in range(6) for edit in range(10)]


def test_threads_with_a_document_each_are_rebased_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"-" * 40_000)
    failures: list[BaseException] = []
    refused = []

    def work(thread: int) -> None:
        try:
            for edit in range(10):
                while True:
                    doc = insitu.open(path, lock_timeout_s=60)
                    try:
                        doc.insert(1_000 + thread * 5_000, b"<%02d:%02d>" % (thread, edit))
                        doc.commit()
                        break
                    except StaleError as error:
                        refused.append(error)
                    finally:
                        doc.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(tokens(path)) == [f"{thread:02d}:{edit:02d}" for thread in range(6) for edit in range(10)]


def test_commits_of_disjoint_edits_are_moved_past_each_other(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"a" * 100 + b"b" * 100)
    with insitu.open(path) as mine, insitu.open(path) as theirs:
        mine[150:151] = b"mine"
        theirs.insert(10, b"theirs")
        first = theirs.commit()
        assert first is not None
        receipt = mine.commit()
        assert receipt is not None
        assert receipt.rebased_over == (first.operation,)
    assert path.read_bytes() == b"a" * 10 + b"theirs" + b"a" * 90 + b"b" * 50 + b"mine" + b"b" * 49


@pytest.mark.parametrize("visibility", ["committed", "atomic"])
def test_commits_of_the_same_bytes_are_refused_and_stay_pending(tmp_path: Path, visibility: str) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"a" * 200)
    policy = Policy(visibility=visibility)
    with insitu.open(path, policy=policy) as mine:
        mine[50:60] = b"mine"
        insitu.write(path, 55, 56, b"theirs", policy=policy)
        theirs = path.read_bytes()
        with pytest.raises(StaleError, match=r"Operation 1, .* also changed bytes 50:60"):
            mine.commit()
        assert path.read_bytes() == theirs
        assert mine.changed
        mine.discard()


def test_a_rewrite_in_between_is_moved_past(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(b"a" * 200)
    with insitu.open(path) as mine:
        mine[150:151] = b"mine"
        inode = path.stat().st_ino
        insitu.insert(path, 0, b"theirs", policy=Policy(visibility="atomic"))
        assert path.stat().st_ino != inode
        mine.commit()
    assert path.read_bytes() == b"theirs" + b"a" * 150 + b"mine" + b"a" * 49


HOLDER = """
import sys, insitu
from insitu.errors import StaleError
with insitu.open(sys.argv[1], locked=True) as doc:
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_waits_in_vain_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"text")
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        with pytest.raises(LockedError, match=f"process {holder.pid}") as caught:
            insitu.append(path, b"x", lock_timeout_s=0.2)
        assert caught.value.facts["pid"] == holder.pid
        assert path.read_bytes() == b"text"
        with insitu.open(path, lock_timeout_s=0) as doc:  # opening and reading need no lock
            assert doc[:] == b"text"
            doc.append(b"x")
            with pytest.raises(LockedError):
                doc.commit()
            assert doc.changed
            doc.discard()
    finally:
        ended([holder])
    insitu.append(path, b"x", lock_timeout_s=0)
    assert path.read_bytes() == b"textx"


def test_a_holder_that_dies_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"text")
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    insitu.append(path, b"x", lock_timeout_s=0)
    assert path.read_bytes() == b"textx"


def test_hard_links_and_symbolic_links_share_one_lock(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"text")
    os.link(path, tmp_path / "linked")
    (tmp_path / "pointer").symlink_to(path)
    with insitu.open(path, locked=True):
        for name in ("linked", "pointer"):
            with pytest.raises(LockedError):
                insitu.append(tmp_path / name, b"x", lock_timeout_s=0)


@pytest.mark.parametrize("times", [1, 2])
def test_a_commit_that_is_made_waits_for_nobody(tmp_path: Path, times: int) -> None:
    """A rewrite gives the file another inode; whoever waits for the lock does not get in between."""
    path = tmp_path / "shared"
    path.write_bytes(b"-")
    site = Site.of(local_volume(), str(path))
    let_go = threading.Event()

    def hold() -> None:
        with locked(site, timeout_s=60):
            let_go.wait(60)

    with insitu.open(path, policy=Policy(visibility="atomic"), lock_timeout_s=0.1, locked=True) as doc:
        holder = threading.Thread(target=hold)
        holder.start()
        with closing(site.volume.queue(site.path)) as queue:
            while queue.first():
                time.sleep(0.001)
        try:
            for _ in range(times):
                doc.append(b"+")
                receipt = doc.commit()
                assert receipt is not None
                assert receipt.plan.startswith("rewrite")
                assert doc[:] == path.read_bytes()
            with pytest.raises(LockedError):
                insitu.append(path, b"x", lock_timeout_s=0)
        finally:
            let_go.set()
    holder.join()
    assert path.read_bytes() == b"-" + b"+" * times
