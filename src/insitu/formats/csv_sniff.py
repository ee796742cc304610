"""Telling a CSV dialect from a sample: the one under which the sample makes the most uniform table.

Every delimiter is tried. A table is uniform where most rows have the same number of cells, and cells look
like values: numbers, words, quoted texts, not like several values with another delimiter between them. What
is not certain is said in words, and never settled by taste: who is to write gives the answer.

Source: the idea of table uniformity in W. Garcia, "Detecting CSV file dialects by table uniformity
measurement and data type inference", Data Science 7(2), 2024; the measure here is simpler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from insitu.errors import FormatError
from insitu.formats.csv_cells import WrittenRow, decoded, parse_row
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import row_widths

DELIMITERS: Final = (b",", b"\t", b";", b"|")
ESCAPE: Final = b"\\"

# Cells of so many rows are looked at; uniformity is measured over all rows of the sample.
_ROWS_LOOKED_AT: Final = 200

# A guess whose rival makes a table this good in proportion is in doubt.
_RIVAL: Final = 0.75

# Below this much uniformity nothing is a table.
_UNIFORM: Final = 0.6

_NUMBER: Final = re.compile(rb"\s*[-+]?[$]?[\d.,' ]*\d[\d.,' ]*(?:[eE][-+]?\d+)?\s*%?\s*")
_TIME: Final = re.compile(rb"\s*\d[\d\-/.:TZ+ ]*\s*")


@dataclass(frozen=True, slots=True)
class Guess:
    """A dialect, and what about it is uncertain: a sentence for each doubt, with what to give."""

    dialect: Dialect
    doubts: tuple[str, ...] = ()


class _Tried(NamedTuple):
    score: float
    dialect: Dialect
    width: int


def sniff(sample: bytes, known: Dialect, given: frozenset[str]) -> Guess:
    """The dialect of a sample that starts where the file does, behind its byte order mark.

    Args:
        sample: whole rows, but that the last may be cut.
        known: what was given, and where nothing was, what to assume of a sample that tells nothing.
        given: the names of the attributes that were given.
    """
    if not sample:
        missing = ", ".join(name for name in ("delimiter", "header") if name not in given)
        return Guess(known, (f"The file is empty: nothing tells its {missing}.",) if missing else ())
    doubts: list[str] = []
    dialect = known if "newline" in given else _ended(sample, known, doubts)
    dialect, width = _delimited(sample, dialect, given, doubts)
    dialect = replace(dialect, lenient=known.lenient)
    if "quote" not in given:
        dialect = _quoted(sample, dialect, doubts)
    if "lenient" not in given:
        dialect = _strict(sample, dialect, doubts)
    if "header" not in given:
        dialect = _headed(sample, dialect, width, doubts)
    return Guess(dialect, tuple(doubts))


def _ended(sample: bytes, known: Dialect, doubts: list[str]) -> Dialect:
    """What ends rows."""
    if b"\r" not in sample:
        return known
    if b"\n" not in sample:
        # A CR as the last byte of a sample may have its LF behind it.
        return replace(known, newline="\r") if b"\r" in sample[:-1] else known
    lone = re.search(rb"\r(?!\n|\Z)", sample)
    if lone is None:
        return known
    texts = replace(known, newline="\n", lenient=True)
    ends = replace(known, newline="any", lenient=True)
    if len(row_widths(sample, texts)) == len(row_widths(sample, ends)):
        return known  # all of them in quotes
    doubts.append(
        "Rows end with LF, and lone CRs could end some, too, or be text: give newline='any' or newline='\\n'."
    )
    return replace(known, newline="any")


def _delimited(
    sample: bytes, known: Dialect, given: frozenset[str], doubts: list[str]
) -> tuple[Dialect, int]:
    """The dialect with the delimiter and the escape that make the best table, and its width."""
    if "delimiter" in given:
        delimiters: tuple[bytes, ...] = (known.delimiter,)
    else:
        taken = (known.quote, known.escape)
        delimiters = tuple(byte for byte in DELIMITERS if byte not in taken)
    tried = []
    for delimiter in delimiters:
        for escape in _escapes(sample, delimiter, known, given):
            dialect = replace(known, delimiter=delimiter, escape=escape, lenient=True)
            tried.append(_measured(sample, dialect))
    best = max(tried, key=lambda one: one.score)
    if "delimiter" in given:
        return best.dialect, best.width
    rivals = [one for one in tried if one.dialect.delimiter != best.dialect.delimiter]
    rival = max(rivals, key=lambda one: one.score)
    if best.score < _UNIFORM:
        present = [byte for byte in delimiters if byte in sample]
        if not present:
            return known, 1  # one column: no delimiter occurs
        doubts.append(
            "No delimiter splits the rows evenly: give delimiter=, one of "
            f"{', '.join(repr(byte.decode()) for byte in present)} or another one."
        )
    elif rival.score > _RIVAL * best.score:
        doubts.append(
            f"The delimiter could be {best.dialect.delimiter.decode()!r} ({best.width} columns) or "
            f"{rival.dialect.delimiter.decode()!r} ({rival.width} columns): give delimiter=."
        )
    return best.dialect, best.width


def _escapes(
    sample: bytes, delimiter: bytes, known: Dialect, given: frozenset[str]
) -> tuple[bytes | None, ...]:
    """The escapes to try."""
    if "escape" in given:
        return (known.escape,)
    special = [ESCAPE + byte for byte in (delimiter, known.quote) if byte is not None]
    return (None, ESCAPE) if any(pair in sample for pair in special) else (None,)


def _measured(sample: bytes, dialect: Dialect) -> _Tried:
    """How good a table a dialect makes of the sample: from 0 to 1."""
    import numpy as np

    widths = row_widths(sample, dialect)
    filled = widths[widths > 0]
    if not len(filled):
        return _Tried(0.0, dialect, 1)
    counts = np.bincount(filled)
    width = int(counts.argmax())
    share = float(counts[width] / len(filled))
    # Rows with one cell are no table; where there are few rows, a wide one tells more than a narrow one.
    if width < 2:
        return _Tried(0.0, dialect, 1)
    looks = _values(sample, dialect)
    strict = 1.0 if fault(sample, dialect) is None else 0.9
    # The plainer of two dialects that make the same table wins: without an escape.
    plain = 1.0 if dialect.escape is None else 0.99
    return _Tried(share * looks * strict * plain, dialect, width)


def _values(sample: bytes, dialect: Dialect) -> float:
    """Which share of the first cells looks like one value each."""
    others = bytes(set(b"".join(DELIMITERS)) - set(dialect.delimiter))
    good = count = 0
    for row in _rows(sample, dialect):
        for cell in row.cells:
            text = row.data[cell.start : cell.stop]
            count += 1
            good += (
                cell.quoted or not any(byte in text for byte in others) or _NUMBER.fullmatch(text) is not None
            )
    return good / count if count else 0.0


def _rows(sample: bytes, dialect: Dialect) -> list[WrittenRow]:
    """The first rows of the sample."""
    from insitu.formats.csv_scan import first_rows

    return [parse_row(data, dialect) for data in first_rows(sample, dialect, _ROWS_LOOKED_AT)]


def _quoted(sample: bytes, dialect: Dialect, doubts: list[str]) -> Dialect:
    """Whether cells stand in single quotes instead of double ones."""
    if b"'" not in sample or (dialect.quote is not None and dialect.quote in sample):
        return dialect
    single = replace(dialect, quote=b"'", lenient=True)
    rows = _rows(sample, single)
    quoted = sum(any(cell.quoted for cell in row.cells) for row in rows)
    if not quoted:
        return dialect
    if 2 * quoted >= len(rows) and fault(sample, single) is None:
        return single
    doubts.append("Some cells stand in single quotes: give quote=\"'\" if those are quotes, else quote='\"'.")
    return dialect


def _strict(sample: bytes, dialect: Dialect, doubts: list[str]) -> Dialect:
    """Whether all quotes are where they may be."""
    wrong = fault(sample, dialect)
    if wrong is None:
        return replace(dialect, lenient=False)
    doubts.append(
        f"A quote is misplaced, or text follows a closing one, at byte {wrong + len(dialect.bom):,}: "
        "give lenient=True to take such cells as they are written."
    )
    return replace(dialect, lenient=True)


def _headed(sample: bytes, dialect: Dialect, width: int, doubts: list[str]) -> Dialect:
    """Whether the first row names the columns."""
    rows = _rows(sample, dialect)
    first = [decoded(rows[0], at, dialect) for at in range(len(rows[0].cells))]
    numbers = sum(bool(_NUMBER.fullmatch(text) or _TIME.fullmatch(text)) for text in first)
    if not numbers:
        return replace(dialect, header=True)
    if numbers < sum(map(bool, first)):
        doubts.append(
            "The first row holds numbers beside words, so it could name the columns or be data: give header="
            "True or header=False."
        )
    return replace(dialect, header=False)


def fault(sample: bytes, dialect: Dialect) -> int | None:
    """Where a strict dialect would not read the sample; None where it would."""
    try:
        row_widths(sample, replace(dialect, lenient=False))
    except FormatError as error:
        return int(error.facts["offset"])
    return None
