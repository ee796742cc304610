"""Values of records on the command line: JSON outside, NumPy inside."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from insitu.errors import ExpectationError, RequestError

if TYPE_CHECKING:
    from insitu.formats.record_layout import RecordLayout


class Setting:
    """Sets records, batch by batch, once they were found to be as expected.

    Args:
        field: None sets whole records, or the fields that an object names.
        value: as it was given.
        expected: what has to be there for anything to be set, as it was given; None: anything.
        encode: makes the bytes of a text.
        number: of the first record, from 1.

    Raises:
        RequestError: a value does not fit.
        ExpectationError: when called: a record holds something else.
    """

    def __init__(
        self,
        layout: RecordLayout,
        field: str | None,
        value: str,
        expected: str | None,
        encode: Callable[[str], bytes],
        number: int,
    ) -> None:
        self._layout = layout
        self._field = field
        self._encode = encode
        self._number = number
        self._columns = self._packed(value)
        self._expected = {} if expected is None else self._packed(expected)

    def __call__(self, batch: Any) -> None:
        for name, wanted in self._expected.items():
            self._check(batch if name is None else batch[name], wanted)
        for name, item in self._columns.items():
            (batch if name is None else batch[name])[:] = item
        self._number += len(batch)

    def _packed(self, text: str) -> dict[str | None, Any]:
        """Arrays of one item each: for the whole record (None), or by field."""
        from insitu.formats.record_values import naming, packed

        layout = self._layout
        dtype = layout.dtype if self._field is None else layout.field(self._field).dtype
        value = given_value(text, dtype)
        if self._field is None and not isinstance(value, dict):
            return {None: packed([value], dtype, self._encode)}
        columns: dict[str | None, Any] = {}
        for name, item in (value if self._field is None else {self._field: value}).items():
            with naming(name):
                columns[name] = packed([item], layout.field(name).dtype, self._encode)
        return columns

    def _check(self, found: Any, wanted: Any) -> None:
        same = found == wanted
        if same.ndim > 1:
            same = same.all(axis=tuple(range(1, same.ndim)))
        if not same.all():
            at = int(same.argmin())
            raise ExpectationError(
                f"Record {self._number + at:,} has {found[at]!s}, not {wanted[0]!s}; nothing was changed.",
                hint="Look at it again, and expect what is there now.",
                record=self._number + at,
            )


def given_value(text: str, dtype: Any) -> Any:
    """What a value on the command line stands for: the text itself in a field of text, else JSON.

    Raises:
        RequestError: it looks like an object or an array and is no JSON.
    """
    if dtype.kind in "SUmM":
        return text
    try:
        return _numbers(json.loads(text), dtype)
    except ValueError as error:
        if not text.lstrip().startswith(("{", "[")):
            return _numbers(text, dtype)
        raise RequestError(
            f"{text!r} is no JSON; nothing was changed.", hint='For example: {"time": 9, "price": 1.5}'
        ) from error


def _numbers(value: Any, dtype: Any) -> Any:
    """The value with numbers in the place of the texts that JSON needs for them."""
    fields = dtype.fields
    if fields is not None and isinstance(value, dict):
        return {
            name: _numbers(item, fields[name][0]) if name in fields else item for name, item in value.items()
        }
    return float(value) if dtype.kind == "f" and value in ("NaN", "Infinity", "-Infinity") else value


def plain(value: Any, codec: str) -> Any:
    """A value of NumPy as JSON has it: bytes as text, times as they are written."""
    names = getattr(value.dtype, "names", None)
    if names:
        return {name: plain(value[name], codec) for name in names}
    if value.ndim:
        return [plain(item, codec) for item in value]
    kind = value.dtype.kind
    if kind in "SV":
        return bytes(value).decode(codec, "surrogateescape")
    if kind in "cmM":
        return str(value)
    item = value.item()
    if kind != "f":
        return item
    number = float(item)
    if math.isnan(number):
        return "NaN"
    return number if math.isfinite(number) else "Infinity" if number > 0 else "-Infinity"
