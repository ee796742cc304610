"""What a file has beside its bytes is kept by edits in place and by rewrites alike."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import InsituError, MissingFileError, NoPlanError, UnsupportedError
from insitu.storage.linux import LinuxFile
from tests.system.disks import SIZES, bound, mounted, overlaid, temporary

NOBODY = 65534
MARK = "user.insitu.pending"
POLICIES = {
    "overwrite": Policy(planner="overwrite"),
    "shift": Policy(planner="shift"),
    "blocks": Policy(planner="blocks"),
    "rewrite": Policy(visibility="atomic"),
    "rewrite without history": Policy(visibility="atomic", history=0),
}
EVERY_WAY = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
SPACE_BYTES = 400 << 20  # what the largest plan for a sparse file sets aside
BEFORE = b"0123456789abcdef" * 5_000


@pytest.fixture(scope="module", params=["the folder of tests", "tmpfs", "overlay", *SIZES])
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("disks")
    if request.param == "the folder of tests":
        yield folder
    elif request.param == "tmpfs":
        with temporary(folder) as root:
            yield root
    elif request.param == "overlay":
        # Over a disk of its own: the folder of tests may lie on an overlay, which cannot hold another.
        with mounted("ext4", folder, SPACE_BYTES) as below, overlaid(below) as root:
            yield root
    else:
        with mounted(request.param, folder, SPACE_BYTES) as root:
            yield root


@pytest.fixture
def folder(disk: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=disk))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def path(folder: Path) -> Path:
    path = folder / "file"
    path.write_bytes(BEFORE)
    return path


NEW = b"new!" * 4_096  # whole blocks, as the planner of blocks needs


def edit(path: Path, policy: Policy) -> None:
    before = path.read_bytes()
    try:
        insitu.insert(path, 100, NEW, policy=policy)
    except NoPlanError:
        if policy.planner != "blocks":
            raise
        pytest.skip("this file system cannot insert ranges")
    assert path.read_bytes() == before[:100] + NEW + before[100:]


@EVERY_WAY
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o4755, 0o2750, 0o666])
def test_the_mode_is_kept(path: Path, policy: Policy, mode: int) -> None:
    path.chmod(mode)
    edit(path, policy)
    # The kernel takes set-user-id bits away from whoever writes without the rights of root.
    assert path.stat().st_mode & 0o7777 == mode if os.geteuid() == 0 else mode & 0o777


@pytest.mark.root
@EVERY_WAY
def test_the_owner_is_kept(path: Path, policy: Policy) -> None:
    os.chown(path, NOBODY, 12_345)
    path.chmod(0o4711)
    edit(path, policy)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (NOBODY, 12_345, 0o4711)
    state = path.parent / ".insitu"
    if policy.history:
        assert state.stat().st_uid == NOBODY  # whose file it is may recover it
    else:
        assert not state.exists()


@EVERY_WAY
def test_access_lists_are_kept(path: Path, policy: Policy) -> None:
    if shutil.which("setfacl") is None:
        pytest.skip("setfacl is not installed")
    done = subprocess.run(["setfacl", "-m", "u:65534:rw-,m::rw-", path], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no access lists here: {done.stderr.decode().strip()}")
    before = os.getxattr(path, "system.posix_acl_access")
    edit(path, policy)
    assert os.getxattr(path, "system.posix_acl_access") == before


@EVERY_WAY
def test_attributes_of_users_are_kept_and_the_mark_is_gone(path: Path, policy: Policy) -> None:
    try:
        os.setxattr(path, "user.origin", b"https://example.org\0\xff")
    except OSError as error:
        pytest.skip(f"no attributes here: {error.strerror}")
    edit(path, policy)
    assert os.getxattr(path, "user.origin") == b"https://example.org\0\xff"
    assert MARK not in os.listxattr(path)


@pytest.mark.root
@EVERY_WAY
def test_capabilities_are_kept_or_taken_by_the_kernel(path: Path, policy: Policy) -> None:
    """Whoever writes into a file takes its capabilities away: capabilities(7). A rewrite copies them."""
    if shutil.which("setcap") is None:
        pytest.skip("setcap is not installed")
    done = subprocess.run(["setcap", "cap_net_raw+ep", path], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no capabilities here: {done.stderr.decode().strip()}")
    before = os.getxattr(path, "security.capability")
    edit(path, policy)
    in_place = policy.visibility == "committed" and policy.planner != "rewrite"
    if in_place:
        assert "security.capability" not in os.listxattr(path)
    else:
        assert os.getxattr(path, "security.capability") == before


@pytest.mark.root
@EVERY_WAY
@pytest.mark.parametrize("flag", ["i", "a"])
def test_an_immutable_file_is_refused_and_left_alone(path: Path, policy: Policy, flag: str) -> None:
    done = subprocess.run(["chattr", f"+{flag}", path], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no such flags here: {done.stderr.decode().strip()}")
    try:
        with pytest.raises(InsituError) as caught:
            edit(path, policy)
        assert caught.value.exit_code in (2, 5)
        assert getattr(caught.value, "file_state", "old") == "old"
        assert path.read_bytes() == BEFORE
        assert [name for name in os.listdir(path.parent) if name != ".insitu"] == ["file"]
    finally:
        subprocess.run(["chattr", f"-{flag}", path], check=True)
    edit(path, policy)


@pytest.mark.root
@EVERY_WAY
def test_a_bind_mount_is_edited_in_place_or_refused(path: Path, policy: Policy) -> None:
    over = path.with_name("over")
    over.touch()
    with bound(path, over):
        if policy.visibility == "atomic" or policy.planner == "rewrite":
            with pytest.raises((NoPlanError, UnsupportedError)) as caught:
                edit(over, policy)
            assert getattr(caught.value, "file_state", "old") == "old"
            assert path.read_bytes() == BEFORE
        else:
            edit(over, policy)
            assert path.read_bytes() == over.read_bytes() != BEFORE


@EVERY_WAY
def test_the_inode_and_its_birth_stay_with_edits_in_place(path: Path, policy: Policy) -> None:
    before = path.stat()
    edit(path, policy)
    assert (path.stat().st_ino == before.st_ino) == (policy.visibility == "committed")


@EVERY_WAY
def test_the_time_of_modification_moves(path: Path, policy: Policy) -> None:
    os.utime(path, (1, 1))
    edit(path, policy)
    assert path.stat().st_mtime > 1_000_000_000


def test_an_edit_that_changes_nothing_leaves_the_time(path: Path) -> None:
    os.utime(path, (1, 1))
    insitu.replace(path, b"no such text", b"x")
    with insitu.open(path):
        pass
    assert path.stat().st_mtime == 1
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("planner", ["overwrite", "shift"])
def test_every_hard_link_sees_the_edit(path: Path, planner: str) -> None:
    other = path.with_name("other")
    os.link(path, other)
    edit(path, Policy(planner=planner))
    assert other.read_bytes() == path.read_bytes()
    assert path.samefile(other)


def test_a_rewrite_of_a_file_with_two_links_is_refused(path: Path) -> None:
    os.link(path, path.with_name("other"))
    with pytest.raises(NoPlanError, match="2 hard links"):
        edit(path, Policy(visibility="atomic"))
    assert path.read_bytes() == BEFORE
    assert sorted(os.listdir(path.parent)) == ["file", "other"]
    edit(path, Policy())


@pytest.mark.parametrize("links", [1, 2])
def test_a_file_with_two_links_is_marked_while_it_is_overwritten(
    path: Path, links: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J10: the other name has no journal beside it, so the inode itself has to tell."""
    other = path.parent / "elsewhere" / "other"
    other.parent.mkdir()
    if links == 2:
        os.link(path, other)
    seen = []
    really_write = LinuxFile.write

    def write(self: LinuxFile, offset: int, data: bytes) -> None:
        if self.path == str(path):
            seen.append(self.mark())
        really_write(self, offset, data)

    monkeypatch.setattr(LinuxFile, "write", write)
    insitu.write(path, 10, 12, b"xx", policy=Policy(planner="overwrite"))
    assert seen
    assert all((mark is not None) == (links == 2) for mark in seen)
    assert MARK not in os.listxattr(path)


