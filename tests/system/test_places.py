"""Paths that are hard to edit: odd names, special files, missing rights, mounts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import AccessError, FileKindError, InsituError, NoPlanError
from tests.system.disks import SIZES, bound, mounted

NOBODY = 65534
VERBS = {
    "open": lambda path: insitu.open(path).close(),
    "read": lambda path: insitu.read(path, 0, 1),
    "append": lambda path: insitu.append(path, b"x"),
    "replace": lambda path: insitu.replace(path, b"a", b"b"),
    "undo": insitu.undo,
}
EVERY_VERB = pytest.mark.parametrize("verb", VERBS)


@contextmanager
def as_nobody() -> Iterator[None]:
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach and write to, as temporary folders of tests are not."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="insitu-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@EVERY_VERB
def test_folders_devices_pipes_and_sockets_are_refused_by_kind(tmp_path: Path, verb: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, kind in (
            (tmp_path, "folder"),
            ("/dev/null", "character device"),
            (tmp_path / "pipe", "pipe"),
            (tmp_path / "socket", "socket"),
        ):
            with pytest.raises(FileKindError, match=kind):
                VERBS[verb](path)
    assert sorted(os.listdir(tmp_path)) == ["pipe", "socket"]


@EVERY_VERB
def test_pseudo_files_are_refused(verb: str) -> None:
    with pytest.raises(FileKindError, match="pseudo file of proc"):
        VERBS[verb]("/proc/self/comm")


@pytest.mark.root
def test_a_file_that_may_only_be_read_is_read_and_not_edited(open_folder: Path) -> None:
    path = open_folder / "file"
    path.write_bytes(b"text")
    path.chmod(0o644)
    with as_nobody():
        assert insitu.read(path) == b"text"
        for verb in ("open", "append", "replace"):
            with pytest.raises(AccessError, match="permission is denied"):
                VERBS[verb](path)
    path.chmod(0o600)
    with as_nobody(), pytest.raises(AccessError):
        insitu.read(path)
    assert os.listdir(open_folder) == ["file"]


def run_as_nobody(function: Callable[..., None], *arguments: object, **environment: str) -> None:
    """Calls a function in a forked process that has no rights; everything it imports is imported already."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ.update(environment)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            function(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def edited_and_undone(path: Path, policy: Policy) -> None:
    before = insitu.read(path)
    insitu.append(path, b"more", policy=policy)
    insitu.insert(path, 0, b"more", policy=policy)
    assert insitu.read(path) == b"more" + before + b"more"
    if policy.history:
        insitu.undo(path, policy=policy)
        insitu.undo(path, policy=policy)
        assert insitu.read(path) == before


def refused_for_want_of_rights(path: Path, policy: Policy) -> None:
    before = insitu.read(path)
    with pytest.raises(InsituError) as caught:
        insitu.append(path, b"more", policy=policy)
    assert caught.value.exit_code == 2
    assert insitu.read(path) == before


@pytest.fixture
def folder_of_root(open_folder: Path) -> Path:
    """A folder that nobody cannot write to, with a file of theirs; a home and a state folder beside it."""
    import platformdirs  # noqa: F401  (nobody may not be able to import it)

    for name in ("folder", "home", "state"):
        (open_folder / name).mkdir()
    path = open_folder / "folder" / "file"
    path.write_bytes(b"text" * 2_000)
    for mine in (path, open_folder / "home", open_folder / "state"):
        os.chown(mine, NOBODY, NOBODY)
    practice = open_folder / "practice"
    practice.write_bytes(b"text")
    edited_and_undone(practice, Policy())
    return open_folder / "folder"


@pytest.mark.root
@pytest.mark.parametrize("history", [100, 0])
@pytest.mark.parametrize("named", [False, True], ids=["the user's", "as the policy says"])
def test_in_a_folder_that_cannot_be_written_to_the_state_lives_elsewhere(
    folder_of_root: Path, history: int, named: bool
) -> None:
    home, state = folder_of_root.parent / "home", folder_of_root.parent / "state"
    path = folder_of_root / "file"
    policy = Policy(history=history, state_folder=str(state) if named else None)
    run_as_nobody(edited_and_undone, path, policy, HOME=str(home), XDG_STATE_HOME=str(home / "states"))
    assert os.listdir(folder_of_root) == ["file"]
    assert bool(os.listdir(state)) == (named and history > 0)
    assert "user.insitu.pending" not in os.listxattr(path)


@pytest.mark.root
def test_in_a_folder_that_cannot_be_written_to_no_new_file_can_be_swapped_in(folder_of_root: Path) -> None:
    state = folder_of_root.parent / "state"
    policy = Policy(visibility="atomic", state_folder=str(state))
    run_as_nobody(refused_for_want_of_rights, folder_of_root / "file", policy)
    assert os.listdir(folder_of_root) == ["file"]
    assert os.listdir(state) == []


