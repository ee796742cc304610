"""Files of ours that hold any bytes at all: nothing is written but what they may name, nothing trips."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import entries

ENTRIES = (entries.journal, entries.super_journal, entries.history, entries.index)
ROOT = Path(__file__).parents[2]

# What atheris gets for each kind of file in `make proof`; INSITU_LONG is how many times that.
SECONDS = 300


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_no_bytes_lead_astray(entry: Callable[[bytes], None]) -> None:
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.binary(max_size=48))
    def fuzzed(data: bytes) -> None:
        entry(data)

    fuzzed()


@pytest.mark.proof
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed here")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_no_bytes_that_coverage_leads_to_lead_astray(entry: Callable[[bytes], None], tmp_path: Path) -> None:
    seconds = SECONDS * max(1, int(os.environ.get("INSITU_LONG") or 1))
    paths = os.pathsep.join(path for path in (str(ROOT), *sys.path) if path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.atheris_run", entry.__name__, str(seconds)],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    runs = re.search(r"Done (\d+) runs", done.stderr)
    print(f"{entry.__name__}: {runs[1] if runs else 'no'} runs in {seconds} s")
    assert done.returncode == 0 and runs, done.stdout[-4000:] + done.stderr[-4000:]
