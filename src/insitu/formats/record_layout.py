"""The layout of records of one size: where a record and each of its fields lies.

A layout is said as a NumPy dtype (or what makes one), as names with NumPy types
(``"id:<u4, price:<f8, name:S16"``), or as a format of the ``struct`` module (``"<I d 16s"``). What a text
says in NumPy and in ``struct`` with different sizes (``"<l"``: 8 bytes and 4) is refused, never guessed.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError

if TYPE_CHECKING:
    import numpy as np

    DType: TypeAlias = np.dtype[Any]
    Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

# Characters of ``struct`` and the NumPy types of the same size and meaning. Sizes of a format without an
# order (native) are asked of ``struct`` itself. Source: the table of the struct module's documentation.
_STRUCT_KINDS: Final = {
    **{"c": "S", "b": "i", "B": "u", "?": "?", "e": "f", "f": "f", "d": "f"},
    **dict.fromkeys("hilqn", "i"),
    **dict.fromkeys("HILQNP", "u"),
}
_STRUCT_ITEM: Final = re.compile(r"\s*(\d*)(\D)")
_ORDERS: Final = "@=<>!"

# `name:type` at the start, or behind a comma: no NumPy type and no struct format holds a colon.
_NAMED: Final = re.compile(r"\s*([^:,()\[\]{}]+?)\s*:\s*((?:\([^()]*\)|[^,()])+?)\s*(?:,|$)")

_HINT: Final = 'For example: "<f8", "id:<u4, price:<f8, name:S16", or "<I d 16s" (struct).'


class Field(NamedTuple):
    """One field of a record: its name, its type, and where it starts in the record."""

    name: str
    dtype: DType
    offset: int


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """How a record is laid out; made by ``layout_of``.

    Args:
        dtype: of one record: structured, or a single value or array of values.
    """

    dtype: DType

    @property
    def record_bytes(self) -> int:
        """How many bytes a record has, padding included; at least 1."""
        return int(self.dtype.itemsize)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in order; none where a record is a single value."""
        return self.dtype.names or ()

    def field(self, name: str) -> Field:
        """The field of a name.

        Raises:
            RequestError: there is none; the hint lists those there are.
        """
        fields = self.dtype.fields
        if fields is None or name not in fields:
            names = ", ".join(self.names)
            raise RequestError(
                f"There is no field {name!r}; nothing was changed.",
                hint=f"The fields are: {names}." if names else "A record here is one value without fields.",
                field=name,
                candidates=list(self.names),
            )
        return Field(name, fields[name][0], int(fields[name][1]))

    def count(self, size: int, offset: int) -> int:
        """How many records lie in ``size`` bytes of which the first ``offset`` are no records.

        Raises:
            RequestError: they are no whole number of records.
        """
        held = size - offset
        if held < 0:
            raise RequestError(
                f"Records cannot start at byte {offset:,}: there are only {size:,}; nothing was changed.",
                hint=f"Give an offset from 0 to {size}.",
                offset=offset,
                size=size,
            )
        count, remainder = divmod(held, self.record_bytes)
        if remainder:
            raise RequestError(
                f"The {held:,} bytes from offset {offset:,} on are no whole number of records of "
                f"{self.record_bytes:,} bytes: {remainder:,} are left over behind record {count:,}; "
                "nothing was changed.",
                hint=f"Check the dtype, or skip a header: offset {offset + remainder} would fit.",
                size=size,
                offset=offset,
                record_bytes=self.record_bytes,
                remainder=remainder,
            )
        return count

    def span(self, first: int, stop: int, offset: int) -> Span:
        """The bytes of the records ``[first, stop)`` where the first record of all is at ``offset``."""
        return Span(offset + first * self.record_bytes, offset + stop * self.record_bytes)

    def checked_span(self, first: int, stop: int | None, size: int, offset: int) -> Span:
        """The bytes of the records ``[first, stop)`` (None: to the last) of so many bytes.

        Raises:
            SpanError: there are fewer records, or the span is reversed or negative.
            RequestError: as ``count``.
        """
        count = self.count(size, offset)
        end = count if stop is None else stop
        if not 0 <= first <= end <= count:
            raise SpanError(
                f"The records {first}:{end} do not lie in the {count:,} there are; nothing was changed.",
                hint="Give 0 <= first <= stop <= the number of records.",
                first=first,
                stop=end,
                record_count=count,
            )
        return self.span(first, end, offset)


def loose_bytes(dtype: DType) -> tuple[Mask | None, Mask | None]:
    """Which bytes of a record say less than they could: those of no field, and those of truth values.

    What stands in the first means nothing, and of the second only whether it is 0. Each is None where
    there are none.
    """
    import numpy as np

    unused, truths = np.ones(dtype.itemsize, np.bool_), np.zeros(dtype.itemsize, np.bool_)
    for span, kind in _used(dtype, 0):
        unused[span.start : span.stop] = False
        truths[span.start : span.stop] = kind == "b"
    return unused if unused.any() else None, truths if truths.any() else None


def _used(dtype: DType, at: int) -> Iterator[tuple[Span, str]]:
    """Yields the bytes that values of a type at ``at`` are kept in, with the kind of value."""
    if dtype.subdtype is not None and dtype.base.fields is None:
        yield Span(at, at + dtype.itemsize), dtype.base.kind
    elif dtype.subdtype is not None:
        for start in range(at, at + dtype.itemsize, dtype.base.itemsize):
            yield from _used(dtype.base, start)
    elif dtype.fields is not None:
        for name in dtype.names or ():
            yield from _used(dtype.fields[name][0], at + int(dtype.fields[name][1]))
    else:
        yield Span(at, at + dtype.itemsize), dtype.kind


