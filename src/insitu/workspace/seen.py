"""What was shown of files, so that an edit by line number finds its lines again after they moved."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Final, NamedTuple

from xxhash import xxh3_64_intdigest

from insitu.core.protocols import Reader
from insitu.core.spans import Span

VERSIONS_MAX: Final = 64
LINES_MAX: Final = 4_096
"""What is remembered at most: versions of files, and lines and parts of each; 100 bytes a line, so 26 MB if
ever all of it were used, and in practice some kilobytes for each read."""

PART_BYTES_MAX: Final = 1 << 20

Key = tuple[str, str]


class _Shown(NamedTuple):
    """What was shown of one version: digests of lines by their numbers, and of other parts."""

    lines: dict[int, int]
    parts: set[int]


class Seen:
    """Digests of what was shown of each version of each file; the oldest are forgotten first.

    A memory only: what it does not know is asked of the caller, who can give the expected text.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[Key, _Shown] = OrderedDict()
        self._lock = Lock()

    def remember(self, path: str, version: str, lines: Mapping[int, int], parts: Iterable[int] = ()) -> None:
        """Adds what was shown.

        Args:
            lines: digests of lines, by their numbers.
            parts: digests of rows, records, values and sections.
        """
        with self._lock:
            known = self._versions.setdefault((path, version), _Shown({}, set()))
            self._versions.move_to_end((path, version))
            known.lines.update(islice(lines.items(), max(0, LINES_MAX - len(known.lines))))
            known.parts.update(islice(parts, max(0, LINES_MAX - len(known.parts))))
            while len(self._versions) > VERSIONS_MAX:
                self._versions.popitem(last=False)

    def digests(self, path: str, version: str, first: int, last: int) -> list[int] | None:
        """What the lines of a version were, if all of them were shown."""
        if last - first >= LINES_MAX:
            return None
        with self._lock:
            known = self._versions.get((path, version), _NOTHING).lines
            found = [known[number] for number in range(first, last + 1) if number in known]
        return found if len(found) == last - first + 1 else None

    def saw(self, path: str, version: str, part: int) -> bool:
        """Whether a part was shown of a version, wherever it was then."""
        with self._lock:
            return part in self._versions.get((path, version), _NOTHING).parts


_NOTHING: Final = _Shown({}, set())


def part_digest(reader: Reader, span: Span) -> int | None:
    """Stands for the bytes of a part; None for one too long to be compared."""
    return None if span.size > PART_BYTES_MAX else xxh3_64_intdigest(reader.read(span.start, span.size))


def find_again(wanted: Sequence[int | None], lines: Mapping[int, int | None], first: int) -> int | None:
    """The number of the first of some lines now; None where they are not, or are twice, not at ``first``.

    Args:
        wanted: the digests of the lines; None, of a line too long to be compared, fits nothing.
        lines: the digests of the present lines around, by number.
        first: the number they had.
    """

    def fits(start: int) -> bool:
        return all(
            digest is not None and lines.get(start + index) == digest for index, digest in enumerate(wanted)
        )

    if fits(first):
        return first
    found = [start for start in lines if fits(start)]
    return found[0] if len(found) == 1 else None
