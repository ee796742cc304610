"""What machine and which versions the figures are from; never its name."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PROGRAMS = ("rg", "sed", "perl", "tail", "wc", "jq")
_PACKAGES = (
    *("numpy", "stringzilla", "google-re2", "hyperscan", "xxhash", "click"),
    *("sqlglot", "msgspec", "pandas", "polars", "duckdb"),
)


def machine(folder: Path) -> dict[str, str | int]:
    """Processor, memory, kernel, and the file system of a folder."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "file_system": _file_system(folder.resolve()),
    }


def slug(described: dict[str, str | int]) -> str:
    """The machine in a word that can name a folder."""
    words = f"{described['cores']}x {described['processor']} {described['file_system']}"
    words = re.sub(r"\((R|TM)\)|\bprocessor\b|\bcpu\b", " ", words, flags=re.IGNORECASE)
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))


def versions() -> dict[str, str]:
    """What takes part, each with its version, or said to be missing."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    for name in _PROGRAMS:
        found[name] = _program_version(name)
    return found


def load() -> float:
    """How many processes were running or waiting, on average over the last minute."""
    return os.getloadavg()[0]


def _program_version(name: str) -> str:
    try:
        said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return "missing"
    number = re.search(r"\d+(\.\d+)+", said)
    return number[0] if number else "unknown"


def _processor() -> str:
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the mount that holds the folder: the longest mount point above it."""
    best, kind = "", "unknown"
    mounts = Path("/proc/mounts")
    for line in mounts.read_text("utf-8", "replace").splitlines() if mounts.exists() else ():
        _, point, name, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind
