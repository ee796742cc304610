"""Mass edits of JSONL: values set, records deleted, padding taken out; any number in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, varied
from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.formats.json_columns import Columns
from insitu.formats.json_edits import Change, Edits, set_value
from insitu.formats.json_pointer import Tokens, parse_pointer
from insitu.formats.json_render import Style, written
from insitu.formats.json_tree import decoded, same
from insitu.views.jsonl_key import picked_batches
from insitu.views.jsonl_scan import Batch, LongBatch, Matches, batches
from insitu.views.streaming import Source

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class JsonlUpdate:
    """Sets values in the records that a condition is true for: a mass edit.

    Args:
        set: values by pointer.
        where: the condition; None means all records.
        key: a pointer and the value that it leads to in the records to change, in the place of ``where``.
    """

    set: dict[str, Any]
    where: str | None = None
    key: Mapping[str, str | int] | None = None
    _matches: Matches = field(init=False, repr=False)
    _paths: dict[Tokens, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.set:
            raise RequestError("There is nothing to set.", hint="Give a pointer and a value.")
        object.__setattr__(self, "_matches", Matches(self.where))
        object.__setattr__(self, "_paths", {parse_pointer(one): value for one, value in self.set.items()})

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what changes.

        Raises:
            FormatError: a record is not JSON; the message has its number and the place.
            NoMatchError: a picked record has nothing that the value could be put into.
        """
        setter = _Setter(self._paths)
        columns = self._matches.columns(setter.keys)
        for batch, picked in picked_batches(self._matches, self.key, columns, source, progress, cancel):
            if picked:
                yield setter.replacements(batch, picked, columns)


class _Setter:
    """Sets values in one record after the other.

    Members of the record whose values are replaced by texts, numbers or words are found by the parser alone;
    what is else to be set takes a look at every part of the record.
    """

    def __init__(self, paths: dict[Tokens, Any]) -> None:
        self._changes = [_setting(tokens, value) for tokens, value in paths.items()]
        plain = all(
            len(path) == 1 and not isinstance(new, dict | list | tuple) for path, new in paths.items()
        )
        self._plain = [
            (path[0], value, written(value, Style())) for path, value in (paths.items() if plain else ())
        ]
        self.keys = tuple(key for key, _, _ in self._plain)

    def replacements(self, batch: Batch, picked: list[int], columns: Columns) -> Replacements:
        """What changes in some of the records of a batch."""
        if batch.records is None or not self._plain:
            return varied(edit for number in picked for edit in batch.edits(number, self._changes))
        data, base = batch.data, _address(batch.data)
        edits: Edits = []
        for number in picked:
            found = self._replaced(columns, batch.records[number], data, base)
            if found is None:
                edits += batch.edits(number, self._changes)
            else:
                edits += [(span.moved(batch.offset), new) for span, new in found]
        return varied(edits)

    def _replaced(self, columns: Columns, record: Any, data: bytes, base: int) -> Edits | None:
        """The splices where every value replaces one that is there and holds no others; else None."""
        found: Edits = []
        for key, value, new in self._plain:
            old = columns.top(record, key)
            present = bytes(old)
            if present[:1] in (b"", b"{", b"["):
                return None
            if present == new or (_may_be(present, new) and _is(present, value)):
                continue
            at = _address(old) - base
            if not 0 <= at < len(data) or data[at : at + len(present)] != present:
                return None  # the parser copied it
            found.append((Span(at, at + len(present)), new))
        return sorted(found) if len(found) > 1 else found


_NUMBERS: Final = b"-0123456789"


def _may_be(present: bytes, new: bytes) -> bool:
    """Whether two values that are written in two ways could be the same."""
    if present[0] in _NUMBERS:
        return new[0] in _NUMBERS
    return b"\\" in present and new[0] == present[0]


def _is(present: bytes, value: Any) -> bool:
    """Whether a value is the one that is there, written in another way."""
    import msgspec

    return not isinstance(value, msgspec.Raw) and same(decoded(present), value)


def _address(data: Any) -> int:
    """Where bytes lie in memory: what the parser leaves as it is lies inside what it parsed."""
    import numpy as np

    address: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return address


def _setting(tokens: Tokens, value: Any) -> Change:
    return lambda tree: set_value(tree, tokens, value)


@dataclass(frozen=True)
class JsonlDelete:
    """Deletes the records that a condition is true for, or keeps only those: a mass edit.

    Args:
        where: the condition; None means all records.
        others: deletes the records that it is not true for. Blank lines stay either way.
        key: as ``Update``.
    """

    where: str | None
    others: bool = False
    key: Mapping[str, str | int] | None = None
    _matches: Matches = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matches", Matches(self.where, negated=self.others))

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the lines that go, endings included. Errors as ``Update``."""
        columns = self._matches.columns()
        for batch, picked in picked_batches(self._matches, self.key, columns, source, progress, cancel):
            if picked:
                yield Uniform(batch.bounds[:-1][picked], batch.bounds[1:][picked], b"")


@dataclass(frozen=True)
class JsonlCompact:
    """Takes out the white space at both ends of each line, as padded edits leave it: a mass edit.

    A last line without ending stays as it is: it may be torn inside a text.
    """

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the white space that goes."""
        import numpy as np

        for batch in batches(source, progress, cancel):
            spans = _around(batch) if isinstance(batch, LongBatch) else _spaces(batch)
            if spans:
                starts, stops = np.array(spans, np.int64).T
                yield Uniform(starts, stops, b"")


def _spaces(batch: Batch) -> list[Span]:
    """White space at the ends of lines."""
    spans: list[Span] = []
    for number in _spaced(batch):
        text = batch.line(number).removesuffix(b"\r")
        start, head = int(batch.bounds[number]), len(text) - len(text.lstrip(b" \t"))
        if head:
            spans.append(Span(start, start + head))
        tail = len(text.rstrip(b" \t"))
        if 0 < tail < len(text):
            spans.append(Span(start + tail, start + len(text)))
    return spans


def _spaced(batch: Batch) -> list[int]:
    """The lines that start or end with white space, and perhaps others."""
    import numpy as np

    data = np.frombuffer(batch.data, np.uint8)
    bounds = batch.bounds - batch.offset
    firsts, lasts = data[bounds[:-1]], bounds[1:] - 2
    lasts = data[np.maximum(lasts - (data[lasts] == ord("\r")), 0)]
    either = np.isin(firsts, list(b" \t")) | np.isin(lasts, list(b" \t"))
    if not batch.ended:
        either[-1] = False
    return [int(number) for number in np.flatnonzero(either)]


def _around(batch: LongBatch) -> list[Span]:
    """White space at the ends of one long line; none where it may be torn."""
    if not batch.ended:
        return []
    line, value = batch.span_of(0), batch.text(0).span
    behind = batch.source.reader.read(line.stop - 2, 2)
    end = line.stop - (2 if behind == b"\r\n" else 1)
    return [span for span in (Span(line.start, value.start), Span(value.stop, end)) if span.size > 0]
