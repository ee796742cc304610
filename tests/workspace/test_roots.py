"""What a path of an agent means, and which it may not use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("proved on Linux", allow_module_level=True)

import insitu
from insitu.engine.site import Site
from insitu.errors import (
    FileKindError,
    ForbiddenPathError,
    MissingFileError,
    OutsideRootsError,
    ReadOnlyError,
    RecoveryNeededError,
    RequestError,
    SpanError,
    UnsupportedError,
)
from insitu.storage.beneath import BeneathVolume
from insitu.workspace.roots import Roots, RootSpec
from insitu.workspace.spelling import check_spelling, folded
from tests.system.programs import start

TEXT = b"one\ntwo\n"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    ws = tmp_path / "ws"
    (ws / "logs").mkdir(parents=True)
    (ws / "logs" / "app.log").write_bytes(TEXT)
    (tmp_path / "ws-evil").mkdir()
    (tmp_path / "ws-evil" / "app.log").write_bytes(b"evil")
    return ws


@pytest.fixture
def opened() -> Iterator[Callable[..., Roots]]:
    made: list[Roots] = []

    def open_roots(*specs: RootSpec | Path, **options: object) -> Roots:
        given = [spec if isinstance(spec, RootSpec) else RootSpec(str(spec)) for spec in specs]
        made.append(Roots(given, **options))
        return made[-1]

    yield open_roots
    for roots in made:
        roots.close()


Open = Callable[..., Roots]

# Which file


@pytest.mark.parametrize("given", ["logs/app.log", "./logs//app.log", "ws:logs/app.log", "ws:/logs/app.log"])
def test_relative_and_named_paths_begin_at_the_root(ws: Path, opened: Open, given: str) -> None:
    place = opened(ws).place(given)
    assert (place.path, place.relative, place.root.name) == (f"{ws}/logs/app.log", "logs/app.log", "ws")
    assert insitu.read(place.site()) == TEXT


def test_absolute_paths_are_those_of_the_machine(ws: Path, opened: Open) -> None:
    roots = opened(ws)
    assert roots.place(f"{ws}/logs/app.log").relative == "logs/app.log"
    assert roots.place(str(ws)).relative == roots.place(".").relative == roots.place("ws:").relative == "."
    for path in ("/logs/app.log", "/etc/passwd", "/", f"{ws}-evil/app.log", str(ws.parent)):
        with pytest.raises(OutsideRootsError) as caught:
            roots.place(path)
        assert str(ws) in caught.value.hint


def test_the_path_of_a_root_may_be_a_link(ws: Path, tmp_path: Path, opened: Open) -> None:
    (tmp_path / "alias").symlink_to(ws)
    roots = opened(tmp_path / "alias")
    assert roots.roots[0].path == str(ws)
    for spelling in (ws, tmp_path / "alias"):
        assert roots.place(f"{spelling}/logs/app.log").path == f"{ws}/logs/app.log"


def test_with_several_roots_a_relative_path_needs_a_name(ws: Path, tmp_path: Path, opened: Open) -> None:
    roots = opened(ws, RootSpec(str(tmp_path / "ws-evil"), name="other"))
    assert roots.place("other:app.log").root.name == "other"
    assert roots.place(f"{tmp_path}/ws-evil/app.log").root.name == "other"
    with pytest.raises(OutsideRootsError) as caught:
        roots.place("app.log")
    assert "ws:app.log, other:app.log" in caught.value.hint
    with pytest.raises(OutsideRootsError, match="no root named 'none'"):
        roots.place("none:app.log")


def test_roots_of_one_name_are_numbered(tmp_path: Path, opened: Open) -> None:
    for parent in "abc":
        (tmp_path / parent / "my docs").mkdir(parents=True)
    roots = opened(*(tmp_path / parent / "my docs" for parent in "abc"))
    assert [root.name for root in roots.roots] == ["my-docs", "my-docs-2", "my-docs-3"]


def test_the_roots_themselves_are_judged(ws: Path, opened: Open) -> None:
    with pytest.raises(RequestError, match="no root"):
        opened()
    with pytest.raises(RequestError, match="twice"):
        opened(ws, ws / "logs" / "..")
    with pytest.raises(MissingFileError):
        opened(ws / "none")
    for name in ("", "a b", "a:b", "a/b", "\u00fc", "x" * 65):
        with pytest.raises(RequestError, match="name a root"):
            opened(RootSpec(str(ws), name=name))
    with pytest.raises(RequestError, match="name a root"):
        opened(RootSpec(str(ws), name="x"), RootSpec(str(ws / "logs"), name="x"))
    (ws / ".insitu" / "app.log.d").mkdir(parents=True)
    with pytest.raises(ForbiddenPathError):
        opened(ws / ".insitu")


def test_a_missing_file_has_a_place_where_its_folder_is_there(ws: Path, opened: Open) -> None:
    roots = opened(ws)
    place = roots.place("logs/new.log")
    assert place.status() is None
    insitu.create(place.site(), b"made\n")
    assert (ws / "logs" / "new.log").read_bytes() == b"made\n"
    with pytest.raises(MissingFileError):
        roots.place("none/new.log")


# How paths are spelled

FORBIDDEN = {
    "upwards": "../ws-evil/app.log",
    "upwards inside": "logs/../logs/app.log",
    "home": "~/secrets",
    "home of another": "~root/.ssh",
    "NUL": "logs/a\0b",
    "newline": "logs/a\nb",
    "escape sequence": "logs/\x1b[31m",
    "C1 control": "logs/\x85",
    "DEL": "logs/\x7f",
    "right-to-left override": "logs/\u202egol.ppa",
    "isolate": "logs/\u2066x",
    "zero-width space": "logs/app\u200b.log",
    "zero-width joiner": "logs/app\u200d.log",
    "byte order mark": "\ufefflogs/app.log",
    "soft hyphen": "logs/a\u00adb",
    "line separator": "logs/a\u2028b",
    "lone surrogate": "logs/a\udc80b",
    "trailing dot": "logs/app.log.",
    "trailing space": "logs/app.log ",
    "folder with a trailing dot": "logs./app.log",
    "three dots": "logs/...",
    "stream": "logs/app.log:hidden",
    "default stream": "logs/app.log::$DATA",
    "drive": "C:\\Windows\\win.ini",
    "device": "logs/NUL",
    "device with an extension": "aux.txt",
    "device with extensions": "logs/con.tar.gz",
    "numbered device": "Com1",
    "device with a superscript": "lpt\u00b9.log",
    "console": "CONOUT$",
}


@pytest.mark.parametrize("path", FORBIDDEN.values(), ids=FORBIDDEN)
@pytest.mark.parametrize("form", ["relative", "absolute", "named"])
def test_forbidden_spellings_are_refused_in_every_form(ws: Path, opened: Open, path: str, form: str) -> None:
    given = {"relative": path, "absolute": f"{ws}/{path}", "named": f"ws:{path}"}[form]
    if form == "absolute" and path.startswith("~"):
        pytest.skip("a name may begin with ~; only a path may not")
    with pytest.raises(ForbiddenPathError) as caught:
        opened(ws).place(given)
    assert caught.value.message.isprintable()
    assert caught.value.message.endswith("Nothing was changed.")


@pytest.mark.parametrize(
    "path",
    [
        "a.b",
        ".hidden",
        "~$x/..a"[3:],
        "a b",
        "null",
        "console.log",
        "com10",
        "aux2.c",
        "\u00fcber.txt",
        "\U0001f600",
        "-rf",
    ],
)
def test_common_names_are_fine(path: str) -> None:
    check_spelling(path)


def test_names_and_paths_have_a_largest_size(ws: Path, opened: Open) -> None:
    roots = opened(ws)
    assert roots.place("x" * 255).status() is None
    for path in ("", "x" * (64 << 20), "\udc80" * 5000, "x" * 256, "\u00fc" * 128, "a/" * 2048 + "b"):
        with pytest.raises(RequestError):
            roots.place(path)


# Links


def test_links_lead_on_inside_and_nowhere_else(ws: Path, tmp_path: Path, opened: Open) -> None:
    (ws / "in").symlink_to("logs/app.log")
    (ws / "absolute").symlink_to(ws / "logs")
    (ws / "out").symlink_to(tmp_path / "ws-evil")
    (ws / "up").symlink_to("../ws-evil/app.log")
    roots = opened(ws)
    assert roots.place("in").path == roots.place("absolute/app.log").path == f"{ws}/logs/app.log"
    for path in ("out", "out/app.log", "up", "out/none"):
        with pytest.raises(OutsideRootsError) as caught:
            roots.place(path)
        assert "evil" not in str(caught.value)
    strict = opened(ws, links=False)
    with pytest.raises(ForbiddenPathError):
        strict.place("in")


def test_a_link_swapped_in_behind_a_place_is_not_followed(ws: Path, opened: Open) -> None:
    (ws / "secret").mkdir()
    (ws / "secret" / "app.log").write_bytes(b"secret")
    roots = opened(ws, RootSpec(str(ws / "secret"), writable=False))
    site = roots.place("ws:logs/app.log").site()
    os.rename(ws / "logs", ws / "was")
    (ws / "logs").symlink_to("secret")
    with pytest.raises(ForbiddenPathError):
        insitu.append(site, b"x")
    with pytest.raises(ForbiddenPathError):
        insitu.read(site)


# Roots in roots


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_inner_root_rules_over_what_it_holds(ws: Path, opened: Open, order: tuple[int, int]) -> None:
    specs = (RootSpec(str(ws)), RootSpec(str(ws / "logs"), writable=False))
    roots = opened(*(specs[number] for number in order))
    (ws / "way").symlink_to("logs")
    (ws / "note").write_bytes(TEXT)
    for path in ("ws:logs/app.log", "logs:app.log", f"{ws}/logs/app.log", "ws:way/app.log"):
        place = roots.place(path)
        assert (place.root.name, place.relative) == ("logs", "app.log")
        with pytest.raises(ReadOnlyError):
            insitu.append(place.site(), b"x")
        with pytest.raises(ReadOnlyError):
            roots.place_to_change(path)
    assert roots.place("ws:logs").relative == "."
    insitu.append(roots.place("ws:note").site(), b"x")
    assert (ws / "logs" / "app.log").read_bytes() == TEXT


def test_a_root_is_a_folder_not_a_path(ws: Path, tmp_path: Path, opened: Open) -> None:
    roots = opened(ws)
    os.rename(ws, tmp_path / "moved")
    os.rename(tmp_path / "ws-evil", ws)
    assert roots.place("logs/app.log").status() is not None
    with pytest.raises(MissingFileError):
        insitu.read(roots.place("app.log").site())


def test_a_piece_is_pasted_from_one_root_into_another(ws: Path, tmp_path: Path, opened: Open) -> None:
    (tmp_path / "ws-evil" / "logs").mkdir()
    (tmp_path / "ws-evil" / "logs" / "app.log").write_bytes(b"other")
    roots = opened(ws, tmp_path / "ws-evil")
    source, target = roots.place("ws-evil:logs/app.log"), roots.place("ws:logs/app.log")
    insitu.append(target.site(), insitu.extent(source.site(), (0, 5)))
    assert (ws / "logs" / "app.log").read_bytes() == TEXT + b"other"
    with pytest.raises(SpanError):
        insitu.extent(source.site(), (0, 6))
    with pytest.raises(UnsupportedError):
        roots.volume.rename(source.path, target.path)
    with pytest.raises(OutsideRootsError):
        roots.volume.stat("/etc/passwd")


# insitu's own files


@pytest.mark.parametrize("name", [".insitu", ".INSITU", ".Insitu", ".in\u017fitu"])
@pytest.mark.parametrize("below", ["", "/app.log.d/0000000001.op", "/new"])
@pytest.mark.parametrize("there", [True, False])
def test_own_state_is_out_of_reach(ws: Path, opened: Open, name: str, below: str, there: bool) -> None:
    if there:
        insitu.append(ws / "logs" / "app.log", b"x")
        os.makedirs(ws / "logs" / name, exist_ok=True)
    roots = opened(ws)
    for path in (f"logs/{name}{below}", f"{name}{below}"):
        with pytest.raises(ForbiddenPathError):
            roots.place(path)


def test_own_state_is_out_of_reach_through_links_and_other_names(ws: Path, opened: Open) -> None:
    insitu.append(ws / "logs" / "app.log", b"x")
    (ws / "way").symlink_to("logs/.insitu/app.log.d")
    roots = opened(ws)
    with pytest.raises(ForbiddenPathError):
        roots.place("way/0000000001.op")
    assert [entry.name for entry in roots.entries(roots.place("logs"))] == ["app.log"]


def test_names_are_compared_as_file_systems_without_case_do() -> None:
    assert folded("Stra\u00dfe") == folded("STRASSE")
    assert folded("cafe\u0301") == folded("CAF\u00c9")


@pytest.mark.parametrize("there", [True, False])
def test_hidden_places_are_out_of_reach(ws: Path, opened: Open, there: bool) -> None:
    log, folder = ws / "audit.jsonl", ws / "keys"
    if there:
        log.write_bytes(b"{}\n")
        os.link(log, ws / "another name")
        folder.mkdir()
        (folder / "key").write_bytes(b"secret")
    roots = opened(ws, hidden=[str(log), str(folder)])
    for path in ("audit.jsonl", "AUDIT.jsonl", "keys") + (("another name", "keys/key") if there else ()):
        with pytest.raises(ForbiddenPathError):
            roots.place(path)
    names = [entry.name for entry in roots.entries(roots.place("."))]
    assert names == (["another name", "logs"] if there else ["logs"])


# What may be changed


def test_a_read_only_root_is_only_read(ws: Path, opened: Open) -> None:
    (ws / "logs" / "large").write_bytes(b"line\n" * 200_000)
    roots = opened(RootSpec(str(ws), writable=False))
    site = roots.place("logs/large").site()
    with insitu.open(site, "r") as doc:
        assert doc.lines[150_000] == "line\n" and len(doc.lines) == 200_000
    assert insitu.info(site)["size"] == 1_000_000
    assert insitu.history(site) == []
    for change in (
        lambda: insitu.append(site, b"x"),
        lambda: insitu.create(roots.place("new").site()),
        lambda: insitu.replace(site, b"line", b"LINE"),
        lambda: insitu.undo(site),
        lambda: roots.volume.remove(site.path),
        lambda: roots.place_to_change("logs/app.log"),
    ):
        with pytest.raises(ReadOnlyError):
            change()
    assert sorted(path.name for path in ws.rglob("*")) == ["app.log", "large", "logs"]


def refused(roots: Roots, path: str, match: str) -> None:
    """The file is refused for changes, early and late, and can be read."""
    with pytest.raises(ForbiddenPathError, match=match):
        roots.place_to_change(path)
    place = roots.place(path)
    with pytest.raises(ForbiddenPathError, match=match):
        insitu.append(place.site(), b"x")
    assert insitu.read(place.site()) == TEXT


def test_a_file_with_several_names_is_not_changed(ws: Path, tmp_path: Path, opened: Open) -> None:
    os.link(ws / "logs" / "app.log", tmp_path / "outside")
    refused(opened(ws), "logs/app.log", "2 names")
    allowing = opened(ws, hard_links=True)
    insitu.append(allowing.place_to_change("logs/app.log").site(), b"x")
    assert (tmp_path / "outside").read_bytes() == TEXT + b"x"


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_programs_with_set_id_bits_are_not_changed(ws: Path, opened: Open, mode: int) -> None:
    os.chmod(ws / "logs" / "app.log", mode)
    refused(opened(ws), "logs/app.log", "set-id")


@pytest.mark.root
def test_files_of_others_are_not_changed(ws: Path, opened: Open) -> None:
    os.chown(ws / "logs" / "app.log", 1234, 1234)
    refused(opened(ws), "logs/app.log", "another user")
    os.chown(ws, 1234, 1234)
    insitu.append(opened(ws).place_to_change("logs/app.log").site(), b"x")
    assert os.stat(ws / "logs" / "app.log").st_uid == 1234


def test_folders_and_pipes_are_no_files(ws: Path, opened: Open) -> None:
    os.mkfifo(ws / "pipe")
    roots = opened(ws)
    for path in ("logs", "pipe"):
        with pytest.raises(FileKindError):
            insitu.read(roots.place(path).site())
    with pytest.raises(FileKindError):
        roots.entries(roots.place("logs/app.log"))
    with pytest.raises(MissingFileError):
        roots.entries(roots.place("none"))


# Whole edits


def test_every_verb_works_in_a_root(ws: Path, opened: Open) -> None:
    roots = opened(ws)
    site = roots.place("logs/app.log").site()
    insitu.insert(site, 0, b"zero\n")
    assert insitu.replace(site, b"o", b"0").splices == 3
    insitu.apply(site, [insitu.Edit(bytes=(0, 4), new=b"null")])
    with insitu.open(site) as doc:
        doc.lines[1] = "eins"
        doc.lines.append("three")
    assert (ws / "logs" / "app.log").read_bytes() == b"null\neins\ntw0\nthree\n"
    assert [operation.number for operation in insitu.history(site)] == [1, 2, 3, 4]
    assert insitu.build_index(site)["lines"] == 4
    assert "+eins" in insitu.diff(site, 4)
    for _ in range(4):
        insitu.undo(site)
    assert (ws / "logs" / "app.log").read_bytes() == TEXT
    insitu.redo(site)
    assert insitu.read(site) == b"zero\n" + TEXT
    assert insitu.doctor(site)["locks"] == "free"
    assert list(insitu.pending_below(roots.place(".").site())) == []


def test_an_atomic_edit_keeps_the_link_and_swaps_the_file(ws: Path, opened: Open) -> None:
    (ws / "link").symlink_to("logs/app.log")
    before = os.stat(ws / "logs" / "app.log").st_ino
    site = opened(ws).place("link").site()
    insitu.append(site, b"x", policy=insitu.Policy(visibility="atomic"))
    assert (ws / "link").is_symlink() and os.stat(ws / "logs" / "app.log").st_ino != before
    assert (ws / "link").read_bytes() == TEXT + b"x"


def test_a_site_made_by_hand_sees_the_same_world(ws: Path, opened: Open) -> None:
    roots = opened(ws)
    (ws / "link").symlink_to("logs/app.log")
    assert Site.of(roots.volume, f"{ws}/link") == roots.place("link").site()


KILLED = """
import os, signal, sys
import insitu
from insitu.storage.linux import LinuxFile
from insitu.storage.beneath import BeneathVolume
from insitu.workspace.roots import Roots, RootSpec

