"""What every answer says of its file: version, size, encoding, line endings, how many lines."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from insitu.document import Document
from insitu.engine.snapshot import Generation
from insitu.views.inspection import kept_line_count
from insitu.workspace.excerpts import decoded

# Smaller files are counted before anybody could ask: a scan passes 64 MiB in 20 ms.
COUNTED_BYTES: Final = 64 << 20

_SAMPLE_BYTES: Final = 64 << 10
_VERSION_CHARACTERS: Final = 8


class LineCount(msgspec.Struct, frozen=True):
    """How many lines a file has.

    Args:
        count: of lines.
        exact: whether they were counted; else the count is estimated from the length of the first ones.
    """

    count: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.count:,}" if self.exact else f"about {self.count:,}"


def version_of(generation: Generation) -> str:
    """A short name for the contents a file has at one moment: 40 bits, as any two of one file differ.

    It goes by identity, size, time and our own commit number, and so costs one look at the file. A model
    passes it back; where it no longer fits, what an edit expects is compared, never the time alone.
    """
    from xxhash import xxh3_64_digest

    digest = xxh3_64_digest(generation.token.encode())
    return base64.b32encode(digest)[:_VERSION_CHARACTERS].decode().lower()


def line_count(document: Document, *, exact: bool = False) -> LineCount:
    """How many lines: counted where that is quick, is known already or is asked for; else estimated."""
    if exact or document.size <= COUNTED_BYTES or document.changed:
        return LineCount(len(document.lines), True)
    kept = kept_line_count(document.site, document.base)
    if kept is not None:
        return LineCount(kept, True)
    sample = document.read(0, _SAMPLE_BYTES)
    ended = max(1, sample.count(document.lines.newline))
    return LineCount(max(1, round(document.size * ended / len(sample))), False)


def line_ending(document: Document) -> str:
    """Which line endings the first lines have: ``LF``, ``CRLF``, ``CR``, ``mixed`` or ``none``."""
    text = decoded(document, document.read(0, min(_SAMPLE_BYTES, document.size)))
    crlf = text.count("\r\n")
    found = {"CRLF": crlf, "LF": text.count("\n") - crlf, "CR": text.count("\r") - crlf}
    if found["LF"] + found["CRLF"]:
        del found["CR"]  # a lone CR is text there
    present = [name for name, count in found.items() if count]
    return present[0] if len(present) == 1 else "mixed" if present else "none"


def line_is_ended(document: Document) -> bool:
    """Whether the last line has an ending."""
    newline = document.lines.newline
    return (
        document.size >= len(newline) and document.read(document.size - len(newline), len(newline)) == newline
    )
