"""The log that everything is measured on: lines of about 100 bytes, known densities of matches, any size.

Deterministic: the same size gives the same bytes. A few stretches of varied lines are made once and
written in turn, each time with fresh line numbers, so that gigabytes take seconds and no line occurs twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STRETCH_LINES = 80_000  # about 8 MB
STRETCHES = 4
NUMBER_DIGITS = 10
SAMPLE_BYTES = 1_000_000
VERSION = 1  # part of the file's name: an input kept from other rules is not taken for this one
FOLDER_NAME, SAMPLE_NAME = "input", "sample"

# What occurs how often. Every line has exactly one EVERY_LINE.
RARE = "OLD_HOST"  # 1 line in 1,000, once
EVERY_LINE = "status="
WORDS = ("timeout", "refused", "unreachable", "overflow")  # 1 line in 500, one of them, once
DIGITS_AFTER_LITERAL = "OLD_HOST_[0-9]+"  # 1 line in 1,000
DIGITS_IN_MIDDLE = "ERROR [0-9]{6}77[0-9] "  # 1 line in 5,000; `ERROR ` and nine digits 1 in 50
ALTERNATION = "(" + "|".join(WORDS) + ")"

_HOSTS = tuple(f"web-{number:02}.example" for number in range(64))
_PATHS = (
    "/api/v1/orders",
    "/api/v1/items",
    "/login",
    "/search",
    "/static/site.css",
    "/api/v2/customers/by-name",
)
_LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "WARN")
_STATUSES = (200, 200, 200, 200, 201, 204, 304, 404)


@dataclass(frozen=True)
class Line:
    """One line of the input: where it starts, its number from 1, its text with the ending."""

    offset: int
    number: int
    text: bytes


@dataclass(frozen=True)
class Log:
    """The input."""

    path: Path
    sample: Path
    """A small log of the same kind, to load libraries with before the clock runs."""
    size: int

    def line_near(self, offset: int, size: int | None = None) -> Line:
        """The first whole line from ``offset`` on; with ``size``, the first of that many bytes."""
        with self.path.open("rb") as file:
            file.seek(offset)
            offset += len(file.readline())
            for text in file:
                if size is None or len(text) == size:
                    return Line(offset, int(text[:NUMBER_DIGITS]), text)
                offset += len(text)
        raise ValueError(f"there is no such line behind byte {offset}")

    def line_count(self) -> int:
        """How many lines there are, as the number of the last one says."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.size - 4096))
            return int(file.read().splitlines()[-1][:NUMBER_DIGITS])


def make(folder: Path, size: int) -> Log:
    """Makes the log in a folder, or takes the one kept there; whole lines, at most ``size`` bytes."""
    path = folder / FOLDER_NAME / f"log-{size}-{VERSION}"
    sample = folder / SAMPLE_NAME / "log"
    for wanted, wanted_size in ((path, size), (sample, SAMPLE_BYTES)):
        if not wanted.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            draft = wanted.with_suffix(".draft")
            _write(draft, wanted_size)
            draft.rename(wanted)
    return Log(path, sample, path.stat().st_size)


def _write(path: Path, size: int) -> None:
    left = size
    with path.open("wb") as file:
        for stretch in _numbered():
            piece = stretch if len(stretch) <= left else stretch[: stretch.rfind(b"\n", 0, left) + 1]
            left -= file.write(piece)
            if len(piece) < len(stretch):
                return


def _numbered() -> Iterator[bytes]:
    """Yields stretches for ever, each line with its number."""
    import numpy as np

    templates: list[tuple[Any, Any]] = []
    powers = 10 ** np.arange(NUMBER_DIGITS - 1, -1, -1, dtype=np.int64)
    first = 1
    while True:
        turn = (first // STRETCH_LINES) % STRETCHES
        if turn == len(templates):
            stretch = np.frombuffer("".join(_lines(turn)).encode("ascii"), np.uint8).copy()
            starts = np.concatenate(([0], np.flatnonzero(stretch == ord("\n"))[:-1] + 1))
            templates.append((stretch, starts))
        stretch, starts = templates[turn]
        numbers = np.arange(first, first + len(starts), dtype=np.int64)
        digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
        stretch[starts[:, None] + np.arange(NUMBER_DIGITS)] = digits
        yield stretch.tobytes()
        first += len(starts)


def _lines(seed: int) -> Iterator[str]:
    """Yields the lines of one stretch, each with room for its number."""
    chance = random.Random(seed)
    for _ in range(STRETCH_LINES):
        level = chance.choice(_LEVELS)
        if chance.random() < 1 / 50:
            level = f"ERROR {chance.randrange(10**9):09}"
        host = chance.choice(_HOSTS)
        if chance.random() < 1 / 1000:
            host = f"{RARE}_{chance.randrange(10**4):04}"
        text = f"GET {chance.choice(_PATHS)}/{chance.randrange(10**6)}"
        if chance.random() < 1 / 500:
            text = f"upstream {chance.choice(WORDS)}, tried {chance.randrange(9)} times"
        clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.random() * 60:06.3f}"
        yield (
            f"{'0' * NUMBER_DIGITS} 2026-03-{chance.randrange(1, 29):02}T{clock}Z {level} {host} "
            f"{text} {EVERY_LINE}{chance.choice(_STATUSES)} took={chance.randrange(10**4)}ms\n"
        )