site = Roots([RootSpec(sys.argv[1])]).place("logs/app.log").site()
write = LinuxFile.write

def write_and_die(file, offset, data):
    write(file, offset, data)
    if file.path == site.path:  # after the commit point: the first write to the file itself
        os.kill(os.getpid(), signal.SIGKILL)

LinuxFile.write = write_and_die
insitu.replace(site, b"line", b"LINE", policy=insitu.Policy(planner="overwrite"))
"""


@pytest.mark.slow
def test_what_a_kill_left_half_done_in_a_root_is_finished(ws: Path, opened: Open) -> None:
    (ws / "logs" / "app.log").write_bytes(b"line\n" * 100_000)
    process = start(KILLED, ws)
    _, words = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, words
    reading = opened(RootSpec(str(ws), writable=False)).place("logs/app.log").site()
    with pytest.raises(RecoveryNeededError):
        insitu.read(reading)
    roots = opened(ws)
    place = roots.place("logs/app.log")
    assert list(insitu.pending_below(roots.place(".").site())) == [place.path]
    with insitu.open(place.site()) as doc:
        assert doc[:] == b"LINE\n" * 100_000
    assert list(insitu.pending_below(roots.place(".").site())) == []
    insitu.undo(place.site())
    assert insitu.read(place.site()) == b"line\n" * 100_000


def functions_see(line: str) -> str:
    return line.replace("line", "LINE")


def test_worker_processes_read_the_file_that_was_opened(ws: Path, opened: Open) -> None:
    (ws / "logs" / "app.log").write_bytes(b"line\n" * 400_000)
    site = Site.of(BeneathVolume(str(ws)), "/logs/app.log")
    receipt = insitu.transform(site, f"{__file__}:functions_see", workers=2)
    assert receipt.splices == 400_000


@pytest.mark.parametrize("name", ["app-12:30:00.log", "aux.c", "con"])
def test_names_that_only_other_systems_refuse_can_be_used_where_they_are(
    ws: Path, opened: Open, name: str
) -> None:
    (ws / name).write_bytes(b"here")
    assert opened(ws).place(name).status() is not None
    with pytest.raises(ForbiddenPathError):
        opened(ws).place(f"logs/{name}")
