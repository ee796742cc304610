"""A read view of one generation of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from insitu.core.protocols import Reader
from insitu.engine.layers import Below, Joined
from insitu.engine.pools import PAYLOAD_BYTES
from insitu.engine.trail import Trail, View
from insitu.errors import StaleError
from insitu.scan.batch import BATCH_READS, checked, read_many
from insitu.storage.base import File, Stat

T = TypeVar("T")


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


class Raw:
    """An open file as a reader: what it holds now; a ``Reader``."""

    def __init__(self, file: File, size: int) -> None:
        self.file = file
        self.size = size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes.

        Raises:
            StaleError: the file was cut shorter by somebody else.
        """
        data = self.file.read(offset, size)
        if len(data) != size:
            raise self.shorter()
        return data

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``; as ``read`` otherwise."""
        if self.file.read_into(offset, buffer) != len(buffer):
            raise self.shorter()

    def shorter(self) -> StaleError:
        """The error for a file that ends too early."""
        now = self.file.size()
        return StaleError(
            f"The file {self.file.path} was cut from {self.size:,} to {now:,} bytes by somebody else while "
            "it was being read.",
            hint="Open it again.",
            path=self.file.path,
            size_before=self.size,
            size_now=now,
        )


class Snapshot:
    """The bytes of an open file as they were when it was opened; a ``Reader``.

    While others commit through insitu it goes on showing its own generation, by what they saved of it.

    Args:
        trail: leads back over what others commit; None where nobody can, since we hold the lock.

    Attributes:
        size: in bytes; the file may have grown since, and what was appended is not seen.

    Raises:
        StaleError: from reads: the file was cut shorter, or changed by others and through insitu.
        SnapshotExpiredError: from reads: what leads back is no longer in the history.
        LockedError: from reads: a commit that moves data went on for too long.

    Cost: a system call to each read beside the read itself (about a microsecond).
    """

    def __init__(self, file: File, generation: Generation, trail: Trail | None = None) -> None:
        self.file = file
        self.generation = generation
        self.size = generation.size
        self._trail = trail
        self._raw = Raw(file, self.size)

    @property
    def overtaken(self) -> bool:
        """Whether operations lie between what it shows and what the file holds, as far as reads found."""
        return self._trail is not None and bool(self._trail.view.layers)

    @property
    def settled(self) -> bool:
        """Whether the file holds what it shows until it is closed: nobody else can commit."""
        return self._trail is None

    @property
    def undisturbed(self) -> bool:
        """Whether the file itself has held what it shows all the time up to now: nobody has committed.

        Raises:
            StaleError: the file was cut shorter, or changed by others and through insitu.
        """
        trail = self._trail
        if trail is None:
            return True
        view = trail.view
        return not view.layers and not view.swapped and trail.holds(view) and not trail.view.layers

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        trail = self._trail
        if trail is None:
            return self._raw.read(offset, size)
        view = trail.view
        if (at := view.kept_at(offset, size)) >= 0:
            data = self.file.read(at, size)
            if trail.holds(view):
                if len(data) != size:
                    raise self._raw.shorter()
                return data
        buffer = bytearray(size)
        self._read_back(trail, offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills ``buffer`` from ``offset``; as ``read`` otherwise."""
        trail = self._trail
        if trail is None:
            self._raw.read_into(offset, buffer)
            return
        view = trail.view
        if (at := view.kept_at(offset, len(buffer))) >= 0:
            count = self.file.read_into(at, buffer)
            if trail.holds(view):
                if count != len(buffer):
                    raise self._raw.shorter()
                return
        self._read_back(trail, offset, buffer)

    def read_many(self, offsets: Sequence[int], size: int) -> list[bytes]:
        """Reads ``size`` bytes at each offset, in order. See ``insitu.scan.batch.read_many``."""
        trail = self._trail
        if trail is None:
            return read_many(self.file.fileno(), self.size, offsets, size)
        view = trail.view
        if not view.layers:
            try:
                found = read_many(self.file.fileno(), self.size, offsets, size)
            except StaleError:
                if trail.holds(view):
                    raise
            else:
                if trail.holds(view):
                    return found
        return self._read_many_back(trail, checked(self.size, offsets, size), size)

    def _read_back(self, trail: Trail, offset: int, buffer: memoryview) -> None:
        """Reads through the layers, a window at a time, so that commits in between cost little."""
        for start in range(0, len(buffer), PAYLOAD_BYTES):
            part = buffer[start : start + PAYLOAD_BYTES]
            _until_it_holds(trail, partial(self._read_by, offset + start, part))

    def _read_by(self, offset: int, buffer: memoryview, view: View) -> None:
        self._reader(view).read_into(offset, buffer)

    def _read_many_back(self, trail: Trail, places: Sequence[int], size: int) -> list[bytes]:
        """As ``_read_back``, a batch of places at a time."""
        found: list[bytes] = []
        for first in range(0, len(places), BATCH_READS):
            batch = places[first : first + BATCH_READS]
            found += _until_it_holds(trail, partial(self._read_each, batch, size))
        return found

    def _read_each(self, places: Sequence[int], size: int, view: View) -> list[bytes]:
        layer = view.layers[0] if len(view.layers) == 1 else None
        if isinstance(layer, Joined) and size and (below := layer.kept_each(places, size)) is not None:
            return read_many(self.file.fileno(), self.file.size(), below, size)
        reader = self._reader(view)
        return [reader.read(offset, size) for offset in places]

    def _reader(self, view: View) -> Reader:
        return Below(self._raw, view.layers) if view.layers else self._raw

    def cut(self, size: int) -> Reader:
        """Its first bytes, as a reader."""
        return _Cut(self, size)

    def close(self) -> None:
        """Closes the file and what it reads from besides."""
        self.file.close()
        if self._trail is not None:
            self._trail.close()


def _until_it_holds(trail: Trail, attempt: Callable[[View], T]) -> T:
    """Reads, and reads again by a newer view, until what was read is the generation's."""
    view = trail.view
    while True:
        try:
            found = attempt(view)
        except StaleError:
            if trail.holds(view):
                raise
        else:
            if trail.holds(view):
                return found
        finally:
            if view.through:
                view.layers[-1].close()  # nobody else has it
        view = trail.followed(view)


class _Cut:
    """The first bytes of a reader."""

    def __init__(self, reader: Reader, size: int) -> None:
        self.size = size
        self.read = reader.read
        self.read_into = reader.read_into
