"""How an index of granules is saved beside its file, and what of that is believed.

One header, a stamp that names the generation, the columns of the granules, the digests of some of them, a
checksum. A file that is damaged, cut, of another kind, version or stamp is no index: it is built again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container
from contextlib import closing
from dataclasses import dataclass
from struct import Struct
from typing import Final, Generic, NamedTuple, TypeVar

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.engine.granules import Granules
from insitu.errors import RequestError, StorageError
from insitu.storage.base import Volume

# Granules whose digests are saved along: 4 MiB, read and digested in a millisecond or two.
_SAMPLES: Final = 16

# Magic, version, mark, size of the stamp, greatest granule, count of granules. The stamp follows, then the
# columns, the digests of the samples, and xxh3_64 of all that. All in the machine's own byte order: in the
# other one the version does not fit.
_HEADER: Final = Struct("=8sHBxIIQ")
_CHECKSUM: Final = Struct("=Q")

G = TypeVar("G", bound=Granules)


class Sample(NamedTuple):
    """A granule and the digest (xxh3_64) of its bytes, by which the file is recognized later."""

    span: Span
    digest: int


class Saved(NamedTuple, Generic[G]):
    """What a saved index tells, whatever the file holds by now."""

    mark: int
    granules: G
    samples: tuple[Sample, ...]
    """What some granules held when it was saved, the last one last."""


@dataclass(frozen=True)
class Layout(Generic[G]):
    """How one kind of index is saved.

    Args:
        magic: 8 bytes that name the kind.
        version: of what its mark and its columns mean.
        marks: what the byte that it keeps beside the granules may be.
        empty: makes granules without any yet, given the greatest; their ``columns`` are saved.
    """

    magic: bytes
    version: int
    marks: Container[int]
    empty: Callable[[int], G]

    def to_bytes(self, granules: G, mark: int, reader: Reader, stamp: bytes) -> bytes:
        """An index as bytes.

        Args:
            reader: the file the index belongs to.
            stamp: names the generation of the file; ``from_bytes`` asks for it.

        Cost: reads the samples.
        """
        from xxhash import xxh3_64_intdigest

        count = len(granules.sizes)
        header = _HEADER.pack(self.magic, self.version, mark, len(stamp), granules.granule_bytes, count)
        spans = (granules.at(number).span for number in _sampled(count))
        digests = array("Q", (xxh3_64_intdigest(reader.read(span.start, span.size)) for span in spans))
        body = b"".join((header, stamp, *granules.columns, digests))
        return body + _CHECKSUM.pack(xxh3_64_intdigest(body))

    def from_bytes(self, data: bytes, stamp: bytes) -> Saved[G] | None:
        """What ``to_bytes`` was given; None where it is damaged, or not of this stamp."""
        from xxhash import xxh3_64_intdigest

        if len(data) != self._saved_bytes(data, stamp):
            return None
        body = memoryview(data)[: -_CHECKSUM.size]
        if _CHECKSUM.unpack(data[len(body) :]) != (xxh3_64_intdigest(body),):
            return None
        _magic, _version, mark, _stamp_size, granule_bytes, count = _HEADER.unpack_from(data)
        rest = body[_HEADER.size :]
        if rest[: len(stamp)] != stamp:
            return None
        rest = rest[len(stamp) :]
        granules = self.empty(granule_bytes)
        for column in granules.columns:
            size = column.itemsize * count
            column.frombytes(rest[:size])
            rest = rest[size:]
        if not granules.sound:
            return None
        granules.seal()
        spans = (granules.at(number).span for number in _sampled(count))
        return Saved(mark, granules, tuple(map(Sample, spans, array("Q", bytes(rest)))))

    def load(self, volume: Volume, path: str, stamp: bytes) -> Saved[G] | None:
        """What the file at ``path`` saves; None where there is none that can be used."""
        try:
            with closing(volume.open(path)) as file:
                size = file.size()
                # A file of another kind or size is not read into memory.
                if size != self._saved_bytes(file.read(0, _HEADER.size), stamp):
                    return None
                return self.from_bytes(file.read(0, size), stamp)
        except (RequestError, StorageError):
            return None

    def saved_stamp(self, volume: Volume, path: str) -> bytes | None:
        """The stamp of the index saved at ``path``, unchecked; None where there is none that can be used."""
        try:
            with closing(volume.open(path)) as file:
                size = self._stamp_bytes(file.read(0, _HEADER.size))
                return None if size is None else file.read(_HEADER.size, size)
        except (RequestError, StorageError):
            return None

    def _stamp_bytes(self, data: bytes) -> int | None:
        """How long the stamp is of what begins like ``data``; None where that is none we can use."""
        if len(data) < _HEADER.size:
            return None
        magic, version, mark, stamp_size, granule_bytes, _count = _HEADER.unpack_from(data)
        known = (magic, version) == (self.magic, self.version) and mark in self.marks
        return int(stamp_size) if known and granule_bytes else None

    def _saved_bytes(self, data: bytes, stamp: bytes) -> int | None:
        """How many bytes there are of what begins like ``data``; None where that is none we can use."""
        if self._stamp_bytes(data) != len(stamp):
            return None
        count = int(_HEADER.unpack_from(data)[-1])
        columns = count * sum(column.itemsize for column in self.empty(1).columns)
        return _HEADER.size + len(stamp) + columns + 8 * len(_sampled(count)) + _CHECKSUM.size


def save(volume: Volume, path: str, data: bytes) -> None:
    """Writes what ``Layout.to_bytes`` made to a file of its own, replacing the last one.

    Args:
        path: of the index in the state folder of the file.

    Raises:
        StorageError, RequestError: it could not be written; the index in memory is as good as before.

    Crash: nothing is synced: a power cut may leave the old index, the new one, or damage that ``load``
        recognizes.
    """
    unfinished = path + ".new"
    volume.remove(unfinished)
    with closing(volume.open(unfinished, write=True, create=True)) as file:
        try:
            file.write(0, data)
        except StorageError:
            volume.remove(unfinished)
            raise
    volume.rename(unfinished, path)


def _sampled(count: int) -> list[int]:
    """Which of ``count`` granules are samples: spread evenly, the last one last."""
    return [(count - 1) * sample // (_SAMPLES - 1) for sample in range(_SAMPLES)] if count else []
