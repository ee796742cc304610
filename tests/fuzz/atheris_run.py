"""Lets atheris, which is guided by coverage, look for bytes that an entry does not stand: ENTRY SECONDS."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["insitu.core", "insitu.engine", "tests.fuzz"]):
    from tests.fuzz import entries

if __name__ == "__main__":
    name, seconds = sys.argv[1:]
    options = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=96", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([*options, "-print_final_stats=1"], getattr(entries, name))
    atheris.Fuzz()
