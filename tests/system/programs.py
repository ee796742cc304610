"""Other programs, which the tests run beside themselves: Python with insitu on its path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import insitu

_SOURCES = str(Path(insitu.__file__).parents[1])
ENVIRONMENT = {**os.environ, "PYTHONPATH": _SOURCES}


def start(
    code: str, *arguments: object, python: str = sys.executable, preload: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program whose source is ``code``; its standard streams are pipes.

    Args:
        preload: a library that the program loads before all others.
    """
    return subprocess.Popen(
        [python, "-c", code, *map(os.fspath, map(_argument, arguments))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT if preload is None else {**ENVIRONMENT, "LD_PRELOAD": str(preload)},
    )


def ended(processes: Iterable[subprocess.Popen[bytes]], timeout_s: float = 240) -> list[bytes]:
    """What each program printed; fails with the words of any that failed."""
    printed = []
    failures = []
    for process in processes:
        out, words = process.communicate(timeout=timeout_s)
        printed.append(out)
        if process.returncode:
            failures.append(f"exit {process.returncode}: {words.decode(errors='replace')[-2000:]}")
    if failures:
        raise AssertionError("\n".join(failures))
    return printed


def run(code: str, *arguments: object) -> bytes:
    """What a program printed that ended well."""
    return ended([start(code, *arguments)])[0]


def _argument(value: object) -> str | bytes | os.PathLike[str]:
    return value if isinstance(value, str | bytes | os.PathLike) else str(value)
