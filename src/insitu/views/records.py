"""``doc.records(dtype)``: the current content as records of one size, each found by a multiplication.

    ticks = doc.records("time:<i8, price:<f8, size:<u4")
    ticks[9_999_999]["price"]                   # one record
    ticks[5:8]                                  # a NumPy array, read-only: copy() it, change it, assign it
    ticks.set(7, "price", 2.5)
    ticks.field("price")[100:200] = 0
    ticks.append((1, 2.5, 3))

An assignment changes only the bytes that differ: padding, and a value assigned to itself, stay as they are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeAlias

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Varied, listed
from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError
from insitu.formats.record_layout import Field, layout_of
from insitu.formats.record_values import array_of, naming, packed
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.record_update import RecordUpdate, changed
from insitu.views.streaming import MassEdit
from insitu.views.text import Encoding

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


class Recorded(Protocol):
    """What records need of their document."""

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    @property
    def path(self) -> str:
        """Its path, for messages."""
        ...

    @property
    def text(self) -> Encoding:
        """The codec of its text."""
        ...

    # Parameters without names: documents may call them what they like.
    def read(self, offset: int, size: int, /) -> bytes:
        """Exactly these bytes of the current content."""
        ...

    def replace_span(self, span: Span, data: bytes, /) -> None:
        """Replaces a span of the current content, as one pending edit."""
        ...

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]], /) -> None:
        """Makes sorted, disjoint replacements as one pending edit."""
        ...

    def make(self, edit: MassEdit, *, progress: Progress | None = None, cancel: Cancel | None = None) -> int:
        """Makes a mass edit as one pending edit; how many places changed."""
        ...


class Records:
    """The records of a document, pending edits included; indexes and slices follow ``list``.

    Slices are NumPy arrays of what was asked for, and read-only: changing one changes no file.

    Args:
        document: the bytes.
        dtype: the layout of a record, see ``insitu.formats.record_layout.layout_of``.
        offset: where the first record starts: the size of a header.

    Attributes:
        layout: where the fields of a record lie.

    Raises:
        RequestError: from any call: the bytes from ``offset`` on are no whole number of records; there is
            no field of a name; a value does not fit its field. Nothing was changed.
        SpanError: from any call: there is no record of an index.
    """

    def __init__(self, document: Recorded, dtype: Any, *, offset: int = 0) -> None:
        self._document = document
        self.layout = layout_of(dtype)
        self._offset = operator.index(offset)
        if self._offset < 0:
            raise RequestError(f"Records cannot start at byte {offset}.", hint="Offsets count from 0.")
        len(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of one record."""
        return self.layout.dtype

    @property
    def record_bytes(self) -> int:
        """How many bytes a record has."""
        return self.layout.record_bytes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return self.layout.names

    def __len__(self) -> int:
        return self.layout.count(self._document.size, self._offset)

    def __repr__(self) -> str:
        return f"<insitu records of {self.record_bytes} bytes in {self._document.path!r}>"

    # Reading

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        if isinstance(key, slice):
            return self._array(key, None)
        index = self._index(key)
        return self._read(index, index + 1)[0]

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches():
            yield from batch

    def batches(self, records: int | None = None) -> Iterator[Array]:
        """Yields all records as read-only arrays, in order, each of ``records`` (None: about 1 MiB)."""
        count = max(1, WINDOW_BYTES // self.record_bytes) if records is None else records
        if count < 1:
            raise RequestError(f"Batches of {count} records cannot be made.", hint="Give 1 at least.")
        first = 0
        while first < len(self):
            yield self._read(first, min(first + count, len(self)))
            first += count

    def get(self, index: SupportsIndex, field: str) -> Any:
        """The value of one field of one record."""
        return self._one(self._index(index), self.layout.field(field))

    def field(self, name: str) -> Column:
        """One field of all records, to index, slice and assign."""
        return Column(self, self.layout.field(name))

    def span_of(self, first: SupportsIndex, stop: int | None = None) -> Span:
        """The bytes of the records ``[first, stop)``; of the record ``first`` where ``stop`` is None.

        Raises:
            SpanError: there are fewer records, or the span is reversed.
        """
        if stop is None:
            index = self._index(first)
            return self._span(index, index + 1)
        return self.layout.checked_span(operator.index(first), stop, self._document.size, self._offset)

    # Editing

    def __setitem__(self, key: SupportsIndex | slice, value: Any) -> None:
        if isinstance(key, slice):
            self._assign(key, value)
            return
        index = self._index(key)
        one = range(index, index + 1)
        if isinstance(value, Mapping):
            fields = [self.layout.field(name) for name in value]
            self._put(one, {each: self._packed([value[each.name]], each) for each in fields})
        else:
            self._put(one, {None: self._packed([value])})

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        if not isinstance(key, slice):
            self._document.replace_span(self.span_of(key), b"")
            return
        numbers = range(*key.indices(len(self)))
        low, high = (min(numbers), max(numbers)) if numbers else (0, -1)
        if abs(numbers.step) == 1:
            self._document.replace_span(self._span(low, high + 1), b"")
        else:
            self._document.replace_spans((self._span(n, n + 1), b"") for n in sorted(numbers))

    def set(self, index: SupportsIndex, field: str, value: Any) -> None:
        """Sets one field of one record."""
        self[index] = {field: value}

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """Inserts a record before another; past the last one it appends, as lists do."""
        count, number = len(self), operator.index(index)
        number = max(0, number + count) if number < 0 else min(number, count)
        self._document.replace_span(self._span(number, number), self._packed([value]).tobytes())

    def append(self, value: Any) -> None:
        """Appends a record."""
        self.extend([value])

    def extend(self, values: Any) -> None:
        """Appends several records (a NumPy array, or a sequence), as one pending edit."""
        count, data = len(self), self._packed(values).tobytes()
        if data:
            self._document.replace_span(self._span(count, count), data)

    def update(
        self,
        function: Callable[[Array], Array | None],
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> int:
        """Passes all records through a function, as one pending edit; see ``RecordUpdate``.

        Returns:
            How many places changed; neighbouring changes count as one.

        Raises:
            LimitError: more than a million; ``RecordUpdate`` as a mass edit of the file streams any number.
        """
        edit = RecordUpdate(self.layout, function, self._offset)
        return self._document.make(edit, progress=progress, cancel=cancel)

    # What records hold

    def _index(self, index: SupportsIndex) -> int:
        """The index counted from the first record."""
        number, count = operator.index(index), len(self)
        found = number + count if number < 0 else number
        if not 0 <= found < count:
            raise SpanError(
                f"There is no record {number}; {self._document.path} has {count:,}.",
                hint=f"The first record is 0, the last {count - 1} or -1." if count else "Append to it.",
                record=number,
                record_count=count,
            )
        return found

    def _span(self, first: int, stop: int) -> Span:
        return self.layout.span(first, stop, self._offset)

    def _packed(self, values: Any, field: Field | None = None) -> Array:
        if field is None:
            return packed(values, self.layout.dtype, self._encoded)
        with naming(field.name):
            return packed(values, field.dtype, self._encoded)

    def _encoded(self, text: str) -> bytes:
        return self._document.text.encode(text)  # asked for now: it may have to be detected

    def _read(self, first: int, stop: int) -> Array:
        span = self._span(first, stop)
        return array_of(self._document.read(span.start, span.size), self.layout.dtype)

    def _one(self, index: int, field: Field) -> Any:
        start = self._span(index, index).start + field.offset
        return array_of(self._document.read(start, field.dtype.itemsize), field.dtype)[0]

    def _array(self, key: slice, field: Field | None = None) -> Array:
        """The records of a slice, or a field of them; holds a window beside what is asked for."""
        import numpy as np

        numbers = range(*key.indices(len(self)))
        if field is None and numbers.step == 1:
            return self._read(numbers.start, max(numbers.start, numbers.stop))
        result = np.empty(len(numbers), self.layout.dtype if field is None else field.dtype)
        for where, part in self._parts(numbers):
            low, high = sorted((part[0], part[-1]))
            records = self._read(low, high + 1)[:: abs(part.step)]
            result[where] = (records if field is None else records[field.name])[:: 1 if part.step > 0 else -1]
        result.setflags(write=False)
        return result

    def _parts(self, numbers: range) -> Iterator[tuple[slice, range]]:
        """Cuts indexes into parts of about a window, or of one record, each with its place among all."""
        count = max(1, WINDOW_BYTES // (self.record_bytes * abs(numbers.step)))
        for first in range(0, len(numbers), count):
            yield slice(first, first + count), numbers[first : first + count]

    # Edits

    def _assign(self, key: slice, value: Any, field: Field | None = None) -> None:
        """Assigns a slice of the records, or of a field of them, as one pending edit."""
        numbers = range(*key.indices(len(self)))
        items = self._packed(value) if field is None else self._spread(value, field, len(numbers))
        if len(items) == len(numbers):
            backwards = numbers.step < 0
            self._put(numbers[::-1] if backwards else numbers, {field: items[:: -1 if backwards else 1]})
        elif field is None and numbers.step == 1:
            span = self._span(numbers.start, max(numbers.start, numbers.stop))
            self._document.replace_span(span, items.tobytes())
        else:
            raise RequestError(
                f"{len(items):,} values cannot be assigned to {len(numbers):,} records; nothing was changed.",
                hint="Give as many, or one value for a field of all.",
            )

    def _put(self, numbers: range, columns: Mapping[Field | None, Array]) -> None:
        """Puts items over ascending records (None) or fields of them; a window beside what changes."""
        edits = [edit for batch in self._changes(numbers, columns) for edit in listed(batch)]
        if edits:
            self._document.replace_spans(edits)

    def _changes(self, numbers: range, columns: Mapping[Field | None, Array]) -> Iterator[Varied]:
        for where, part in self._parts(numbers):
            span = self._span(part[0], part[-1] + 1)
            old = self._document.read(span.start, span.size)
            records = array_of(bytearray(old), self.layout.dtype)
            for field, items in columns.items():
                target = records if field is None else records[field.name]
                target[:: part.step] = items[where]
            yield changed(span.start, old, records, self.layout)

    def _spread(self, value: Any, field: Field, count: int) -> Array:
        """The values of a field for several records; a single value is repeated."""
        import numpy as np

        if _depth(value, is_record=field.dtype.base.names is not None) > len(field.dtype.shape):
            return self._packed(value, field)
        return np.repeat(self._packed([value], field), count, axis=0)


def _depth(value: Any, *, is_record: bool) -> int:
    """How many axes a value has, where a tuple is one record or else an axis."""
    if hasattr(value, "ndim"):
        return int(value.ndim)
    if not isinstance(value, list | range | tuple) or (is_record and isinstance(value, tuple)):
        return 0
    return 1 + (_depth(value[0], is_record=is_record) if value else 0)


class Column:
    """One field of all records; made by ``Records.field``. Indexes and slices follow ``list``.

    Slices are read-only NumPy arrays of the field's values. A slice is assigned as many values, or one
    value for all.

    Cost: a slice holds what was asked for and a window; it reads the whole records that it covers.
    """

    def __init__(self, records: Records, field: Field) -> None:
        self._records = records
        self._field = field

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        if isinstance(key, slice):
            return self._records._array(key, self._field)
        return self._records.get(key, self._field.name)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._records.batches():
            yield from batch[self._field.name]

    def __setitem__(self, key: SupportsIndex | slice, value: Any) -> None:
        if isinstance(key, slice):
            self._records._assign(key, value, self._field)
        else:
            self._records.set(key, self._field.name, value)
