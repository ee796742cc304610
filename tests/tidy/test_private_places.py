"""No file of the project names the machine it was written on or a host that packages came from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

# Broken up so that this file passes its own test.
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/")
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org")
PRIVATE = re.compile("|".join(map(re.escape, (*MACHINE_PATHS, *REGISTRIES))))


def leaks(paths: Iterable[Path]) -> list[str]:
    """Returns each line of the text files that names such a place."""
    found = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{n}: {line}" for n, line in enumerate(text.splitlines(), 1) if PRIVATE.search(line)
        ]
    return found


def _project_files() -> list[Path]:
    """Returns the files git tracks, and those it would if they were added."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: which files belong to the project is unknown")
    return [path for path in (ROOT / name for name in names if name) if path.is_file()]


def test_no_file_of_the_project_names_a_private_place() -> None:
    files = _project_files()
    assert ROOT / "pyproject.toml" in files
    assert leaks(files) == []


@pytest.mark.parametrize("place", [*MACHINE_PATHS, *REGISTRIES])
def test_a_planted_place_is_found(tmp_path: Path, place: str) -> None:
    path = tmp_path / "notes.md"
    path.write_text(f"see\n{place}x for it\n", "utf-8")
    assert leaks([path]) == [f"{path}:2: {place}x for it"]
