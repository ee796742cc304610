"""Keys of titles: numbers that titles share if they compare equal, made for whole windows at once.

A key is the sum, modulo 2**64, of a fixed number for each letter and digit of a title, in whatever order;
that of the family leaves the digits out. So titles that compare equal, and those whose slugs differ by a
number at most, are among the few that share a key, and only those have to be read to be compared. Markup
between letters does not matter; where it hides letters (links, tags, entities), and where letters are not
ASCII, the title is looked at by itself.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from insitu.formats.markdown_rules import ATX
from insitu.formats.markdown_titles import TITLE_BYTES_MAX, capped_title, joined, normalized
from insitu.formats.markdown_window import pooled

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.markdown_window import Offsets

    Table = np.ndarray[Any, np.dtype[np.uint64]]

_MASK: Final = (1 << 64) - 1

# Source: the increment and mixer of SplitMix64 (Steele, Lea and Flood, 2014).
_STEP: Final = 0x9E3779B97F4A7C15

_HIDING: Final = b"[<&"


def key(title: bytes, encoding: str) -> tuple[int, int]:
    """The key of a title, and that of its family, as signed 64-bit numbers."""
    return text_key(title.decode(encoding, "surrogateescape"))


def text_key(title: str) -> tuple[int, int]:
    """As ``key``, of a title as text."""
    letters = list(filter(str.isalnum, normalized(title)))
    whole = sum(_mixed(ord(letter)) for letter in letters)
    family = sum(_mixed(ord(letter)) for letter in letters if letter not in "0123456789")
    return _signed(whole), _signed(family)


def window_keys(view: memoryview, starts: Offsets, ends: Offsets, encoding: str) -> tuple[Offsets, Offsets]:
    """The keys and families of the headings at these places of a view: ATX, or a title of one line."""
    import numpy as np

    if not len(starts):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pool, cuts = pooled(np.frombuffer(view, np.uint8), starts, ends)
    table, letters, hidden = _tables()
    keys = np.add.reduceat(table[pool], cuts).view(np.int64)
    families = np.add.reduceat(letters[pool], cuts).view(np.int64)
    hiding = np.logical_or.reduceat(hidden[pool], cuts)
    for line in np.flatnonzero(hiding).tolist():
        text = bytes(view[starts[line] : ends[line]])
        # The line over an underline comes without it.
        title = capped_title(text, len(text)) if ATX.match(text.lstrip(b" ")) else joined(text)
        keys[line], families[line] = key(title[:TITLE_BYTES_MAX], encoding)
    return keys, families


@functools.lru_cache(maxsize=1024)
def _mixed(code: int) -> int:
    value = (code + 1) * _STEP & _MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


@functools.cache
def _tables() -> tuple[Table, Table, Any]:
    """For each byte what it adds to the key and to the family, and whether it hides letters."""
    import numpy as np

    whole, letters = np.zeros(256, np.uint64), np.zeros(256, np.uint64)
    for byte in filter(lambda byte: chr(byte).isalnum(), range(128)):
        whole[byte] = _mixed(ord(chr(byte).lower()))
        letters[byte] = 0 if chr(byte).isdigit() else whole[byte]
    hidden = np.zeros(256, np.bool_)
    hidden[list(_HIDING)] = True
    hidden[128:] = True
    return whole, letters, hidden
