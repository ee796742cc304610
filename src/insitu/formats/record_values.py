"""Values for records: packed as a layout says, and refused where they would come out as others.

NumPy by itself cuts texts that are too long, and wraps and rounds numbers that an integer cannot hold.
Floats round to the nearest that the field can hold, as arithmetic does; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from insitu.errors import RequestError
from insitu.formats.record_layout import loose_bytes

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Column: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
    DType: TypeAlias = np.dtype[Any]

Encode: TypeAlias = Callable[[str], bytes]

_OTHER_RANGES: Final = {
    "b": "It holds true and false.",
    "f": "It holds numbers.",
    "c": "It holds complex numbers.",
    "M": "It holds times, as 2026-03-14T09:30.",
    "m": "It holds durations, as whole numbers of its unit.",
}


def packed(values: Any, dtype: DType, encode: Encode) -> Array:
    """An array of one item per value, of exactly this type.

    Args:
        values: an array, or a sequence. A record is a tuple (or NumPy record) of as many values as there
            are fields, or a mapping with all their names.
        encode: makes the bytes of a text, for fields of bytes.

    Raises:
        RequestError: a value does not fit: too large, too long, not whole, of another kind or shape.
    """
    import numpy as np

    if isinstance(values, np.ndarray) and values.dtype == dtype:
        return values
    if isinstance(values, list) and values and all(_is_record(value, dtype) for value in values):
        return np.frombuffer(b"".join(value.tobytes() for value in values), dtype)
    if dtype.subdtype is not None:
        return _arrays(values, dtype, encode)
    if dtype.names is not None:
        return _records(values, dtype, encode)
    if dtype.kind in "SUV":
        return _texts(values, dtype, encode)
    return _numbers(values, dtype)


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Names the field in the errors of the block."""
    try:
        yield
    except RequestError as error:
        facts = {**error.facts, "field": field}
        raise type(error)(f"Field {field}: {error.message}", hint=error.hint, **facts) from error


def array_of(data: bytes | bytearray, dtype: DType) -> Array:
    """The items that bytes hold, as an array over them: read-only over ``bytes``."""
    import numpy as np

    if dtype.subdtype is None:
        return np.frombuffer(data, dtype)
    base, shape = dtype.subdtype
    return np.frombuffer(data, base).reshape(-1, *shape)


def rewritten(old: bytes, new: Array, dtype: DType) -> bytes:
    """The bytes of records in the place of as many others: what says the same stays as it is written.

    That is all bytes between fields, and truth values: any byte but 0 reads as true.
    """
    import numpy as np

    unused, truths = loose_bytes(dtype)
    if unused is None and truths is None:
        return new.tobytes()
    before = np.frombuffer(old, np.uint8).reshape(-1, dtype.itemsize)
    after = np.frombuffer(bytearray(new.tobytes()), np.uint8).reshape(-1, dtype.itemsize)
    if unused is not None:
        after[:, unused] = before[:, unused]
    if truths is not None:
        was, is_ = before[:, truths], after[:, truths]
        after[:, truths] = np.where((was != 0) == (is_ != 0), was, is_)
    return after.tobytes()


def differences(old: bytes, new: bytes, bridged_bytes: int) -> tuple[Column, Column]:
    """Where bytes differ from as many others: the starts and stops of places, ascending.

    Differences less than ``bridged_bytes`` apart are one place; each starts and stops with one.
    """
    import numpy as np

    changed = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    if not len(changed):
        return changed, changed
    gaps = np.flatnonzero(np.diff(changed) > bridged_bytes)
    return (
        changed[np.concatenate(([0], gaps + 1))],
        changed[np.concatenate((gaps, [len(changed) - 1]))] + 1,
    )


def _records(values: Any, dtype: DType, encode: Encode) -> Array:
    import numpy as np

    names: tuple[str, ...] = dtype.names or ()
    columns: dict[str, Any]
    if isinstance(values, np.ndarray) and values.dtype.names is not None:
        if set(values.dtype.names) != set(names):
            _refuse(f"records with the fields {', '.join(values.dtype.names)}", dtype)
        columns = {name: values[name] for name in names}
        count = len(values)
    else:
        rows = [_row(value, names, dtype) for value in _listed(values, dtype)]
        columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        count = len(rows)
    result = np.zeros(count, dtype)
    for name in names:
        with naming(name):
            result[name] = packed(columns[name], dtype[name], encode)
    return result


def _row(value: Any, names: Sequence[str], dtype: DType) -> Sequence[Any]:
    """The values of one record, in the order of its fields."""
    import numpy as np

    if isinstance(value, Mapping):
        if set(value) != set(names):
            missing = [name for name in names if name not in value]
            unknown = [str(name) for name in value if name not in names]
            said = [f"no {', '.join(missing)}"] * bool(missing) + [f"{', '.join(unknown)}"] * bool(unknown)
            _refuse(f"a record with {' but '.join(said)}", dtype)
        return [value[name] for name in names]
    if isinstance(value, np.void) and value.dtype.names is not None:
        return [value[name] for name in value.dtype.names]
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or len(value) != len(names):
        _refuse(_shown(value), dtype)
    return value


