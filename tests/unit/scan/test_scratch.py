"""Scratch memory: what a window frees is there for the next without a page fault."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from insitu.scan.scratch import keep_scratch

def window():
    arrays = [np.ones(100_000, np.uint8) for _ in range(20)]

if {kept}:
    keep_scratch()
for _ in range(3):
    window()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    window()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do as they please")
def test_what_a_window_frees_is_kept_for_the_next() -> None:
    faults = []
    for kept in (False, True):
        command = (sys.executable, "-c", FAULTS.format(kept=kept))
        faults.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    pages = 20 * 20 * 100_000 // resource.getpagesize()
    assert faults[1] < pages / 10 < faults[0]
