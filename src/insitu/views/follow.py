"""Following a file that others append to: its new lines as they come.

A file that is replaced by another one (rotated), cut shorter (truncated) or written over is noticed, never
mistaken for new lines.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Final, Literal

from insitu.core.protocols import Cancel
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import MissingFileError, RequestError, SpanError, StaleError
from insitu.scan.windows import WINDOW_BYTES
from insitu.storage.base import File, Volume
from insitu.views.text import encoding_of, named_encoding
from insitu.views.transform_lines import LINE_BYTES_MAX, LineReader

OnChange = Literal["raise", "reopen"]

# How long to wait for news: longer each time there are none.
_WAIT_FIRST_S: Final = 0.01
_WAIT_LONGEST_S: Final = 0.5

# The last bytes that were read: when others stand there, the file was written over.
_REMEMBERED_BYTES: Final = 64


class Follower(Iterator[Any]):
    """The lines that a file gets; iterating waits for the next one.

    Only whole lines are yielded, with their endings; of a file that is left for another one, its
    unterminated last line, too. Works as a context manager.

    Args:
        start: the offset to begin at; None means at the end.
        encoding: the codec; None means as the file tells when it is opened.
        on_change: what to do when the file was rotated, truncated or written over: ``"raise"``, or
            ``"reopen"`` and go on from the beginning of what is there now.
        as_bytes: lines are bytes instead of text.
        idle_timeout_s: ends the iteration when nothing came for so long; None means never.
        cancel: asked while waiting; True ends the iteration.
        line_bytes_max: a longer line is refused.

    Raises:
        StaleError: the file was rotated, truncated or written over, with ``"raise"``.
        LimitError: a line is too long.
        MissingFileError: there is no file at first. Later one that vanishes is waited for.

    Cost: a call of the operating system every half second while nothing happens.
    """

    def __init__(
        self,
        volume: Volume,
        path: str,
        *,
        start: int | None = None,
        encoding: str | None = None,
        on_change: OnChange = "raise",
        as_bytes: bool = False,
        idle_timeout_s: float | None = None,
        cancel: Cancel | None = None,
        line_bytes_max: int = LINE_BYTES_MAX,
    ) -> None:
        if on_change not in ("raise", "reopen"):
            raise RequestError(f"{on_change!r} is nothing to do.", hint="Give 'raise' or 'reopen'.")
        self.path = path
        self.reopened = 0
        """How many times the file was begun anew."""
        self._volume = volume
        self._encoding = encoding
        self._on_change = on_change
        self._as_bytes = as_bytes
        self._idle_timeout_s = idle_timeout_s
        self._cancel = cancel
        self._line_bytes_max = line_bytes_max
        self._open(start)
        self._found = self._follow()

    def __next__(self) -> Any:
        return next(self._found)

    @property
    def offset(self) -> int:
        """Where the first line that was not yielded yet starts: to be followed from there later."""
        return self._offset

    def close(self) -> None:
        """Ends the iteration."""
        self._found.close()
        self._file.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, start: int | None) -> None:
        self._file: File = self._volume.open(self.path)
        status = self._file.stat()
        self._inode = status.device, status.inode
        self._mtime_ns = status.mtime_ns
        self._lines: LineReader | None = None
        self._offset = self._read_to = status.size if start is None else start
        if self._offset > status.size:
            raise SpanError(
                f"Byte {start} lies behind the {status.size:,} bytes of {self.path}.", size=status.size
            )
        self._held: list[bytes] = []
        low = max(0, self._offset - _REMEMBERED_BYTES)
        self._last = self._file.read(low, self._offset - low)

    def _follow(self) -> Generator[Any, None, None]:
        wait_s, idle_s = _WAIT_FIRST_S, 0.0
        while True:
            change = self._changed()
            if change is None:
                read_to = self._read_to
                yield from self._items(self._new_lines())
                if self._read_to > read_to:
                    wait_s, idle_s = _WAIT_FIRST_S, 0.0
                    continue
                change = self._rotated()
            if change is not None:
                if self._on_change == "raise":
                    raise self._stale(change)
                left = b"".join(self._held) if change == "rotated" else b""
                yield from self._items(left)
                if self._reopen():
                    continue
            if self._idle_timeout_s is not None:
                if idle_s >= self._idle_timeout_s:
                    return
                wait_s = min(wait_s, self._idle_timeout_s)
            if self._cancel is not None and self._cancel():
                return
            time.sleep(wait_s)
            idle_s += wait_s
            wait_s = min(2 * wait_s, _WAIT_LONGEST_S)

    def _reopen(self) -> bool:
        """Begins what the path names now; False where it names nothing at this moment."""
        self._held = []
        left = self._file
        try:
            self._open(0)
        except MissingFileError:
            return False
        left.close()
        self.reopened += 1
        return True

    def _items(self, data: bytes) -> Iterator[Any]:
        if data:
            lines = self._line_reader()
            for line in lines.split(data):
                self._offset += len(line)
                yield line if self._as_bytes else lines.texts(line, self._offset)[0]

    def _stale(self, change: str) -> StaleError:
        return StaleError(
            f"The file {self.path} was {change} while it was followed; lines were read up to offset "
            f"{self._offset:,}.",
            hint="Follow it with on_change='reopen' to go on from its new beginning.",
            path=self.path,
            change=change.replace(" ", "-"),
            offset=self._offset,
        )

    def _changed(self) -> str | None:
        """What happened to the bytes that were read; None where nothing did."""
        status = self._file.stat()
        if status.size < self._read_to:
            return "truncated"
        if status.mtime_ns != self._mtime_ns:
            self._mtime_ns = status.mtime_ns
            if self._file.read(self._read_to - len(self._last), len(self._last)) != self._last:
                return "written over"
        return None

    def _rotated(self) -> str | None:
        """Whether the path names another file by now, and everything of this one was read."""
        status = self._volume.stat(self.path)
        if status is None or (status.device, status.inode) == self._inode:
            return None
        return "rotated" if self._file.size() == self._read_to else None

    def _new_lines(self) -> bytes:
        """The whole lines that came since; what is behind them is held until its line ends."""
        data = self._file.read(self._read_to, WINDOW_BYTES)
        if not data:
            return b""
        lines = self._line_reader()
        data = data[: len(data) - (self._read_to + len(data)) % lines.unit]
        self._last = (self._last + data)[-_REMEMBERED_BYTES:]
        if self._read_to < lines.origin:
            self._offset = lines.origin
            mark, data = data[: lines.origin], data[lines.origin :]
            self._read_to += len(mark)
        self._read_to += len(data)
        end = lines.rfind(data, len(data)) + lines.unit
        held, self._held = self._held, [*self._held, data]
        if end == 0:
            if self._read_to - self._offset > self._line_bytes_max:
                raise lines.too_long(self._offset)
            return b""
        self._held = [data[end:]] if data[end:] else []
        return b"".join((*held, data[:end]))

    def _line_reader(self) -> LineReader:
        """The rules of the file's lines, told once there is something to tell them from."""
        if self._lines is None:
            base = Snapshot(self._file, Generation.of(self._file.stat(), 0))
            text = encoding_of(base) if self._encoding is None else named_encoding(base, self._encoding)
            # What is being written may end within a unit: whole ones are looked at.
            base.size -= base.size % text.unit
            self._lines = LineReader(base, text, self.path, line_bytes_max=self._line_bytes_max)
        return self._lines
