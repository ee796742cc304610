"""Text of any encoding as one byte to a code unit, shaped like UTF-8: what all scanners for chunks look at.

ASCII stands for itself, a lead byte (0xC2 to 0xF4) for the beginning of another character, with its script
as UTF-8 would have it, and 0x80 to 0xBF for what belongs to the character before. What is no valid text is
0xFF, a character of its own. So a cut before any byte but those of 0x80 to 0xBF lies between characters.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

INVALID: Final = 0xFF

_UNITS: Final = {"utf-16-le": "<u2", "utf-16-be": ">u2", "utf-32-le": "<u4", "utf-32-be": ">u4"}
_LATIN: Final = 0xC3


def unit_of(encoding: str) -> int:
    """Bytes to a code unit."""
    return int(_UNITS[encoding][2]) if encoding in _UNITS else 1


def narrow(data: bytes, encoding: str, *, last: bool) -> tuple[Bytes, int]:
    """The narrow form of some text, and how many of its bytes that stands for.

    Args:
        data: from the beginning of a character on.
        last: whether nothing follows; else a character cut short at the end is left for later, as is what
            decides whether a CR stands alone.

    Returns:
        With one byte for each whole code unit. A unit cut short at the end of all becomes bytes of its own
        only where a unit is one byte; else it is left out.
    """
    import numpy as np

    if encoding in _UNITS:
        return _of_units(data, encoding, last)
    if encoding not in ("utf-8", "ascii"):
        array = np.frombuffer(data, np.uint8)
        if not data.isascii():
            array = np.where(array < 0x80, array, np.uint8(_LATIN))
        return array, len(data)
    if data.isascii():
        return np.frombuffer(data, np.uint8), len(data)
    try:
        _, used = codecs.utf_8_decode(data, "strict", last)
    except UnicodeDecodeError:
        text, used = codecs.utf_8_decode(data, "surrogateescape", last)
        return _repaired(np.frombuffer(data, np.uint8, used), text), used
    return np.frombuffer(data, np.uint8, used), used


def _repaired(array: Bytes, text: str) -> Bytes:
    """The bytes of text that is not all UTF-8: those that are none of a character are marked."""
    import numpy as np

    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    escaped = (points >= 0xDC80) & (points <= 0xDCFF)
    sizes = 1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF).astype(np.int64)
    sizes[escaped] = 1
    starts = np.cumsum(sizes) - sizes
    array = array.copy()
    array[starts[escaped]] = INVALID
    return array


def _of_units(data: bytes, encoding: str, last: bool) -> tuple[Bytes, int]:
    import numpy as np

    kind = _UNITS[encoding]
    size = int(kind[2])
    points: Any = np.frombuffer(data, kind, len(data) // size).astype(np.uint32)
    high = (points >= 0xD800) & (points <= 0xDBFF)
    if not last and size == 2 and len(points) and high[-1]:
        points, high = points[:-1], high[:-1]
    array = np.full(len(points), _LATIN, np.uint8)
    array[points < 0x80] = points[points < 0x80].astype(np.uint8)
    two = (points >= 0x80) & (points < 0x800)
    array[two] = (0xC0 | points[two] >> 6).astype(np.uint8)
    three = (points >= 0x800) & (points < 0x10000)
    array[three] = (0xE0 | points[three] >> 12).astype(np.uint8)
    array[(points >= 0x10000) & (points < 0x110000)] = 0xF0
    array[(points >= 0x110000) | ((points >= 0xD800) & (points <= 0xDFFF))] = INVALID
    if size == 2:
        low = (points >= 0xDC00) & (points <= 0xDFFF)
        pairs = np.flatnonzero(high[:-1] & low[1:])
        array[pairs] = 0xF0
        array[pairs + 1] = 0x80
    return array, len(points) * size
