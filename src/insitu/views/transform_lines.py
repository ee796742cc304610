"""Whole lines, window by window: each line belongs to the window in which it starts.

So windows can be worked on in any order and by anybody, and every line is seen exactly once.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import LimitError, TextError
from insitu.formats.lines import LF, detect_newline, split_ending
from insitu.scan.windows import WINDOW_BYTES, Window, parallel
from insitu.views.line_text import LineText
from insitu.views.text import Encoding, text_start

if TYPE_CHECKING:
    import numpy as np

    from insitu.core.replacements import Column

T = TypeVar("T")

# A longer line is refused. As text it can take four times as much memory, and what replaces it again.
LINE_BYTES_MAX: Final = 8 << 20

# Tells what ends lines, as it does for ``doc.lines``.
_FIRST_BYTES: Final = WINDOW_BYTES

# Of a window whose lines become Python objects: with what is made of them, these stay in the cache of a
# core, or nearly so. Measured with lines of 100 bytes and two workers: 256 KiB and 1 MiB take a tenth longer.
_OBJECTS_BYTES: Final = 512 << 10

# Read at first beyond a window, or for the context of a line: most lines end within.
_NEAR_BYTES: Final = 4 << 10


class Stretch(NamedTuple):
    """Whole lines: where the first starts, and their bytes."""

    offset: int
    data: bytes


class LineReader:
    """Reads the lines of some content by where they start.

    Args:
        content: the bytes.
        text: the codec. Its byte order mark, if the content begins with one, belongs to no line.
        path: for messages.
        newline: LF or CR; None means as the first window tells.
        line_bytes_max: a longer line is refused; at least the size of a window.

    Raises:
        TextError: line ends are not single code units in this codec, or the content is cut in one.
    """

    def __init__(
        self,
        content: Reader,
        text: Encoding,
        path: str,
        *,
        newline: bytes | None = None,
        line_bytes_max: int = LINE_BYTES_MAX,
    ) -> None:
        text.check_size(content.size, path)
        if text.unit == 1:
            LineText(text)
        self.content: Final = content
        self.text: Final = text
        self.path: Final = path
        self.unit: Final = text.unit
        self.line_bytes_max: Final = line_bytes_max
        first = content.read(0, min(_FIRST_BYTES, content.size))
        self.origin: Final = text_start(content, text)
        self.newline: Final = newline or detect_newline(
            first if self.unit == 1 else first.decode(text.name, "replace").encode("utf-8", "replace"),
            more=len(first) < content.size,
        )
        """What ends lines, LF or CR, as one byte."""
        self.end: Final = self.newline.decode("ascii").encode(text.name)
        """The same in the codec: one code unit."""

    def windows(self) -> Iterator[Span]:
        """Yields the windows that tile the content behind its mark, of a size for lines as Python objects."""
        size, step = self.content.size, _OBJECTS_BYTES
        return (Span(low, min(low + step, size)) for low in range(self.origin, size, step))

    def starting_in(self, span: Span, window: Window | None = None) -> Stretch:
        """The lines that start in a span.

        Args:
            window: holds the span, a unit before it and what follows it, if they were read already.

        Raises:
            LimitError: one of them is too long.
        """
        unit, size = self.unit, self.content.size
        low = span.start if span.start == self.origin else span.start - unit
        if window is None:
            data = self.content.read(low, min(span.stop + _NEAR_BYTES, size) - low)
        else:
            data = bytes(window.view[low - window.offset :])
        high = low + len(data)
        head = 0
        if low < span.start:
            head = self.find(data, 0, span.stop - unit - low) + unit
            if head < unit:
                return Stretch(span.stop, b"")
        at = span.stop - unit - low
        last = max(head, self.rfind(data, at) + unit)
        while (end := self.find(data, at)) < 0 and high < size and high - low - last <= self.line_bytes_max:
            at = len(data)
            more = min(max(len(data), _NEAR_BYTES), size - high)
            data += self.content.read(high, more)
            high += more
        tail = end + unit if end >= 0 else len(data)
        if tail - last > self.line_bytes_max:
            raise self.too_long(low + last)
        return Stretch(low + head, data[head:tail])

    def in_parallel(
        self,
        work: Callable[[Stretch], T],
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        *,
        threads: int | None = None,
    ) -> Iterator[T]:
        """Yields, in file order, what ``work`` makes of the lines of every window; on all cores."""
        return parallel(
            self.content,
            lambda window: work(self.starting_in(window.span, window)),
            self.origin,
            window_bytes=WINDOW_BYTES,
            before=self.unit,
            after=_NEAR_BYTES,
            threads=threads,
            progress=progress,
            cancel=cancel,
        )

    def before(self, offset: int, count: int) -> bytes:
        """The last ``count`` lines before a line start, fewer where the content begins."""
        low, size = offset, _NEAR_BYTES
        data = b""
        while low > self.origin and self._count(data) <= count:
            step = min(size, low - self.origin)
            low -= step
            data = self.content.read(low, step) + data
            self._check_context(data, offset)
            size *= 2
        if (extra := self._count(data) - count) <= 0:
            return data
        at = 0
        for _ in range(extra):
            at = self.find(data, at) + self.unit
        return data[at:]

    def after(self, offset: int, count: int) -> bytes:
        """The ``count`` lines from a line start on, fewer where the content ends."""
        high, size = offset, _NEAR_BYTES
        data = b""
        while high < self.content.size and self._count(data) < count:
            step = min(size, self.content.size - high)
            data += self.content.read(high, step)
            high += step
            self._check_context(data, offset)
            size *= 2
        at = 0
        for _ in range(count):
            end = self.find(data, at)
            at = end + self.unit if end >= 0 else len(data)
        return data[:at]

    def ending_before(self, offset: int) -> bytes:
        """The ending (as in UTF-8) of the line that stops at ``offset``; empty where none does."""
        low = max(self.origin, offset - 2 * self.unit)
        return split_ending(self.utf8(self.content.read(low, offset - low)), self.newline)[1]

    def split(self, data: bytes) -> list[bytes]:
        """The lines of a stretch, endings included."""
        if self.unit > 1:
            return [line.encode(self.text.name, self.text.errors) for line in self.texts(data, 0)]
        if self.newline == LF:
            return io.BytesIO(data).readlines()
        *ended, last = data.split(self.newline)
        return [line + self.newline for line in ended] + ([last] if last else [])

    def bodies(self, data: bytes) -> list[bytes]:
        """What the lines of a stretch say, without their endings; in UTF-8 where units are wide."""
        narrow = self.utf8(data)
        *ended, last = narrow.split(self.newline)
        if self.newline == LF and b"\r" in narrow:
            ended = [body.removesuffix(b"\r") for body in ended]
        return [*ended, last] if last else ended

    def bounds(self, stretch: Stretch) -> Column:
        """The offsets at which the lines of a stretch start, and behind them where the last one stops."""
        import numpy as np

        ends = np.flatnonzero(self.units(stretch.data) == self.newline[0]) + 1
        size = len(stretch.data) // self.unit
        if size and not (len(ends) and ends[-1] == size):
            ends = np.append(ends, size)
        return np.concatenate(([0], ends)) * self.unit + stretch.offset

    def units(self, data: bytes | memoryview) -> np.ndarray[Any, Any]:
        """Bytes as an array of code units."""
        import numpy as np

        order = ">" if self.text.name.endswith("be") else "<"
        return np.frombuffer(data, f"{order}u{self.unit}")

    def texts(self, data: bytes, offset: int) -> list[str]:
        """The lines of a stretch as text, endings included.

        Args:
            offset: of the stretch, for the message.

        Raises:
            TextError: the codec has no text for some bytes.
        """
        text = self.text
        if self.newline == LF and data.isascii() and _one_byte(text.name):
            # The common case, at twice the speed.
            return list(map(bytes.decode, io.BytesIO(data)))
        try:
            if self.unit == 1 and not _one_byte(text.name):
                return [text.decode(line) for line in self.split(data)]
            whole = text.decode(data)
        except UnicodeDecodeError as error:
            raise TextError(
                f"{self.path} holds bytes that {text.name} cannot show, near offset {offset:,}: "
                f"{error.reason}; nothing was changed.",
                hint="Name the right encoding, or work on bytes.",
                encoding=text.name,
                offset=offset,
            ) from error
        if self.newline == LF:
            return io.StringIO(whole, newline="\n").readlines()
        *ended, last = whole.split("\r")
        return [line + "\r" for line in ended] + ([last] if last else [])

    def utf8(self, data: bytes) -> bytes:
        """Text of UTF-16 or UTF-32 in UTF-8, in which the rules of line ends are written; other as it is."""
        if self.unit == 1:
            return data
        return self.text.decode(data).encode("utf-8", "surrogatepass")

    def from_utf8(self, data: bytes) -> bytes:
        """Takes ``utf8`` back."""
        if self.unit == 1:
            return data
        return data.decode("utf-8", "surrogatepass").encode(self.text.name, self.text.errors)

    def find(self, data: bytes, start: int, stop: int | None = None) -> int:
        """Where the first line end at or after ``start`` is; -1 where there is none before ``stop``."""
        at = data.find(self.end, start, stop)
        while at % self.unit and at >= 0:
            at = data.find(self.end, at + 1, stop)
        return at

    def rfind(self, data: bytes, stop: int) -> int:
        """Where the last line end before ``stop`` is; minus a unit where there is none."""
        at = data.rfind(self.end, 0, stop)
        while at >= 0 and at % self.unit:
            at = data.rfind(self.end, 0, at + self.unit - 1)
        return at if at >= 0 else -self.unit

    def count(self, span: Span) -> int:
        """How many line ends lie in a span of whole units."""
        import numpy as np

        count = 0
        for low in range(span.start, span.stop, WINDOW_BYTES):
            # Five times as fast as ``bytes.count`` is with what occurs so often.
            units = self.units(self.content.read(low, min(WINDOW_BYTES, span.stop - low)))
            count += int(np.count_nonzero(units == self.newline[0]))
        return count

    def too_long(self, offset: int) -> LimitError:
        """The error for a line that no memory is set aside for."""
        return LimitError(
            f"The line at offset {offset:,} of {self.path} is longer than {self.line_bytes_max:,} bytes; "
            "nothing was changed.",
            hint="Raise line_bytes_max if there is the memory, or go by chunks.",
            offset=offset,
            limit=self.line_bytes_max,
            path=self.path,
        )

    def _count(self, data: bytes) -> int:
        if self.unit == 1:
            return data.count(self.end)
        count, at = 0, self.find(data, 0)
        while at >= 0:
            count, at = count + 1, self.find(data, at + self.unit)
        return count

    def _check_context(self, data: bytes, offset: int) -> None:
        if len(data) > self.line_bytes_max:
            raise LimitError(
                f"The context of the line at offset {offset:,} of {self.path} is longer than "
                f"{self.line_bytes_max:,} bytes; nothing was changed.",
                hint="Ask for fewer lines of context.",
                offset=offset,
                limit=self.line_bytes_max,
            )


def _one_byte(codec: str) -> bool:
    """Whether the codec has ASCII's bytes for ASCII's characters and no state beyond a line end.

    Then decoding many lines at once is decoding each. Others are decoded line by line.
    """
    return codec in ("utf-8", "ascii") or codec.startswith(("iso8859", "cp125", "koi8"))
