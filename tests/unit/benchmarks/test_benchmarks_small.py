"""The benchmarks run through on a small file, and every output of insitu is the peers'."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

LOG_CASES = {
    *("overwrite", "insert-middle", "insert-late", "delete-half", "delete-blocks"),
    *("replace-same", "replace-longer", "replace-every-same", "replace-every-longer"),
    *("index", "find-literal", "find-digits-after-literal", "find-digits-in-middle", "find-words"),
    *("line", "reads-warm", "reads-cold", "help"),
}
FORMAT_CASES = {
    *("csv-update", "csv-update-few", "csv-cell", "csv-index", "md-outline", "md-section"),
    *("jsonl-insert", "jsonl-update", "jsonl-set", "transform-lines", "chunk-md", "chunk-text"),
}
# One of each kind: every case starts some ten interpreters, and waits as often until all disks are written.
LOG_KINDS = {
    "overwrite",
    "insert-middle",
    "delete-blocks",
    "replace-every-longer",
    "find-words",
    "line",
    "help",
}
FORMAT_KINDS = {"csv-update-few", "csv-index", "md-section", "jsonl-set", "transform-lines", "chunk-text"}
PEERS_EVERYWHERE = {
    *("sed -i", "tail -c && mv", "wc -l", "copy_file_range to a new file", "seek and read"),
    *("csv.DictReader and DictWriter", "json.loads and dumps", "a loop over the lines"),
}
CHANGES_COUNTED = {"csv-update", "csv-update-few", "csv-cell", "jsonl-update", "jsonl-set"}


@pytest.mark.slow
@pytest.mark.parametrize(("names", "size"), [(LOG_KINDS, "8M"), (FORMAT_KINDS, "4M")], ids=["log", "formats"])
def test_each_kind_of_case_is_reported_and_its_output_verified(
    names: set[str], size: str, tmp_path: Path
) -> None:
    _check_run(names, size, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize(("names", "size"), [(LOG_CASES, "8M"), (FORMAT_CASES, "4M")], ids=["log", "formats"])
def test_every_case_is_reported_and_its_output_verified(names: set[str], size: str, tmp_path: Path) -> None:
    _check_run(names, size, tmp_path)


def _check_run(names: set[str], size: str, tmp_path: Path) -> None:
    output = tmp_path / "results"
    sizes = ["--size", size, "--runs", "1", *(word for name in sorted(names) for word in ("--only", name))]
    places = ["--folder", str(tmp_path / "inputs"), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *sizes, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((output / "results.json").read_text("utf-8"))
    cases = {case["name"]: case for case in results["cases"]}
    assert set(cases) == {name for name in LOG_CASES | FORMAT_CASES if any(part in name for part in names)}, (
        "--only takes the cases whose names hold one of its words"
    )
    for name, case in cases.items():
        assert f"{name}: {case['title']}" in done.stdout
        for each in case["contestants"]:
            _check(each, f"{name}: {each['name']}")
        if name in CHANGES_COUNTED:
            counts = {each["ours"]: each["others_changed"] for each in case["contestants"] if each["seconds"]}
            assert counts.pop(True) == 0, name
            assert all(counts.values()), f"{name}: every peer changes what it was not asked to"
    left = {path.name for path in (tmp_path / "inputs").iterdir()}
    assert left <= {"stdout", "stderr"}
    assert str(tmp_path) not in (output / "results.json").read_text("utf-8")


def _check(contestant: dict[str, object], where: str) -> None:
    """It was measured and verified, or says why not; insitu and the peers of every system were measured."""
    assert not contestant["differs"], where
    if not contestant["seconds"]:
        assert not str(contestant["why_not"]).startswith("failed"), (where, contestant["why_not"])
        assert contestant["why_not"], where
        assert contestant["name"] not in PEERS_EVERYWHERE or "root" in str(contestant["why_not"]), where
        return
    assert contestant["verified"], where
    assert contestant["verified"] != "nothing to compare it with", where


def test_an_unknown_case_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--size", "4M", "--only", "nothing", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "insert-middle" in done.stderr
