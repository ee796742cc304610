"""What a volume beneath a folder refuses, and what it still follows."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("proved on Linux", allow_module_level=True)

import insitu
from insitu.engine.site import Site
from insitu.errors import (
    AccessError,
    FileKindError,
    ForbiddenPathError,
    InsituError,
    MissingFileError,
    OutsideRootsError,
    RequestError,
    UnsupportedError,
)
from insitu.storage import linux_calls
from insitu.storage.base import Entry
from insitu.storage.beneath import BeneathVolume

SECRET = b"the secret outside"


@pytest.fixture(params=["by the kernel", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to stay beneath the root."""
    if request.param == "step by step":
        deny(monkeypatch, errno.ENOSYS)
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    root = tmp_path / "ws"
    (root / "logs" / "old").mkdir(parents=True)
    (root / "logs" / "app.log").write_bytes(b"one\ntwo\n")
    return root


@pytest.fixture
def volume(root: Path, way: str) -> Iterator[BeneathVolume]:
    volume = BeneathVolume(str(root))
    yield volume
    volume.close()


def deny(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Makes openat2 answer an error, as old kernels (ENOSYS) and containers (EPERM) do; counts the calls."""
    calls: list[int] = []

    def denied(*arguments: object) -> int:
        calls.append(number)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(linux_calls, "open_beneath", denied)
    return calls


def uses(volume: BeneathVolume, path: str) -> dict[str, Callable[[], object]]:
    """Every call that takes a path."""
    like = volume.stat("/logs/app.log")
    assert like is not None
    return {
        "resolve": lambda: volume.resolve(path),
        "open": lambda: volume.open(path).close(),
        "open for writing": lambda: volume.open(path, write=True).close(),
        "create": lambda: volume.open(path, create=True).close(),
        "stat": lambda: volume.stat(path),
        "names": lambda: volume.names(path),
        "entries": lambda: volume.entries(path),
        "rename from": lambda: volume.rename(path, "/moved"),
        "rename to": lambda: volume.rename("/logs/app.log", path),
        "remove": lambda: volume.remove(path),
        "make folder": lambda: volume.make_folder(path, like),
        "remove folder": lambda: volume.remove_folder(path),
        "sync folder": lambda: volume.sync_folder(path),
        "facts": lambda: volume.facts(path),
    }


CALLS = (
    *("resolve", "open", "open for writing", "create", "stat", "names", "entries", "rename from"),
    *("rename to", "remove", "make folder", "remove folder", "sync folder", "facts"),
)


def everything(folder: Path) -> dict[str, bytes | str]:
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


# Paths that lead out


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "path", ["/../outside/secret", "/logs/../../outside/secret", "/..", "/logs/old/../../..", "../outside"]
)
def test_no_call_takes_a_path_that_leads_out(
    volume: BeneathVolume, tmp_path: Path, path: str, call: str
) -> None:
    before = everything(tmp_path)
    with pytest.raises(OutsideRootsError) as caught:
        uses(volume, path)[call]()
    assert "secret" not in str(caught.value).replace(repr(path), "")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("absolute", [True, False])
def test_no_call_passes_a_folder_link_that_leads_out(
    volume: BeneathVolume, root: Path, tmp_path: Path, call: str, absolute: bool
) -> None:
    (root / "way").symlink_to(tmp_path / "outside" if absolute else "../outside")
    before = everything(tmp_path)
    with pytest.raises((OutsideRootsError, ForbiddenPathError)) as caught:
        uses(volume, "/way/secret")[call]()
    assert str(tmp_path) not in str(caught.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("call", CALLS)
def test_a_file_link_that_leads_out_is_at_most_moved_itself(
    volume: BeneathVolume, root: Path, tmp_path: Path, call: str
) -> None:
    (root / "way").symlink_to(tmp_path / "outside" / "secret")
    itself = ("rename from", "rename to", "remove")  # calls on the name, not on what it leads to
    try:
        uses(volume, "/way")[call]()
        assert call in itself
    except InsituError as error:
        assert call not in itself
        assert str(tmp_path) not in str(error)
    assert (tmp_path / "outside" / "secret").read_bytes() == SECRET
    assert len(list((tmp_path / "outside").iterdir())) == 1


def test_whether_there_is_anything_outside_is_not_told(volume: BeneathVolume, root: Path) -> None:
    (root / "there").symlink_to("../outside/secret")
    (root / "not there").symlink_to("../outside/none")
    told = set()
    for name in ("there", "not there"):
        with pytest.raises(OutsideRootsError) as caught:
            volume.resolve(f"/{name}")
        told.add(str(caught.value).replace(name, ""))
    assert len(told) == 1


# Links that stay inside


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("near", "logs/app.log"),
        ("logs/old/up", "../app.log"),
        ("logs/old/far", "../../logs/./old/../app.log"),
        ("twice", "near"),
        ("through", "folder/app.log"),
    ],
)
def test_a_link_that_stays_inside_is_resolved_and_edited_at_its_target(
    volume: BeneathVolume, root: Path, link: str, target: str
) -> None:
    (root / "near").symlink_to("logs/app.log")
    (root / "folder").symlink_to("logs")
    if not (root / link).is_symlink():
        (root / link).symlink_to(target)
    assert volume.resolve(f"/{link}") == "/logs/app.log"
    insitu.append(Site.of(volume, f"/{link}"), b"three\n")
    assert (root / "logs" / "app.log").read_bytes() == b"one\ntwo\nthree\n"
    assert (root / link).is_symlink()


def test_an_absolute_link_is_followed_where_it_names_the_root(
    volume: BeneathVolume, root: Path, tmp_path: Path
) -> None:
    (root / "absolute").symlink_to(root / "logs" / "app.log")
    (root / "itself").symlink_to(root)
    assert volume.resolve("/absolute") == "/logs/app.log"
    assert volume.resolve("/itself/logs") == "/logs"
    (root / "sibling").symlink_to(tmp_path / "ws-evil")
    (root / "sly").symlink_to(root / ".." / "outside" / "secret")
    for name in ("sibling", "sly"):
        with pytest.raises(OutsideRootsError):
            volume.resolve(f"/{name}")


def test_the_last_name_may_be_missing_but_not_what_a_link_leads_to(volume: BeneathVolume, root: Path) -> None:
    (root / "folder").symlink_to("logs")
    (root / "dangling").symlink_to("logs/none")
    assert volume.resolve("/folder/new") == "/logs/new"
    for path in ("/dangling", "/logs/none/new", "/dangling/new"):
        with pytest.raises(MissingFileError):
            volume.resolve(path)


def test_a_file_on_the_way_is_not_a_folder(volume: BeneathVolume) -> None:
    with pytest.raises(MissingFileError):
        volume.resolve("/logs/app.log/deeper")
    with pytest.raises(MissingFileError):
        volume.open("/logs/app.log/deeper")
    assert volume.stat("/logs/app.log/deeper") is None


def test_loops_of_links_end(volume: BeneathVolume, root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "self").symlink_to("self/self")
    (root / "wide").symlink_to(".")
    for path in ("/a", "/self", "/wide" * 41):
        with pytest.raises(RequestError, match="loop"):
            volume.resolve(path)
    assert volume.resolve("/wide" * 40 + "/logs") == "/logs"


def test_only_resolving_follows_links(volume: BeneathVolume, root: Path) -> None:
    (root / "near").symlink_to("logs/app.log")
    for use in (lambda: volume.open("/near"), lambda: volume.stat("/near")):
        with pytest.raises(ForbiddenPathError):
            use()
    assert volume.entries("/") == [Entry("logs", "folder"), Entry("near", "link")]


def test_links_can_be_refused_altogether(root: Path, way: str) -> None:
    (root / "near").symlink_to("logs/app.log")
    volume = BeneathVolume(str(root), links=False)
    with pytest.raises(ForbiddenPathError):
        volume.resolve("/near")
    assert volume.resolve("/logs/app.log") == "/logs/app.log"


def test_a_link_swapped_in_after_resolving_is_not_followed(
    volume: BeneathVolume, root: Path, tmp_path: Path
) -> None:
    site = Site.of(volume, "/logs/app.log")
    os.rename(root / "logs", root / "was")
    (root / "logs").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "app.log").write_bytes(SECRET)
    with pytest.raises(ForbiddenPathError):
        insitu.append(site, b"x")
    assert (tmp_path / "outside" / "app.log").read_bytes() == SECRET
    assert (root / "was" / "app.log").read_bytes() == b"one\ntwo\n"


def test_paths_longer_than_the_system_takes_are_refused_not_half_resolved(
    volume: BeneathVolume, root: Path, tmp_path: Path
) -> None:
    # 16 links, each to the next through a folder of 240 letters: more than PATH_MAX once resolved.
    at = root
    for _ in range(18):
        at = at / ("d" * 240)
        os.mkdir(at) if len(str(at)) < 4000 else None
    deep = "/".join(["d" * 240] * 15)
    (root / "short").symlink_to(deep)
    os.symlink("../" * 16 + "../outside/secret", root / deep / "out")
    with pytest.raises(OutsideRootsError):
        volume.resolve("/short/out")
    with pytest.raises(RequestError):
        volume.resolve("/" + "x" * 256)
    with pytest.raises(InsituError):
        volume.open("/" + "y/" * 2500 + "z")


# The root


def test_the_root_is_the_folder_not_its_name(root: Path, tmp_path: Path, way: str) -> None:
    volume = BeneathVolume(str(root))
    os.rename(root, tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "outside", root)
    assert volume.names("/") == ["logs"]
    assert volume.open("/logs/app.log").read(0, 3) == b"one"


def test_a_root_must_be_a_folder(root: Path, way: str) -> None:
    with pytest.raises(MissingFileError):
        BeneathVolume(str(root / "none"))
    with pytest.raises(MissingFileError):
        BeneathVolume(str(root / "logs" / "app.log"))


def test_the_root_itself_can_be_looked_at(volume: BeneathVolume, root: Path) -> None:
    status = volume.stat("/")
    assert status is not None and (status.device, status.inode) == volume.root
    assert volume.resolve("/") == volume.resolve("/logs/..") == "/"
    assert volume.names("/") == ["logs"]
    with pytest.raises(OutsideRootsError):
        volume.names("/logs/..")
    with pytest.raises(InsituError):
        volume.remove_folder("/")
    with pytest.raises(FileKindError):
        volume.open("/")


def test_a_platform_without_the_calls_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "supports_dir_fd", {os.open})
    with pytest.raises(UnsupportedError) as caught:
        BeneathVolume(str(root))
    assert "Linux" in caught.value.hint


# Kinds of files, mounts


def test_pipes_sockets_and_folders_are_not_opened(volume: BeneathVolume, root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(FileKindError, match="pipe"):
        volume.open("/pipe")
    with pytest.raises(FileKindError, match="folder"):
        volume.open("/logs", write=True)
    assert [entry.kind for entry in volume.entries("/")] == ["folder", "other"]


def test_made_up_files_of_the_kernel_are_refused(way: str) -> None:
    volume = BeneathVolume("/proc/self")
    with pytest.raises(FileKindError, match="proc"):
        volume.open("/environ")
    with pytest.raises(OutsideRootsError):
        volume.resolve("/cwd/etc")
    with pytest.raises((OutsideRootsError, ForbiddenPathError)):
        volume.open("/cwd/anything")


@pytest.mark.root
def test_mounts_inside_are_entered_only_where_allowed(
    volume: BeneathVolume, root: Path, tmp_path: Path
) -> None:
    place, file = root / "mounted", root / "file"
    place.mkdir()
    file.touch()
    mounted: list[Path] = []
    try:
        for source, target in ((tmp_path / "outside", place), (tmp_path / "outside" / "secret", file)):
            told = subprocess.run(["mount", "--bind", source, target], capture_output=True, check=False)
            if told.returncode:
                pytest.skip("nothing can be mounted here")
            mounted.append(target)
        for path in ("/mounted/secret", "/file"):
            with pytest.raises(OutsideRootsError, match="mounted"):
                volume.open(path)
        allowing = BeneathVolume(str(root), cross_devices=True)
        assert allowing.open(allowing.resolve("/mounted/secret")).read(0, 99) == SECRET
        assert allowing.open("/file").read(0, 99) == SECRET
    finally:
        for target in mounted:
            subprocess.run(["umount", "-l", target], check=True)


# The two ways


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_refused_call_is_asked_for_again_every_time(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    volume = BeneathVolume(str(root))
    calls = deny(monkeypatch, number)
    for tries in (1, 2, 3):
        asked = len(calls)
        assert volume.open("/logs/app.log").read(0, 3) == b"one"
        assert len(calls) > asked, tries


def test_renames_all_the_time_lead_to_the_other_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = BeneathVolume(str(root))
    calls = deny(monkeypatch, errno.EAGAIN)
    assert volume.open("/logs/app.log").read(0, 3) == b"one"
    assert len(calls) > 1


def test_no_descriptor_is_left_open(volume: BeneathVolume, root: Path, tmp_path: Path) -> None:
    (root / "way").symlink_to(tmp_path / "outside")
    (root / "near").symlink_to("logs/old")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("/logs/app.log", "/way/secret", "/near/none", "/../x", "/logs/app.log/x", "/a\0b"):
        for name, use in uses(volume, path).items():
            if "rename" in name or name == "remove":
                continue
            try:
                use()
            except InsituError:
                continue
    assert len(os.listdir("/proc/self/fd")) == before
    volume.close()
    volume.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


@pytest.mark.root
def test_folders_that_are_closed_to_us_say_so(volume: BeneathVolume, root: Path) -> None:
    os.chmod(root / "logs" / "old", 0)
    os.chown(root / "logs" / "old", 0, 0)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        with pytest.raises(AccessError):
            volume.open("/logs/old/file")
    finally:
        os.seteuid(0)
        os.setegid(0)