def _is_record(value: Any, dtype: DType) -> bool:
    """Whether a value is a record of exactly this type, whose bytes are taken as they are."""
    import numpy as np

    return isinstance(value, np.void) and value.dtype == dtype


def _arrays(values: Any, dtype: DType, encode: Encode) -> Array:
    """Items that are arrays themselves: one axis more for each of theirs."""
    import numpy as np

    assert dtype.subdtype is not None
    base, shape = dtype.subdtype
    if isinstance(values, np.ndarray) and values.dtype == base and values.shape[1:] == shape:
        return values
    items = _listed(values, dtype)
    flat: list[Any] = items
    for size in shape:
        for part in flat:
            if isinstance(part, str | bytes) or not hasattr(part, "__len__") or len(part) != size:
                _refuse(_shown(part), dtype)
        flat = [each for part in flat for each in part]
    result: Array = packed(flat, base, encode).reshape(len(items), *shape)
    return result


def _texts(values: Any, dtype: DType, encode: Encode) -> Array:
    import numpy as np

    most = dtype.itemsize // (4 if dtype.kind == "U" else 1)
    prepared: list[Any] = []
    for value in _listed(values, dtype):
        if dtype.kind == "U":
            data: Any = value if isinstance(value, str) else _refuse(_shown(value), dtype)
        else:
            data = _bytes_of(value, dtype, encode)
        if len(data) > most or (dtype.kind == "V" and len(data) != most):
            unit = "characters" if dtype.kind == "U" else "bytes"
            _refuse(f"{_shown(value)} ({len(data):,} {unit})", dtype)
        prepared.append(data)
    if dtype.kind == "V":
        return np.frombuffer(bytearray(b"".join(prepared)), dtype)
    return np.array(prepared, dtype)


def _bytes_of(value: Any, dtype: DType, encode: Encode) -> bytes:
    import numpy as np

    if isinstance(value, str):
        return value.encode("ascii") if value.isascii() else encode(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, np.void):
        return value.tobytes()
    _refuse(_shown(value), dtype)


def _numbers(values: Any, dtype: DType) -> Array:
    import numpy as np

    given = values if isinstance(values, np.ndarray) else _listed(values, dtype)
    try:
        if dtype.kind in "iu" and not isinstance(given, np.ndarray) and all(type(v) is int for v in given):
            return np.array(given, dtype)  # of any size: NumPy refuses those that do not fit
        source = np.asarray(given)
        if dtype.kind in "mM" and source.dtype.kind in "SU":
            source = source.astype(dtype.kind + "8")  # in the unit that each is written in
        if len(source) == 0:
            return np.zeros(0, dtype)
        if source.ndim != 1 or source.dtype.kind in ("OSUV" if dtype.kind == "c" else "OSUVc"):
            _refuse(_shown(next(iter(given))), dtype)
        with np.errstate(all="ignore"):
            result: Array = source.astype(dtype)
            wrong = _changed(source, result)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f"A value does not fit {dtype}: {error}; nothing was changed.", hint=_range(dtype)
        ) from error
    if wrong.any():
        _refuse(_shown(source[int(wrong.argmax())].item()), dtype)
    return result


def _changed(source: Array, result: Array) -> Array:
    """Where a value came out as another one, rounding to a float aside."""
    import numpy as np

    kind = result.dtype.kind
    if kind in "iub":
        if source.dtype.kind == "f":
            return np.asarray(result.astype(source.dtype) != source)
        return np.asarray(result != source)
    if kind in "fc":
        return np.asarray(np.isinf(result) & ~np.isinf(source))
    if source.dtype.kind == kind:
        return np.asarray((result != source) & ~np.isnat(source))
    return np.zeros(len(source), np.bool_)


def _listed(values: Any, dtype: DType) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        _refuse(_shown(values), dtype, several=True)
    return list(values)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(what: str, dtype: DType, *, several: bool = False) -> NoReturn:
    wanted = f"a sequence of values of type {dtype}" if several else str(dtype)
    raise RequestError(
        f"{what[:1].upper()}{what[1:]} does not fit {wanted}; nothing was changed.", hint=_range(dtype)
    )


def _range(dtype: DType) -> str:
    """What a type can hold, for a hint."""
    import numpy as np

    if dtype.names is not None:
        return f"A record has the fields {', '.join(dtype.names)}: give a tuple in this order, or a mapping."
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return f"It holds whole numbers from {limits.min} to {limits.max}."
    if dtype.kind == "S":
        return f"It holds at most {dtype.itemsize} bytes."
    if dtype.kind == "U":
        return f"It holds at most {dtype.itemsize // 4} characters."
    if dtype.kind == "V":
        return f"It holds exactly {dtype.itemsize} bytes."
    if dtype.subdtype is not None:
        return f"It holds an array of shape {dtype.shape}."
    return _OTHER_RANGES.get(dtype.kind, "")
