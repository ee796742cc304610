"""The dialect of a file: what was said of it, and for the rest what a sample tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements
from insitu.errors import AmbiguousError, RequestError
from insitu.formats.csv_dialect import NEWLINES, Dialect
from insitu.formats.csv_sniff import sniff
from insitu.views.streaming import MassEdit, Source

# Enough for thousands of rows, and read in less than a millisecond.
SAMPLE_BYTES: Final = 256 << 10

# A sample that ends within its first row is taken again, this long.
SAMPLE_MAX_BYTES: Final = 1 << 20

_UTF8_MARK: Final = b"\xef\xbb\xbf"


class Given(NamedTuple):
    """What was said of a dialect; None: nothing. An empty quote or escape: there is none."""

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    lenient: bool | None = None
    newline: str | None = None


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A dialect, and what about it is uncertain: a sentence for each doubt, with what to give."""

    dialect: Dialect
    doubts: tuple[str, ...]

    def check_certain(self, path: str) -> None:
        """Refuses to write in a dialect that is a guess.

        Raises:
            AmbiguousError: something about it is uncertain; nothing was changed.
        """
        if self.doubts:
            raise AmbiguousError(
                f"How {path} is written is not certain: {' '.join(self.doubts)} Nothing was changed.",
                hint="Say it: doc.csv(delimiter=..., header=...), or --delimiter, --quote, --escape, "
                "--header, --lenient, --row-ends.",
                candidates=list(self.doubts),
                dialect=str(self.dialect),
            )


@dataclass(frozen=True, slots=True)
class InDialect:
    """A mass edit of CSV in the dialect that the file itself tells, under its lock.

    Args:
        edit: makes the edit for a dialect.
        given: what was said of the dialect.
    """

    edit: Callable[[Dialect], MassEdit]
    given: Given

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """As the edit's own.

        Raises:
            AmbiguousError: the dialect is a guess that could be wrong; nothing was changed.
        """
        found = sniffed(source, self.given)
        found.check_certain(source.path)
        yield from self.edit(found.dialect).batches(source, progress, cancel)


def sniffed(source: Source, given: Given) -> Sniffed:
    """The dialect of a file.

    Raises:
        RequestError: the encoding cannot be scanned for it, or what was given is no part of a dialect.

    Cost: reads 256 KiB, or 1 MiB where the first row is longer.
    """
    known, names = _known(given)
    reader = source.reader
    head = reader.read(0, min(len(_UTF8_MARK), reader.size))
    known = replace(known, bom=_UTF8_MARK if head == _UTF8_MARK else b"")
    replace(known, delimiter=b",", quote=None, escape=None).check_encoding(source.text.name)
    start = len(known.bom)
    for size in (SAMPLE_BYTES, SAMPLE_MAX_BYTES):
        sample = reader.read(start, min(size, reader.size - start))
        if b"\n" in sample or b"\r" in sample:
            break
    guess = sniff(sample, known, frozenset(names))
    guess.dialect.check_encoding(source.text.name)
    return Sniffed(guess.dialect, guess.doubts)


def _known(given: Given) -> tuple[Dialect, list[str]]:
    """The dialect as far as it was given, and which attributes were."""
    said: dict[str, Any] = {name: value for name, value in given._asdict().items() if value is not None}
    if said.get("newline", "any") not in NEWLINES:
        raise RequestError(
            f"{said['newline']!r} cannot end rows.", hint=r"Give '\n' (LF and CR LF), '\r' or 'any'."
        )
    for name in ("delimiter", "quote", "escape"):
        if name in said:
            said[name] = _byte(name, said[name])
    return Dialect(**said), list(said)


def _byte(name: str, character: str) -> bytes | None:
    if not character and name != "delimiter":
        return None
    if not character.isascii():
        raise RequestError(f"{character!r} cannot be the {name}: it is not one ASCII character.")
    return character.encode("ascii")
