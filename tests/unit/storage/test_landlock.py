"""The second wall: what a process can still open once it is walled in. Skipped where the kernel has none."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Landlock is of Linux", allow_module_level=True)

import insitu
from insitu.errors import UnsupportedError
from insitu.storage import landlock
from tests.system.programs import run

walled = pytest.mark.skipif(not landlock.available().version, reason="this kernel has no Landlock")

PROGRAM = """
import json, os, sys, threading
import insitu
from insitu.storage import landlock
from insitu.workspace.roots import Roots, RootSpec
rw, ro, outside = sys.argv[1:4]
roots = Roots([RootSpec(rw), RootSpec(ro, writable=False)])
kept = open(outside + "/kept")
wall = landlock.enter([rw], [ro])
assert wall.active and wall.version == landlock.available().version, wall

def tried(call, *arguments):
    try:
        call(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]

import errno
told = {
    "read outside": tried(open, outside + "/file"),
    "list outside": tried(os.listdir, outside),
    "write outside": tried(open, outside + "/file", "r+"),
    "create outside": tried(open, outside + "/new", "x"),
    "truncate outside": tried(os.truncate, outside + "/file", 0),
    "link in": tried(os.link, outside + "/file", rw + "/link"),
    "move out": tried(os.rename, rw + "/spare", outside + "/spare"),
    "through a link": tried(open, rw + "/way"),
    "read passwords": tried(open, "/etc/shadow"),
    "read only: read": tried(open, ro + "/file"),
    "read only: write": tried(open, ro + "/file", "r+"),
    "read only: remove": tried(os.remove, ro + "/file"),
    "an open file": tried(kept.read),
    "pipes and devices": tried(os.mkfifo, rw + "/pipe"),
}
thread = threading.Thread(target=lambda: told.update({"in a thread": tried(os.listdir, outside)}))
thread.start(); thread.join()
with insitu.open(rw + "/file") as doc:
    doc.insert(0, b"zero\\n")
    doc.lines[1] = "ONE"
insitu.replace(rw + "/file", b"t", b"T")
insitu.append(rw + "/file", b"x", policy=insitu.Policy(visibility="atomic"))
insitu.undo(rw + "/file")
insitu.append(roots.place(rw + "/spare").site(), b"through a root")
assert insitu.read(roots.place("ro:file").site()) == b"one\\ntwo\\n"
assert insitu.doctor(rw + "/file")["landlock"]["version"] == wall.version
import charset_normalizer, re2, zoneinfo, sqlglot
from insitu.storage.local import local_volume
told["the boot has its name"] = local_volume().boot_id() == sys.argv[4]
print(json.dumps(told))
"""
EXPECTED = {
    "read outside": "EACCES",
    "list outside": "EACCES",
    "write outside": "EACCES",
    "create outside": "EACCES",
    "truncate outside": "EACCES",
    "link in": "EACCES",
    "move out": "EACCES",
    "through a link": "EACCES",
    "read passwords": "EACCES",
    "read only: read": "done",
    "read only: write": "EACCES",
    "read only: remove": "EACCES",
    "an open file": "done",
    "pipes and devices": "EACCES",
    "in a thread": "EACCES",
}


@walled
@pytest.mark.slow
def test_a_walled_process_edits_its_roots_and_nothing_else(tmp_path: Path) -> None:
    import json

    from insitu.storage.local import local_volume

    for name in ("rw", "ro", "outside"):
        (tmp_path / name).mkdir()
        for file in ("file", "spare", "kept"):
            (tmp_path / name / file).write_bytes(b"one\ntwo\n")
    (tmp_path / "rw" / "way").symlink_to(tmp_path / "outside" / "file")
    folders = (tmp_path / name for name in ("rw", "ro", "outside"))
    told = json.loads(run(PROGRAM, *folders, local_volume().boot_id()))
    assert told["the boot has its name"]
    # A link or move across the wall fails as if between file systems where the rights on one side are enough.
    assert {key: value for key, value in told.items() if key in EXPECTED} == {
        **EXPECTED,
        **{key: told[key] for key in ("link in", "move out") if told[key] == "EXDEV"},
    }
    assert (tmp_path / "rw" / "file").read_bytes() == b"zero\nONE\nTwo\n"
    assert (tmp_path / "rw" / "spare").read_bytes() == b"one\ntwo\nthrough a root"
    for name in ("ro", "outside"):
        assert (tmp_path / name / "file").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSYS, "does not have it"), (errno.EOPNOTSUPP, "switched off"), (errno.EPERM, "denies it")],
)
def test_a_kernel_without_it_says_why_and_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def denied(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(landlock, "_call", denied)
    for wall in (landlock.available(), landlock.enter([str(tmp_path)])):
        assert (wall.version, wall.active) == (0, False) and words in wall.reason
    assert insitu.doctor(tmp_path)["landlock"] == {"version": 0, "active": False, "reason": wall.reason}


@walled
def test_a_folder_that_is_not_there_stops_it_before_anything_is_walled(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError):
        landlock.enter([str(tmp_path / "none")])
    assert os.listdir(tmp_path.parent)  # still free
