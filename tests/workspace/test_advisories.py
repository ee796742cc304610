"""Holes that were found in other tools that hand files to agents, each tried on ours.

Those of servers on HTTP (DNS rebinding) are tested with the server; races also in tests/system.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("proved on Linux", allow_module_level=True)

import insitu
from insitu.engine.site import Site
from insitu.errors import (
    ExistingFileError,
    ForbiddenPathError,
    InsituError,
    MissingFileError,
    OutsideRootsError,
    RecoveryNeededError,
    RequestError,
)
from insitu.storage.beneath import BeneathVolume
from insitu.workspace.roots import Roots, RootSpec

SECRET = b"not for agents"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    ws = tmp_path / "ws"
    (ws / "docs").mkdir(parents=True)
    (ws / "docs" / "file").write_bytes(b"text\n")
    for outside in (tmp_path / "outside", tmp_path / "ws-evil"):
        outside.mkdir()
        (outside / "secret").write_bytes(SECRET)
    return ws


@pytest.fixture
def roots(ws: Path) -> Iterator[Roots]:
    roots = Roots([RootSpec(str(ws))])
    yield roots
    roots.close()


@pytest.fixture(autouse=True)
def _nothing_outside_changes(tmp_path: Path, ws: Path) -> Iterator[None]:
    yield
    for outside in (tmp_path / "outside", tmp_path / "ws-evil"):
        assert os.listdir(outside) == ["secret"]
        assert (outside / "secret").read_bytes() == SECRET


def every_use(roots: Roots, given: str) -> dict[str, Callable[[], object]]:
    """Every way to do something with a path of an agent."""
    return {
        "read": lambda: insitu.read(roots.place(given).site()),
        "append": lambda: insitu.append(roots.place_to_change(given).site(), b"x"),
        "create": lambda: insitu.create(roots.place_to_change(given).site(), b"x"),
        "list": lambda: roots.entries(roots.place(given)),
    }


def assert_refused(roots: Roots, given: str, kind: type[InsituError] = OutsideRootsError) -> None:
    for name, use in every_use(roots, given).items():
        with pytest.raises(kind) as caught:
            use()
        assert SECRET.decode() not in str(caught.value), name


# Prefixes, and links checked by their parent


@pytest.mark.parametrize(
    "advisory", ["CVE-2025-53110", "CVE-2025-54794", "CVE-2026-54094"]
)  # MCP filesystem server (GHSA-hc55-p739-j48w), Claude Code, File Browser
def test_a_folder_whose_name_begins_with_the_roots_is_outside(roots: Roots, ws: Path, advisory: str) -> None:
    for path in (f"{ws}-evil/secret", f"{ws}-evil", f"{ws}/../ws-evil/secret"):
        with pytest.raises((OutsideRootsError, ForbiddenPathError)):
            roots.place(path)
    assert_refused(roots, f"{ws}-evil/secret")


def test_cve_2025_53109_a_link_is_judged_by_its_target_not_by_its_parent(roots: Roots, ws: Path) -> None:
    """MCP filesystem server, GHSA-q66q-fx2p-7w4m: where the target could not be resolved, its folder was."""
    for name, target in (("there", "../outside/secret"), ("new", "../outside/new"), ("deep", "../none/new")):
        (ws / "docs" / name).symlink_to(ws / "docs" / ".." / target)
        (ws / "docs" / f"relative-{name}").symlink_to(f"../{target}")
        assert_refused(roots, f"docs/{name}")
        assert_refused(roots, f"docs/relative-{name}")


# Rules that missed what was resolved, or what was not there yet


@pytest.mark.parametrize("advisory", ["CVE-2026-25724", "CVE-2026-39861"])  # Claude Code
def test_rules_hold_for_what_a_link_leads_to(ws: Path, advisory: str) -> None:
    (ws / "keys").mkdir()
    (ws / "keys" / "key").write_bytes(b"kept")
    (ws / "way").symlink_to("keys")
    (ws / "file way").symlink_to("keys/key")
    roots = Roots([RootSpec(str(ws))], hidden=[str(ws / "keys")])
    for path in ("keys/key", "way/key", "file way", "way"):
        assert_refused(roots, path, ForbiddenPathError)
    inner = Roots([RootSpec(str(ws)), RootSpec(str(ws / "keys"), writable=False)])
    for path in ("ws:way/key", "ws:file way"):
        with pytest.raises(InsituError):
            insitu.append(inner.place(path).site(), b"x")
    assert (ws / "keys" / "key").read_bytes() == b"kept"


def test_cve_2026_25725_a_file_that_is_not_there_yet_is_protected_too(ws: Path) -> None:
    """Claude Code: settings could be made by the sandbox because there were none to protect."""
    roots = Roots([RootSpec(str(ws))], hidden=[str(ws / "settings.json"), str(ws / "docs" / "audit")])
    for path in ("settings.json", "Settings.JSON", "docs/audit"):
        assert_refused(roots, path, ForbiddenPathError)
    assert_refused(roots, "docs/.insitu/new", ForbiddenPathError)
    assert sorted(os.listdir(ws)) == ["docs"]


def test_cve_2026_46406_a_link_planted_where_we_write_is_not_followed(
    roots: Roots, ws: Path, tmp_path: Path
) -> None:
    """Claude Code: a temporary file of a fixed name was written through a planted link."""
    state = ws / "docs" / ".insitu"
    insitu.append(roots.place("docs/file").site(), b"x")
    for name in ("journal.tmp", "new", "journal", "0000000002.op", "lines.index.new"):
        (state / "file.d" / name).symlink_to(tmp_path / "outside" / "secret")
    for policy in (insitu.Policy(), insitu.Policy(visibility="atomic")):
        try:
            insitu.append(roots.place("docs/file").site(), b"x", policy=policy)
        except InsituError:
            continue
    assert all(path.stat().st_mode & 0o077 == 0 for path in state.rglob("*.op") if not path.is_symlink())


def test_cve_2026_46406_a_planted_state_folder_is_not_entered(roots: Roots, ws: Path, tmp_path: Path) -> None:
    (ws / "docs" / ".insitu").symlink_to(tmp_path / "outside")
    with pytest.raises(InsituError):
        insitu.append(roots.place("docs/file").site(), b"x")
    assert (ws / "docs" / "file").read_bytes() == b"text\n"


def test_a_planted_journal_is_not_believed(roots: Roots, ws: Path) -> None:
    state = ws / "docs" / ".insitu" / "file.d"
    state.mkdir(parents=True, mode=0o700)
    (state / "journal").write_bytes(b"planted")
    (state / "journal").chmod(0o666)
    with pytest.raises(RecoveryNeededError):
        insitu.append(roots.place("docs/file").site(), b"x")
    assert (ws / "docs" / "file").read_bytes() == b"text\n"


# Names that are the same to a file system


def test_cve_2025_59944_protected_names_are_compared_without_case(roots: Roots) -> None:
    """Cursor: .CURSOR/mcp.json was another file to the check, and the same to the disk."""
    for name in (".INSITU", ".Insitu", ".insit\u0055"):
        assert_refused(roots, f"docs/{name}/file.d/journal", ForbiddenPathError)


def test_gitlawb_node_101_names_are_compared_composed(ws: Path) -> None:
    composed, apart = unicodedata.normalize("NFC", "cl\u00e9s"), unicodedata.normalize("NFD", "cl\u00e9s")
    roots = Roots([RootSpec(str(ws))], hidden=[str(ws / composed)])
    for name in (composed, apart, composed.upper(), apart.upper()):
        assert_refused(roots, name, ForbiddenPathError)


def test_pal_mcp_server_293_what_lies_below_a_hidden_folder_is_hidden(ws: Path) -> None:
    (ws / "hidden" / "deep").mkdir(parents=True)
    (ws / "hidden" / "deep" / "file").touch()
    roots = Roots([RootSpec(str(ws))], hidden=[str(ws / "hidden")])
    for path in ("hidden", "hidden/deep", "hidden/deep/file", "hidden/deep/new", "docs/./../hidden"):
        assert_refused(roots, path, ForbiddenPathError)


def test_54yyyu_code_mcp_4_dots_are_not_left_for_the_kernel(roots: Roots, ws: Path) -> None:
    """Its check made paths absolute and left ".." in them."""
    for path in (f"{ws}/docs/../../outside/secret", "docs/../../outside/secret", f"{ws}/./../outside"):
        assert_refused(roots, path, ForbiddenPathError)


# Paths used as given


@pytest.mark.parametrize(
    "advisory", ["CVE-2026-40576", "CVE-2026-33989", "CVE-2026-7213", "CVE-2026-32871"]
)  # excel-mcp-server, mobile-mcp, MLOps_MCP, fastmcp
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//etc/passwd",
        "../outside/secret",
        "docs/../../outside/secret",
        "....//outside/secret",
        "..\\outside\\secret",
        "%2e%2e/outside/secret",
        "..%2foutside",
        "file:///etc/passwd",
        "~/secret",
        "\\\\server\\share",
        "/proc/self/environ",
        "/dev/../etc/passwd",
    ],
)
def test_paths_are_not_used_as_given(roots: Roots, advisory: str, path: str) -> None:
    for name in ("read", "append", "list"):
        with pytest.raises((OutsideRootsError, ForbiddenPathError, MissingFileError)):
            every_use(roots, path)[name]()


@pytest.mark.parametrize("advisory", ["CVE-2025-68143", "CVE-2025-68145"])  # mcp-server-git
def test_nothing_is_made_or_read_outside(roots: Roots, tmp_path: Path, advisory: str) -> None:
    for path in (f"{tmp_path}/outside/new", f"{tmp_path}/new", str(tmp_path)):
        assert_refused(roots, path)


def test_cve_2025_68144_a_name_that_begins_with_a_dash_is_a_name(roots: Roots, ws: Path) -> None:
    """mcp-server-git passed them on as options."""
    insitu.create(roots.place("--output=file").site(), b"x")
    assert (ws / "--output=file").read_bytes() == b"x"
    with pytest.raises(ExistingFileError):
        insitu.create(roots.place("--output=file").site())


def test_cve_2026_27735_the_library_refuses_what_the_tools_refuse(roots: Roots, ws: Path) -> None:
    """mcp-server-git: a library call took the "../" that the command refused."""
    (ws / "secret").touch()  # what a path of another folder must not be taken for
    for path in ("/../outside/secret", f"{ws}/../outside/secret", f"{ws}-evil/secret", "/etc/passwd"):
        for volume in (BeneathVolume(str(ws), at=str(ws)), roots.volume):
            with pytest.raises(OutsideRootsError):
                volume.open(path)
            with pytest.raises(OutsideRootsError):
                Site.of(volume, path).open(write=True)


@pytest.mark.parametrize("advisory", ["cyanheads/filesystem-mcp-server#21", "DesktopCommanderMCP#219"])
def test_a_link_in_the_middle_of_a_path_is_resolved_before_it_is_judged(
    roots: Roots, ws: Path, advisory: str
) -> None:
    (ws / "docs" / "way").symlink_to("../../outside")
    assert_refused(roots, "docs/way/secret")
    assert_refused(roots, "docs/way/new")


def test_desktop_commander_403_no_root_is_not_every_root() -> None:
    with pytest.raises(RequestError, match="no root"):
        Roots([])


def test_desktop_commander_420_a_new_file_behind_a_link_is_outside(roots: Roots, ws: Path) -> None:
    """What realpath said of missing files (nothing) was taken for leave."""
    (ws / "way").symlink_to("../outside/none yet")
    assert_refused(roots, "way")
    assert_refused(roots, "way/new")


# Between check and use; patterns that never end; paths too long


def test_mark3labs_filesystem_server_63_nothing_is_opened_by_a_path_that_was_only_checked(
    roots: Roots, ws: Path, tmp_path: Path
) -> None:
    for swap in ("docs", "docs/file"):
        site = roots.place("docs/file").site()
        os.rename(ws / swap, ws / "was")
        (ws / swap).symlink_to(tmp_path / "outside" / ("" if swap == "docs" else "secret"))
        for use in (lambda site=site: insitu.read(site), lambda site=site: insitu.append(site, b"x")):
            with pytest.raises((ForbiddenPathError, MissingFileError)):
                use()
        os.unlink(ws / swap)
        os.rename(ws / "was", ws / swap)


@pytest.mark.parametrize(
    "advisory", ["CVE-2026-0621", "pydantic/monty#455", "code-index-mcp#84", "DesktopCommanderMCP#375"]
)
@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*a){20}b"])
def test_patterns_take_linear_time(roots: Roots, ws: Path, advisory: str, pattern: str) -> None:
    (ws / "docs" / "file").write_bytes(b"a" * 100_000 + b"!\n")
    began = time.process_time()
    receipt = insitu.replace(roots.place("docs/file").site(), pattern, "x", regex=True)
    assert receipt.splices == 0
    assert time.process_time() - began < 5


@pytest.mark.parametrize("advisory", ["CVE-2025-4517", "CVE-2025-4138", "CVE-2025-4330"])  # CPython's tarfile
def test_a_path_too_long_to_be_resolved_is_not_half_resolved(
    roots: Roots, ws: Path, tmp_path: Path, advisory: str
) -> None:
    """Its check stopped resolving links past PATH_MAX and took the rest for granted."""
    folder, at = "d" * 247, os.open(ws, os.O_RDONLY)
    links = "abcdefghijklmnop"
    for letter in links:
        os.mkdir(folder, dir_fd=at)
        os.symlink(folder, letter, dir_fd=at)
        deeper = os.open(folder, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.symlink("../" * len(links) + "../outside", "escape", dir_fd=at)
    os.close(at)
    short = "/".join(links)
    assert len(f"{folder}/" * len(links)) + len(str(ws)) > 4000
    assert_refused(roots, f"{short}/escape/secret", InsituError)
    assert_refused(roots, f"{short}/escape", InsituError)
    with pytest.raises(OutsideRootsError):
        roots.place(f"{short}/escape")


# Locks


@pytest.mark.parametrize("advisory", ["CVE-2025-68146", "CVE-2026-22701"])  # filelock
def test_a_link_planted_as_a_lock_file_is_not_opened(
    roots: Roots, ws: Path, tmp_path: Path, advisory: str
) -> None:
    """There are no lock files: the lock is on the file itself."""
    for name in ("file.lock", ".file.lock", "file.lck"):
        (ws / "docs" / name).symlink_to(tmp_path / "outside" / "secret")
    before = os.stat(tmp_path / "outside" / "secret")
    insitu.append(roots.place("docs/file").site(), b"x")
    after = os.stat(tmp_path / "outside" / "secret")
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
