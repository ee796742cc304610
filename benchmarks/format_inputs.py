"""The inputs with a format: CSV with quoted newlines, JSON Lines, Markdown; any size, deterministic.

As the log (see ``inputs``): stretches of varied items are made once and written in turn, each time with
fresh numbers. How many items there are follows from the size, so that cases are described without making
a file; what a correct edit makes of a file is generated, too, and never stored.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.inputs import FOLDER_NAME, SAMPLE_NAME

VERSION = 1  # part of the names: an input kept from other rules is not taken for this one
FIRST_NUMBER = 1_000_000_000  # ten digits, none of them a zero that a reader of numbers would drop
NUMBER_DIGITS = 10
STRETCH_BYTES = 4_000_000
STRETCHES = 3
PLACE = b"0" * NUMBER_DIGITS

# Mean sizes that the items below have: 2 GB are 20 million rows.
ROW_BYTES, RECORD_BYTES, SECTION_BYTES = 100, 200, 2_000
JSONL_SHARE, MARKDOWN_SHARE = 2, 10  # of the size of the CSV file: one in so many
SAMPLE_ITEMS = 2_000

HEADER = b"id,name,status,value,note\n"
CONDITION = "status = 'pending' and value > 1000"  # 1 row in 10
FEW, FEW_CONDITION = 100, "status = 'lost'"
NEW_STATUS = "processed"
KIND, NEW_STATE = "returned", "checked"  # of 1 record in 100; what is set in them
SECTIONS_PER_CHAPTER = 100

_NAMES = ("Anna Nowak", "Müller, Jörg", "Li Wei", "O'Neill, Sam", "Ada Lovelace", "José María")
_STATUSES = ("pending", "shipped", "paid", "open", "closed")
_TEXT = "the parcel was left with a neighbour who signed for it and said nothing else at all"
_WORDS = tuple(_TEXT.split(" "))


class Item(NamedTuple):
    """One row, record or section, with ``PLACE`` where its number goes, and what an edit makes of it."""

    text: bytes
    edited: bytes


@dataclass(frozen=True)
class FormatInput:
    """One input.

    Args:
        path: where it is, once ``make`` was called.
        sample: a small file of the same kind, to load libraries with before the clock runs.
        count: how many items it holds.
        head: what precedes them.
        item: makes one.
        item_bytes: about how large one is.
        rare: what stands in the place of some, where there are such.
    """

    path: Path
    sample: Path
    count: int
    head: bytes
    item: Callable[[random.Random], Item]
    item_bytes: int
    rare: Item | None = None

    def make(self) -> None:
        """Makes the input and the sample, unless they are there."""
        for wanted, count in ((self.path, self.count), (self.sample, SAMPLE_ITEMS)):
            if not wanted.exists():
                wanted.parent.mkdir(parents=True, exist_ok=True)
                draft = wanted.with_suffix(".draft")
                with draft.open("wb") as file:
                    file.writelines(self._content(count, edited=False, few=False))
                draft.rename(wanted)

    def unedited(self) -> Iterator[bytes]:
        """Yields the input itself."""
        return self._content(self.count, edited=False, few=False)

    def edited(self) -> Iterator[bytes]:
        """Yields what is right after the edit of the many items."""
        return self._content(self.count, edited=True, few=False)

    def edited_few(self) -> Iterator[bytes]:
        """Yields what is right after the edit of the rare items."""
        return self._content(self.count, edited=False, few=True)

    def numbers_of_rare(self) -> range:
        """Which items, from 0, are the rare ones."""
        step = max(1, self.count // FEW)
        return range(step // 2, self.count, step)[:FEW]

    def _content(self, count: int, *, edited: bool, few: bool) -> Iterator[bytes]:
        yield self.head
        rare = set(self.numbers_of_rare()) if self.rare and count == self.count else set()
        most = STRETCH_BYTES // self.item_bytes
        for first in range(0, count, most):
            stretch = _stretch(self.item, most, first // most % STRETCHES, edited)
            items = range(first, min(first + most, count))
            text, starts = _numbered(stretch, first, len(items))
            at = 0
            for number in sorted(rare.intersection(items)):
                assert self.rare is not None
                yield text[at : starts[number - first]]
                template = self.rare.edited if few else self.rare.text
                yield template.replace(PLACE, str(FIRST_NUMBER + number).encode())
                at = starts[number - first + 1]
            yield text[at:]


class _Stretch(NamedTuple):
    text: Any  # an array of bytes
    starts: Any  # of the items, and behind the last
    places: Any  # of their numbers


@cache
def _stretch(item: Callable[[random.Random], Item], count: int, seed: int, edited: bool) -> _Stretch:
    import numpy as np

    chance = random.Random(seed)
    items = [item(chance)[edited] for _ in range(count)]
    starts = np.cumsum([0, *map(len, items)])
    places = starts[:-1] + [each.index(PLACE) for each in items]
    return _Stretch(np.frombuffer(b"".join(items), np.uint8), starts, places)


def _numbered(stretch: _Stretch, first: int, count: int) -> tuple[bytes, list[int]]:
    """The first items of a stretch with their numbers, and where each starts."""
    import numpy as np

    text = stretch.text[: stretch.starts[count]].copy()
    numbers = np.arange(FIRST_NUMBER + first, FIRST_NUMBER + first + count, dtype=np.int64)
    powers = 10 ** np.arange(NUMBER_DIGITS - 1, -1, -1, dtype=np.int64)
    digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    text[stretch.places[:count, None] + np.arange(NUMBER_DIGITS)] = digits
    return text.tobytes(), stretch.starts[: count + 1].tolist()


@dataclass(frozen=True)
class FormatInputs:
    """All inputs with a format."""

    csv: FormatInput
    jsonl: FormatInput
    markdown: FormatInput


def format_inputs(folder: Path, size: int) -> FormatInputs:
    """The inputs in a folder, for a CSV file of about ``size`` bytes; makes none."""

    def placed(name: str) -> tuple[Path, Path]:
        path = folder / FOLDER_NAME / f"{name}-{size}-{VERSION}"
        sample = folder / SAMPLE_NAME / name
        return path.with_name(f"{path.name}.{name}"), sample.with_suffix(f".{name}")

    rare = _row(b"lost", b"7.50", b"")
    return FormatInputs(
        FormatInput(*placed("csv"), size // ROW_BYTES, HEADER, _csv_row, ROW_BYTES, rare),
        FormatInput(*placed("jsonl"), size // JSONL_SHARE // RECORD_BYTES, b"", _json_record, RECORD_BYTES),
        FormatInput(*placed("md"), size // MARKDOWN_SHARE // SECTION_BYTES, b"", _section, SECTION_BYTES),
    )


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))


def _row(status: bytes, value: bytes, note: bytes, name: bytes = b'"Anna Nowak"') -> Item:
    head, tail = PLACE + b"," + name + b",", b"," + value + b"," + note + b"\n"
    changes = status == b"lost" or (status == b"pending" and float(value) > 1000)
    return Item(head + status + tail, head + (NEW_STATUS.encode() if changes else status) + tail)


def _csv_row(chance: random.Random) -> Item:
    """A row as shops export them: names in quotes, notes of all kinds, amounts with two decimals."""
    kind = chance.random()
    note = _words(chance, 12)
    if kind < 0.10:
        note = f'"{note}\nand then: ""{_words(chance, 3)}"", {_words(chance, 2)}"'
    elif kind < 0.30:
        note = f'"{note}, {_words(chance, 2)}"'
    elif kind < 0.40:
        note = chance.choice(("", '""', "N/A", "null"))
    value = f"{chance.random() * 2000:.2f}"
    name = f'"{chance.choice(_NAMES)}"'
    return _row(chance.choice(_STATUSES).encode(), value.encode(), note.encode(), name.encode())


def _json_record(chance: random.Random) -> Item:
    """A record as ``json.dumps`` spaces them, but with amounts as people write them."""
    kind = KIND if chance.random() < 0.01 else chance.choice(("sold", "ordered", "moved"))
    name = json.dumps(chance.choice(_NAMES), ensure_ascii=False)
    tail = (
        f'", "name": {name}, "price": {chance.random() * 2000:.2f}, '
        f'"place": {{"row": {chance.randrange(100)}, "shelf": {chance.randrange(20)}}}, '
        f'"note": "{_words(chance, 12)}"}}\n'
    )
    head = f'{{"id": {PLACE.decode()}, "kind": "{kind}", "state": "'
    new = NEW_STATE if kind == KIND else "new"
    return Item((head + "new" + tail).encode(), (head + new + tail).encode())


def _section(chance: random.Random) -> Item:
    """A section with what looks like headings and is none; ``headings`` says how many it has."""
    parts = [f"## Section {PLACE.decode()}\n\n"]
    while sum(map(len, parts)) < SECTION_BYTES - 300:
        kind = chance.random()
        if kind < 0.1:
            parts.append(f"```sh\n# {_words(chance, 4)}\nmake {_words(chance, 6)}\n```\n\n")
        elif kind < 0.2:
            parts.append("".join(f"- {_words(chance, 9)}\n" for _ in range(5)) + "\n")
        elif kind < 0.25:
            parts.append(f"> {_words(chance, 12)}\n> # {_words(chance, 2)}\n\n")
        else:
            parts.append("".join(_words(chance, 14) + "\n" for _ in range(chance.randrange(2, 7))) + "\n")
    parts.append(f"{_words(chance, 3).capitalize()}\n---------------\n\n{_words(chance, 30)}\n\n")
    text = "".join(parts).encode()
    return Item(text, text)


HEADINGS_PER_SECTION = 2
