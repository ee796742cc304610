"""Places for people: the number and the text of the line that an offset lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from insitu.errors import TextError

if TYPE_CHECKING:
    import insitu

_WINDOW_BYTES: Final = 1 << 20

# How much of a line is shown around a place, and how much of a text in a message.
_SHOWN_BYTES: Final = 160
_CLIPPED_CHARACTERS: Final = 60


class Places:
    """Line numbers of ascending offsets, in one pass over the file and one window of memory."""

    def __init__(self, doc: insitu.Document) -> None:
        self._doc = doc
        self._end: bytes | None
        try:
            self._end = doc.lines.newline
        except TextError:
            self._end = None
        self._offset = 0
        self._line = 1

    def line_of(self, offset: int) -> int | None:
        """The number, from 1, of the line that holds ``offset``, which may not be before the last one.

        None in encodings whose line ends are more than a byte.
        """
        if self._end is None:
            return None
        while self._offset < offset:
            size = min(_WINDOW_BYTES, offset - self._offset)
            self._line += self._doc.read(self._offset, size).count(self._end)
            self._offset += size
        return self._line

    def text_around(self, start: int, stop: int) -> str:
        """The line that holds ``start``, or what is near where it is long; on one line, printable."""
        low = max(0, start - _SHOWN_BYTES // 2)
        high = min(self._doc.size, max(low + _SHOWN_BYTES, min(stop, start + _SHOWN_BYTES)))
        text = self._doc.read(low, high - low)
        end = self._end or "\n".encode(self._doc.encoding)
        before = text.rfind(end, 0, start - low)
        began = before + len(end) if before >= 0 else 0
        ends = text.find(end, max(start - low, min(stop, high) - low - 1))
        whole_start = before >= 0 or low == 0
        whole_stop = ends >= 0 or high == self._doc.size
        shown = text[began : ends if ends >= 0 else None].decode(self._doc.encoding, "replace")
        return (
            ("" if whole_start else "...") + printable(shown.rstrip("\r\n")) + ("" if whole_stop else "...")
        )


def printable(text: str) -> str:
    """Text with control characters escaped, so that it stays on one line and cannot steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def clipped(text: str | bytes) -> str:
    """A text in quotes, shortened, for use in a message."""
    if isinstance(text, bytes):
        text = text[: 4 * _CLIPPED_CHARACTERS].decode("utf-8", "backslashreplace")
    shown = printable(text[:_CLIPPED_CHARACTERS])
    return f'"{shown}{"..." if len(text) > _CLIPPED_CHARACTERS else ""}"'
