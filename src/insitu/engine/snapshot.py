"""A read view of one generation of a file."""

from __future__ import annotations

from typing import NamedTuple

from insitu.errors import StaleError
from insitu.storage.base import File, Stat


class Generation(NamedTuple):
    """Which contents a file had at one moment: identity, our last commit's number, size and time.

    Size and time only tell that something happened; whether it was us is told by the history.
    """

    inode: int
    operation: int
    size: int
    mtime_ns: int

    @staticmethod
    def of(status: Stat, operation: int) -> Generation:
        """The generation that a status and the latest operation's number make."""
        return Generation(status.inode, operation, status.size, status.mtime_ns)

    @classmethod
    def parse(cls, token: str) -> Generation | None:
        """The generation a token names; None for a text that is no token."""
        try:
            operation, inode, size, mtime_ns = token.split("-", 3)
            parsed = cls(int(inode, 16), int(operation), int(size, 16), int(mtime_ns, 16))
        except ValueError:
            return None
        return parsed if parsed.token == token else None

    @property
    def token(self) -> str:
        """A short name for it, as ``--if-generation`` takes."""
        return f"{self.operation}-{self.inode:x}-{self.size:x}-{self.mtime_ns:x}"

    def same_contents(self, status: Stat) -> bool:
        """Whether a status shows no sign of a change since."""
        return (self.inode, self.size, self.mtime_ns) == (status.inode, status.size, status.mtime_ns)


class Snapshot:
    """The bytes of an open file as they were when it was opened; a ``Reader``.

    Attributes:
        size: in bytes; the file may have grown since, and what was appended is not seen.
    """

    def __init__(self, file: File, generation: Generation) -> None:
        self.file = file
        self.generation = generation
        self.size = generation.size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes.

        Raises:
            StaleError: the file was cut shorter by somebody else.
        """
        data = self.file.read(offset, size)
        if len(data) != size:
            raise self._shorter()
        return data

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``; as ``read`` otherwise."""
        if self.file.read_into(offset, buffer) != len(buffer):
            raise self._shorter()

    def _shorter(self) -> StaleError:
        now = self.file.size()
        return StaleError(
            f"The file {self.file.path} was cut from {self.size:,} to {now:,} bytes by somebody else while "
            "it was being read.",
            hint="Open it again.",
            path=self.file.path,
            size_before=self.size,
            size_now=now,
        )
