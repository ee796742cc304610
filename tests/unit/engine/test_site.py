"""State lies beside the file, is found through links, and believed only where nobody could plant it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from insitu.engine.site import Site
from insitu.errors import MissingFileError, RecoveryNeededError
from insitu.storage.base import Stat
from insitu.storage.linux import LinuxVolume


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(b"x")
    return path


def site_of(path: Path, state_folder: Path | None = None) -> Site:
    return Site.of(LinuxVolume(), str(path), None if state_folder is None else str(state_folder))


def prepared(path: Path) -> Site:
    site = site_of(path)
    site.prepare(site.status())
    return site


def test_state_lies_beside_the_file(path: Path) -> None:
    site = site_of(path)
    assert site.path == str(path) and site.folder == str(path.parent) and site.beside
    assert site.state == str(path.parent / ".insitu" / "data.csv.d")
    for name in (site.journal, site.unsealed, site.successor, site.line_index, site.operation(7)):
        assert os.path.dirname(name) == site.state
    assert len({site.journal, site.unsealed, site.successor, site.line_index, site.operation(7)}) == 5


def test_a_link_leads_to_the_state_of_its_target(path: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link"
    link.symlink_to(path)
    assert site_of(link).path == site_of(path).path and site_of(link).state == site_of(path).state


def test_a_state_folder_elsewhere_tells_files_of_one_name_apart(tmp_path: Path) -> None:
    sites = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        sites.append(site_of(tmp_path / name / "file", tmp_path / "states"))
    assert sites[0].state != sites[1].state and not sites[0].beside
    assert {os.path.dirname(site.state) for site in sites} == {str(tmp_path / "states")}
    assert os.path.dirname(sites[0].successor) == sites[0].folder, "a swap stays on one file system"


def test_the_longest_names_have_a_state_folder_too(tmp_path: Path) -> None:
    names = ["n" * 255, "n" * 254, "\N{EURO SIGN}" * 85]
    states = set()
    for name in names:
        (tmp_path / name).touch()
        site = prepared(tmp_path / name)
        assert len(os.fsencode(os.path.basename(site.state))) <= 255
        states.add(site.state)
    assert len(states) == 3


def test_preparing_makes_the_folder_and_tells_version_control(path: Path) -> None:
    site = prepared(path)
    assert os.path.isdir(site.state)
    assert (path.parent / ".insitu" / ".gitignore").read_bytes() == b"*\n"
    site.prepare(site.status())
    assert site.trusted(site.status())


def test_two_files_of_one_folder_are_prepared_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = path.with_name("other.csv")
    other.touch()
    made = LinuxVolume.make_folder

    def overtaken(volume: LinuxVolume, folder: str, like: Stat) -> None:
        made(volume, folder, like)
        if folder == str(path.parent / ".insitu"):
            monkeypatch.undo()
            prepared(other)
            (path.parent / ".insitu" / ".gitignore").write_bytes(b"*\n")

    monkeypatch.setattr(LinuxVolume, "make_folder", overtaken)
    site = prepared(path)
    assert site.trusted(site.status())
    assert (path.parent / ".insitu" / ".gitignore").read_bytes() == b"*\n"


def test_the_folder_is_as_readable_as_the_file_and_writable_by_its_owner_alone(path: Path) -> None:
    for mode in (0o600, 0o640, 0o644, 0o666, 0o777):
        path.chmod(mode)
        site = prepared(path)
        folder = os.stat(site.state).st_mode & 0o777
        assert folder & 0o022 == 0 and folder & 0o700 == 0o700
        assert bool(folder & 0o004) == bool(mode & 0o004) and bool(folder & 0o040) == bool(mode & 0o040)
        site.tidy()
        assert not os.path.exists(path.parent / ".insitu")


def test_tidying_leaves_what_is_needed(path: Path) -> None:
    site = prepared(path)
    other = path.with_name("other")
    other.touch()
    prepared(other)
    Path(site.operation(3)).touch()
    site.tidy()
    assert site.operations() == [3]
    os.unlink(site.operation(3))
    site.tidy()
    assert not os.path.exists(site.state) and os.path.exists(site_of(other).state)


def test_sweeping_removes_what_never_came_to_a_commit_point(path: Path) -> None:
    site = prepared(path)
    for name in (site.unsealed, site.successor, site.journal, site.operation(1)):
        Path(name).touch()
    site.sweep()
    assert sorted(os.listdir(site.state)) == ["0000000001.op", "journal"]


def test_operations_are_listed_by_number(path: Path) -> None:
    site = prepared(path)
    for number in (10, 2, 9_999_999_999, 1):
        Path(site.operation(number)).touch()
    assert site.operations() == [1, 2, 10, 9_999_999_999]
    assert site_of(path.with_name("absent")).operations() == []


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
@pytest.mark.parametrize("outer", [True, False], ids=["the outer folder", "the inner folder"])
def test_a_folder_that_others_could_write_to_is_not_believed(path: Path, mode: int, outer: bool) -> None:
    site = prepared(path)
    os.chmod(os.path.dirname(site.state) if outer else site.state, mode)
    for attempt in (site.trusted, site.prepare):
        with pytest.raises(RecoveryNeededError) as caught:
            attempt(site.status())
        assert caught.value.exit_code == 6


@pytest.mark.root
def test_a_folder_of_somebody_else_is_not_believed(path: Path) -> None:
    site = prepared(path)
    os.chown(site.state, 12345, 12345)
    with pytest.raises(RecoveryNeededError):
        site.trusted(site.status())
    os.chown(path, 12345, 12345)
    assert site.trusted(site.status()), "the target's owner may keep its state"


def test_a_journal_that_somebody_could_have_planted_is_not_believed(path: Path, tmp_path: Path) -> None:
    site = prepared(path)
    journal = Path(site.journal)
    journal.touch(mode=0o600)
    file = site.volume.open(site.journal)
    site.check_journal(file, site.status())
    journal.chmod(0o622)
    with pytest.raises(RecoveryNeededError):
        site.check_journal(file, site.status())
    journal.chmod(0o600)
    os.link(journal, tmp_path / "planted")
    with pytest.raises(RecoveryNeededError):
        site.check_journal(file, site.status())
    file.close()


def test_a_file_that_is_gone_has_no_status(path: Path) -> None:
    site = site_of(path)
    path.unlink()
    with pytest.raises(MissingFileError):
        site.status()