def test_symbolic_links_are_followed_and_stay(path: Path) -> None:
    folder = path.parent / "links"
    folder.mkdir()
    first, second = folder / "first", folder / "second"
    first.symlink_to("../file")
    second.symlink_to("first")
    for policy in POLICIES.values():
        if policy.planner != "blocks":
            edit(second, policy)
    assert second.is_symlink()
    assert first.is_symlink()
    assert os.readlink(second) == "first"
    assert not (folder / ".insitu").exists()  # the state is beside the file, not beside the link
    insitu.insert(path, 0, b"x")
    assert [one.number for one in insitu.history(second)] == [1]


def test_a_link_that_leads_nowhere_is_a_clear_error(folder: Path) -> None:
    (folder / "dangling").symlink_to("gone")
    for use in (insitu.open, insitu.read, lambda path: insitu.append(path, b"x")):
        with pytest.raises(MissingFileError, match="no such file"):
            use(folder / "dangling")
    assert sorted(os.listdir(folder)) == ["dangling"]


# Holes are looked for a window at a time: the few windows that hold data are stored whole.
WINDOWS = 8 << 20


def sparse(path: Path, size: int) -> int:
    """Makes a file with data at its beginning, middle and end; returns how much of it is stored."""
    with open(path, "wb") as file:
        for at in (0, size // 2, size - 8192):
            file.seek(at)
            file.write(b"d" * 8192)
    stored = path.stat().st_blocks * 512
    if stored >= size // 2:
        pytest.skip("this file system stores holes")
    return stored


@EVERY_WAY
def test_a_sparse_file_stays_sparse(folder: Path, policy: Policy) -> None:
    if policy.planner == "blocks":
        pytest.skip("ranges are inserted into dense files only")
    path = folder / "sparse"
    size = 64 << 20
    stored = sparse(path, size)
    before = path.read_bytes()
    if policy.planner == "overwrite":
        insitu.write(path, size // 4, size // 4 + 5, b"hello", policy=policy)
        insitu.write(path, 3, 8, b"hello", policy=policy)
    else:
        insitu.insert(path, 4_097, b"near the front", policy=policy)
    assert path.stat().st_blocks * 512 <= stored + WINDOWS
    with open(path, "rb") as file:
        data = file.read()
    assert data.count(b"d") >= 3 * 8192 - 5
    assert data.count(0) == size - 3 * 8192 - (5 if policy.planner == "overwrite" else 0)
    for _ in insitu.history(path):
        insitu.undo(path, policy=Policy(planner=policy.planner))
        assert path.stat().st_blocks * 512 <= stored + WINDOWS
    if policy.history:
        assert path.stat().st_size == size
        assert path.read_bytes() == before
