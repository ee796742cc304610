"""How many tokens a model sees in a text, estimated from pairs of neighbouring bytes.

A token of English prose is a word or so, of digits three, of Chinese a character: which it is shows in the
classes of a byte and of the one before it. The table was fitted by least squares to the tokens that the
public vocabulary o200k_base makes of documentation, source code, tables, logs and prose in thirteen
languages: the estimate for a kilobyte lies within some 15 % of the count for most of them, and a little above
it on the average. ``docs/chunks.md`` has the figures.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from insitu.formats.byte_tables import translated

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

SHARES: Final = 64
"""How many shares make a token."""

# Classes of bytes, in the order of the table.
_RANGES: Final = (
    *((0, 0x80, 0xC0), (1, 0x61, 0x7B), (2, 0x41, 0x5B), (3, 0x30, 0x3A), (4, 0x20, 0x21), (5, 0x09, 0x0B)),
    *(
        (5, 0x0D, 0x0E),
        (8, 0xC0, 0xC4),
        (9, 0xC4, 0xE0),
        (10, 0xE0, 0xE2),
        (11, 0xE2, 0xE3),
        (12, 0xE3, 0xEA),
    ),
    *((13, 0xEA, 0xEE), (14, 0xEE, 0xF0), (15, 0xF0, 0x100)),
)
_MARK: Final = 6
_CONTROL: Final = 7

# fmt: off
_SHARES: Final = (
    # Rows: the byte before; columns: the byte. In shares.
    (1, 19, 34, 27, 14, 28, 1, 67, 69, 1, 24, 120, 47, 56, 1, 106),  # continuation
    (1, 4, 1, 47, 31, 82, 81, 67, 1, 43, 47, 105, 60, 60, 100, 133),  # lower
    (1, 18, 1, 58, 1, 53, 70, 67, 161, 43, 47, 66, 60, 60, 100, 133),  # upper
    (1, 59, 35, 26, 23, 84, 80, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # digit
    (1, 22, 69, 99, 2, 28, 104, 67, 1, 109, 1, 1, 53, 31, 100, 126),  # blank
    (1, 61, 1, 25, 1, 31, 1, 67, 33, 40, 47, 64, 60, 60, 100, 133),  # white
    (1, 5, 38, 50, 1, 1, 6, 67, 1, 40, 47, 71, 60, 84, 100, 133),  # mark
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # control
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # C2-C3: Latin
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # C4-DF: Greek, Cyrillic, Arabic
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # E0-E1: Indic, Thai
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # E2: symbols
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # E3-E9: Chinese, Japanese
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # EA-ED: Korean
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # EE-EF: wide forms
    (1, 23, 33, 27, 6, 27, 47, 67, 33, 40, 47, 67, 60, 60, 100, 133),  # F0-FF: emoji, no text
)
# fmt: on


@cache
def _tables() -> tuple[bytes, bytes]:
    classes = bytearray(_MARK if 0x21 <= byte < 0x7F else _CONTROL for byte in range(256))
    for number, start, stop in _RANGES:
        classes[start:stop] = bytes((number,)) * (stop - start)
    return bytes(classes), bytes(share for row in _SHARES for share in row)


def token_shares(narrow: Bytes) -> Bytes:
    """How much each byte adds to the number of tokens, in shares; 1 at least.

    Cost: four passes over the bytes, each many bytes at a time.
    """
    import numpy as np

    classes, shares = _tables()
    kinds = translated(narrow, classes)
    pairs = np.empty_like(kinds)
    pairs[:1] = kinds[:1]
    # NumPy multiplies bytes many at a time, and shifts them one by one.
    np.add(kinds[1:], kinds[:-1] * np.uint8(16), out=pairs[1:])
    return translated(pairs, shares)
