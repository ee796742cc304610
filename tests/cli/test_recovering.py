"""Recovery from real kills, in files and trees, and the tour."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from insitu.cli.tour_crash import crash
from insitu.cli.tour_log import BLOCK_LINES, Log, file_digest
from tests.cli.running import run, run_process

LINES = 400_000


def torn(path: Path) -> bytes:
    """Leaves a file half-edited by a killed process; returns what it must become."""
    old = b"".join(b"%08d some words\n" % number for number in range(LINES))
    path.write_bytes(old)
    killed = crash(str(path), 3, "inserted")
    assert killed.exit_code == -9
    assert 0.5 <= killed.done / killed.total < 1
    assert path.read_bytes() != old
    lines = old.splitlines(keepends=True)
    return b"".join([*lines[:2], b"inserted\n", *lines[2:]])


@pytest.mark.slow
def test_a_torn_file_is_not_shown_but_told_of_and_recovered(tmp_path: Path) -> None:
    path = tmp_path / "big"
    new = torn(path)
    assert run("read", path, "--lines", 1).code == 6
    assert run("write", path, "--lines", 1, "--text", "x", "--dry-run").code == 6
    assert run("info", path, "--json").json["pending"]["planner"] == "shift"
    assert run("doctor", path, "--json").json["pending"]["operation"] == 1
    done = run("recover", path)
    assert (done.code, done.err) == (0, f"{path}: finished operation 1: the file is new\n")
    assert path.read_bytes() == new
    assert run("recover", path).err == f"{path}: nothing to recover\n"
    assert run("undo", path).code == 0


@pytest.mark.slow
def test_the_next_edit_recovers_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "big"
    new = torn(path)
    assert run("insert", path, "--end", "--text", "last").code == 0
    assert path.read_bytes() == new + b"last\n"


@pytest.mark.slow
def test_a_tree_is_recovered_as_far_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    wanted = {path: torn(path) for path in (tmp_path / "one", tmp_path / "a" / "b" / "two")}
    damaged = tmp_path / "a" / "damaged"
    damaged.write_bytes(b"contents")
    state = tmp_path / "a" / ".insitu" / "damaged.d"
    state.mkdir(parents=True, mode=0o700)
    (state / "journal").write_bytes(b"nonsense")
    done = run("recover", tmp_path, "--json")
    assert done.code == 6
    assert {found["outcome"] for found in done.json["recovered"]} == {"new"}
    assert [failure["path"] for failure in done.json["failures"]] == [str(damaged)]
    assert {path: path.read_bytes() for path in wanted} == wanted
    assert damaged.read_bytes() == b"contents"


def test_a_tree_with_nothing_pending_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert run("recover", tmp_path)[:] == (0, b"", f"{tmp_path}: nothing to recover\n")
    assert run("recover", tmp_path, "--json").json["recovered"] == []


def test_forcing_both_ways_or_a_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert run("recover", path, "--force-undo", "--force-redo").code == 2
    assert run("recover", tmp_path, "--force-undo").code == 2
    assert run("recover", path, "--force-undo").code == 0


@pytest.mark.slow
def test_the_tour_ends_where_it_began_and_leaves_nothing(tmp_path: Path) -> None:
    done = run_process("demo", "--size", "20M", "--folder", tmp_path)
    text = done.out.decode()
    assert (done.code, done.err) == (0, "")
    assert "Killed by signal 9" in text
    assert text.count("SHA-256") == 2
    assert "DIFFER" not in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_tour_in_json_has_the_figures(tmp_path: Path) -> None:
    figures = run("demo", "--size", "8M", "--folder", tmp_path, "--json").json
    assert figures["killed_at"] >= 0.5
    assert figures["file_bytes"] <= 8_000_000


@pytest.mark.parametrize("size", ["0", "1K", "x", "5T", "-1G"])
def test_the_tour_refuses_sizes_that_make_no_sense(size: str) -> None:
    assert run("demo", "--size", size).code == 2


def test_the_log_of_the_tour_can_be_hashed_in_any_version(tmp_path: Path) -> None:
    log = Log.of_size(2_000_000)
    path = str(tmp_path / "log")
    assert log.write(path) == file_digest(path) == log.digest(list)
    lines = Path(path).read_bytes().splitlines(keepends=True)
    assert len(lines) == log.line_count
    assert len(set(lines)) == log.line_count
    assert Path(path).stat().st_size == log.size
    changed = [*lines]
    changed[log.middle - 1] = b"changed\n"
    middle = BLOCK_LINES // 2 - 1
    expected = log.digest(lambda block: [*block[:middle], b"changed\n", *block[middle + 1 :]])
    assert hashlib.sha256(b"".join(changed)).hexdigest() == expected