def layout_of(spec: Any) -> RecordLayout:
    """The layout that a dtype, or a text, or a ``struct.Struct`` says.

    Args:
        spec: what ``numpy.dtype`` takes; a ``struct.Struct``; or a text: a dtype, a Python list of
            (name, type) pairs, names with types, or a struct format.

    Raises:
        RequestError: it says no layout, or two different ones, or one of no bytes or of Python objects.
    """
    dtype = _dtype_of(spec)
    if dtype.hasobject or not dtype.itemsize:
        raise RequestError(
            f"Records of {spec!r} are not made of bytes of the file; nothing was changed.",
            hint=f"Give a layout of a fixed size, at least a byte, without Python objects. {_HINT}",
        )
    return RecordLayout(dtype)


def _dtype_of(spec: Any) -> DType:
    if isinstance(spec, struct.Struct):
        return _of_struct(spec.format)
    if isinstance(spec, RecordLayout):
        return spec.dtype
    if not isinstance(spec, str):
        return _of_numpy(spec)
    text = spec.strip()
    if text.startswith(("[", "{")):
        return _of_literal(text)
    if ":" in text:
        return _of_names(text)
    struct_bytes, numpy_dtype = _struct_bytes(text), _numpy_or_none(text)
    if numpy_dtype is None and struct_bytes is None:
        raise RequestError(f"{spec!r} is no record layout; nothing was changed.", hint=_HINT)
    if numpy_dtype is None:
        return _of_struct(text)
    if struct_bytes is not None and struct_bytes != numpy_dtype.itemsize:
        raise RequestError(
            f"{spec!r} is {numpy_dtype.itemsize} bytes as a NumPy type and {struct_bytes} as a struct "
            "format; nothing was changed.",
            hint="Say the size, as <i4 or <i8; in Python, give a numpy.dtype or a struct.Struct.",
        )
    return numpy_dtype


def _of_numpy(spec: Any) -> DType:
    import numpy as np

    try:
        dtype: DType = np.dtype(spec)
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{spec!r} is no record layout: {error}; nothing was changed.", hint=_HINT
        ) from error
    return dtype


def _numpy_or_none(text: str) -> DType | None:
    import numpy as np

    try:
        return np.dtype(text) if text else None
    except (TypeError, ValueError, SyntaxError):
        return None


def _of_literal(text: str) -> DType:
    try:
        return _of_numpy(ast.literal_eval(text))
    except (SyntaxError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f"{text!r} is no list of fields as Python writes it; nothing was changed.",
            hint="For example: [('id', '<u4'), ('price', '<f8')].",
        ) from error


def _of_names(text: str) -> DType:
    fields, at = [], 0
    while at < len(text):
        found = _NAMED.match(text, at)
        if found is None:
            raise RequestError(
                f"{text!r} is no list of fields: {text[at:].strip()!r} has no name or no type; "
                "nothing was changed.",
                hint='Give NAME:TYPE, separated by commas: "id:<u4, price:<f8, name:S16".',
            )
        fields.append((found[1], found[2]))
        at = found.end()
    return _of_numpy(fields)


def _struct_bytes(text: str) -> int | None:
    try:
        return struct.calcsize(text) or None
    except struct.error:
        return None


def _of_struct(text: str) -> DType:
    """The structured dtype of a struct format: fields ``f0``, ``f1``, ...; its alignment as padding.

    Raises:
        RequestError: the format has no bytes, or Pascal strings, which NumPy does not know.
    """
    import numpy as np

    if not struct.calcsize(text):
        raise RequestError(f"The struct format {text!r} has no bytes; nothing was changed.", hint=_HINT)
    order = text[0] if text[0] in _ORDERS else "@"
    types, offsets, before = [], [], order
    for count, character in _STRUCT_ITEM.findall(text.removeprefix(order)):
        kind = "" if character == "x" else _kind(text, order, character, count)
        # No items of a kind take no bytes but bring the place to where the next one is aligned.
        offset = struct.calcsize(f"{before}0{character}")
        size = struct.calcsize(order + character)
        before += count + character
        if character == "s":
            types.append(kind)
            offsets.append(offset)
        elif kind:
            types += [kind] * int(count or 1)
            offsets += range(offset, offset + size * int(count or 1), size)
    names = [f"f{number}" for number in range(len(types))]
    layout = {"names": names, "formats": types, "offsets": offsets, "itemsize": struct.calcsize(text)}
    dtype: DType = np.dtype(layout)  # type: ignore[call-overload]  # a mapping that is not a literal
    return dtype


def _kind(text: str, order: str, character: str, count: str) -> str:
    """The NumPy type of one item of a struct format."""
    if character == "s":
        return f"S{count or 1}"
    if character not in _STRUCT_KINDS:
        raise RequestError(
            f"The struct format {text!r} has items {character!r}, which records do not know; "
            "nothing was changed.",
            hint="Take a Pascal string as bytes: 16s instead of 16p.",
        )
    kind = _STRUCT_KINDS[character]
    if kind == "?":
        return kind
    endian = {"@": "=", "=": "=", "<": "<"}.get(order, ">")
    return f"{endian}{kind}{struct.calcsize(order + character)}"