@pytest.mark.root
@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_an_immutable_file_is_refused(tmp_path: Path, flag: str) -> None:
    if shutil.which("chattr") is None:
        pytest.skip("chattr is not installed")
    path = tmp_path / "file"
    path.write_bytes(b"text")
    if subprocess.run(["chattr", flag, path], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no such flags")
    try:
        with pytest.raises(AccessError, match="immutable"):
            insitu.append(path, b"x")
        assert insitu.read(path) == b"text"
    finally:
        subprocess.run(["chattr", "-ia", path], check=True)
    assert os.listdir(tmp_path) == ["file"]


NAMES = [
    "n" * 255,
    "n" * 253,  # fits with the suffix
    "n" * 254,
    "with\nnewline",
    " ",
    "-rf",
    ".gitignore",
    "journal",
    b"latin-\xe9\xff",
    "\u5b57" * 85,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]) + str(len(name)))
@pytest.mark.parametrize("visibility", ["committed", "atomic"])
def test_files_of_any_name_are_edited_undone_and_leave_the_folder_tidy(
    tmp_path: Path, name: str | bytes, visibility: str
) -> None:
    policy = Policy(visibility=visibility)
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    for given in (os.fsdecode(path), Path(os.fsdecode(path))):
        with open(path, "wb") as file:
            file.write(b"text")
        insitu.append(given, b" and more", policy=policy)
        assert insitu.read(given) == b"text and more"
        insitu.undo(given, policy=policy)
        assert [one.kind for one in insitu.history(given)][-2:] == ["edit", "undo"]
        assert insitu.read(given) == b"text"
        insitu.append(given, b"!", policy=Policy(history=0, visibility=visibility))
        assert os.listdir(os.fsencode(tmp_path)) == [os.fsencode(name)]


@pytest.mark.parametrize("use", [insitu.read, lambda path: insitu.append(path, b"x")])
def test_a_file_called_as_the_state_folder_is_edited_or_refused_in_plain_words(tmp_path: Path, use) -> None:
    path = tmp_path / ".insitu"
    path.write_bytes(b"text")
    try:
        use(path)
    except InsituError as error:
        assert error.exit_code == 2
        assert path.read_bytes() == b"text"
    assert os.listdir(tmp_path) == [".insitu"]


def test_two_long_names_do_not_share_their_state(tmp_path: Path) -> None:
    first, second = tmp_path / ("n" * 254 + "1"), tmp_path / ("n" * 254 + "2")
    for path in (first, second):
        path.write_bytes(b"text")
    insitu.append(first, b"x")
    assert insitu.history(second) == []
    insitu.append(second, b"y")
    insitu.undo(first)
    assert (first.read_bytes(), second.read_bytes()) == (b"text", b"texty")


@pytest.mark.root
@pytest.mark.parametrize("kind", SIZES)
def test_a_file_in_the_root_of_a_file_system(tmp_path: Path, kind: str) -> None:
    with mounted(kind, tmp_path) as root:
        path = root / "file"
        before = os.listdir(root)
        path.write_bytes(b"text" * 10_000)
        for policy in (Policy(), Policy(visibility="atomic"), Policy(planner="shift")):
            insitu.insert(path, 5_000, b"more", policy=policy)
            insitu.undo(path)
            assert path.read_bytes() == b"text" * 10_000
        insitu.append(path, b"!", policy=Policy(history=0))
        assert sorted(os.listdir(root)) == sorted([*before, "file"])


@pytest.mark.root
@pytest.mark.parametrize("where", ["same file system", "another file system"])
def test_a_file_mounted_over_a_file_is_edited_in_place_and_not_swapped(tmp_path: Path, where: str) -> None:
    outside = Path("/dev/shm") if where == "another file system" else tmp_path
    inner = outside / f"insitu-test-{os.getpid()}"
    inner.write_bytes(b"text" * 20_000)
    (tmp_path / "container").mkdir()
    path = tmp_path / "container" / "file"
    path.touch()
    try:
        with bound(inner, path):
            with pytest.raises(NoPlanError, match="mount point"):
                insitu.append(path, b"x", policy=Policy(visibility="atomic"))
            assert insitu.read(path) == b"text" * 20_000
            for planner in (None, "overwrite", "shift"):
                insitu.insert(path, 4_000, b"more" * 10, policy=Policy(planner=planner))
                assert inner.read_bytes() == b"text" * 1_000 + b"more" * 10 + b"text" * 19_000
                insitu.undo(path, policy=Policy(planner=planner))
                assert inner.read_bytes() == b"text" * 20_000
            insitu.append(path, b"!", policy=Policy(history=0))
        assert path.read_bytes() == b""
        assert os.listdir(path.parent) == ["file"]
        assert inner.read_bytes() == b"text" * 20_000 + b"!"
    finally:
        inner.unlink()


@pytest.mark.root
def test_a_file_of_tmpfs_mounted_into_a_disk_is_edited_by_what_its_own_file_system_can(
    tmp_path: Path,
) -> None:
    """The folder around the file is on a file system that inserts block ranges; the file is not."""
    inner = Path("/dev/shm") / f"insitu-test-{os.getpid()}"
    inner.write_bytes(b"0123456789abcdef" * 100_000)
    path = tmp_path / "file"
    path.touch()
    try:
        with bound(inner, path):
            insitu.insert(path, 4096, b"+" * 4096 * 3)
            assert inner.read_bytes() == b"0123456789abcdef" * 256 + b"+" * 4096 * 3 + (
                b"0123456789abcdef" * (100_000 - 256)
            )
    finally:
        inner.unlink()
