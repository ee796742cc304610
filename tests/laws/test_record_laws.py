"""Records are what NumPy reads, through any edits; an identity changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import insitu

_SCALARS = ("<u1", ">i2", "<i4", "<u8", "<f4", ">f8", "?", "S3", "V2", "(2,)<i2", "<c8", "<f2")


@st.composite
def dtypes(draw: st.DrawFn) -> Any:
    """Structured types with padding between and behind the fields, and sometimes single values."""
    if draw(st.integers(0, 4)) == 0:
        return np.dtype(draw(st.sampled_from(_SCALARS)))
    formats = [np.dtype(each) for each in draw(st.lists(st.sampled_from(_SCALARS), min_size=1, max_size=4))]
    offsets, at = [], 0
    for each in formats:
        at += draw(st.integers(0, 2))
        offsets.append(at)
        at += each.itemsize
    names = [f"field {number}" for number in range(len(formats))]
    itemsize = at + draw(st.integers(0, 2))
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize})


def _written(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> Path:
    path = tmp_path_factory.getbasetemp() / "records-law"
    path.write_bytes(data)
    return path


def _slices() -> st.SearchStrategy[slice]:
    ends = st.none() | st.integers(-12, 12)
    return st.builds(slice, ends, ends, st.none() | st.integers(-4, 4).filter(bool))


@pytest.mark.slow
@settings(deadline=None)
@given(dtypes(), st.integers(0, 9), st.binary(max_size=3), st.data())
def test_an_identity_edit_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, count: int, head: bytes, data: st.DataObject
) -> None:
    size = count * dtype.itemsize
    content = head + data.draw(st.binary(min_size=size, max_size=size))
    with insitu.open(_written(tmp_path_factory, content)) as doc:
        records = doc.records(dtype, offset=len(head))
        assert len(records) == count
        key = data.draw(_slices())
        records[key] = records[key]
        for index in range(count):
            records[index] = records[index]
            for name in records.names:
                records.set(index, name, records.get(index, name))
        for name in records.names:
            records.field(name)[key] = records.field(name)[key]
        assert not doc.changed
        assert records.update(lambda batch: batch.copy()) == 0
        assert not doc.changed


@pytest.mark.slow
@settings(deadline=None)
@given(dtypes(), st.data())
def test_any_edits_are_those_of_an_array(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, data: st.DataObject
) -> None:
    """The model: a list of the bytes of each record."""
    size = dtype.itemsize

    def some(most: int) -> list[bytes]:
        return data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=most))

    def array(items: list[bytes]) -> Any:
        found = np.frombuffer(b"".join(items), dtype.base)
        return found.reshape(-1, *dtype.shape)

    model = some(8)
    with insitu.open(_written(tmp_path_factory, b"".join(model))) as doc:
        records = doc.records(dtype)
        for _ in range(data.draw(st.integers(1, 5))):
            match data.draw(st.sampled_from(["insert", "extend", "delete", "assign"])):
                case "insert":
                    at, (item, *_) = data.draw(st.integers(-9, 9)), [*some(1), bytes(size)]
                    if dtype.base == np.bool_:
                        # A truth value taken out of its array is 0 or 1, whatever byte stood for it.
                        item = bytes(map(bool, item))
                    records.insert(at, array([item])[0])
                    model.insert(at, item)
                case "extend":
                    items = some(3)
                    records.extend(array(items))
                    model.extend(items)
                case "delete":
                    key = data.draw(_slices())
                    del records[key]
                    del model[key]
                case "assign":
                    start, stop, items = *sorted(data.draw(st.tuples(*[st.integers(0, 9)] * 2))), some(3)
                    if len(items) != len(model[start:stop]):  # else padding stays, as the next law says
                        records[start:stop] = array(items)
                        model[start:stop] = items
        content = b"".join(model)
        assert doc[:] == _rewritten_padding(content, doc[:], dtype)


def _rewritten_padding(model: bytes, found: Any, dtype: Any) -> bytes:
    """The model with the bytes of no field as found: a new record's padding is anybody's guess."""
    from insitu.formats.record_layout import loose_bytes

    unused, _ = loose_bytes(dtype)
    assert len(model) == len(found)
    result = np.frombuffer(bytearray(model), np.uint8).reshape(-1, dtype.itemsize)
    if unused is not None:
        result[:, unused] = np.frombuffer(found, np.uint8).reshape(-1, dtype.itemsize)[:, unused]
    return result.tobytes()


@pytest.mark.slow
@settings(deadline=None)
@given(dtypes().filter(lambda dtype: dtype.names), st.data())
def test_setting_a_field_touches_no_other_byte(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, 8))
    old = data.draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    name = data.draw(st.sampled_from(dtype.names))
    key = data.draw(_slices())
    expected = np.frombuffer(bytearray(old), dtype)
    with insitu.open(_written(tmp_path_factory, old)) as doc:
        column = doc.records(dtype).field(name)
        column[key] = column[key][::-1]
        expected[name][key] = expected[name][key][::-1].copy()
        new = doc[:]
        assert isinstance(new, bytes)
        found = doc.records(dtype).field(name)[:]
        assert _meaning(found) == _meaning(expected[name])
        doc.discard()
    field, at = dtype.fields[name][0], dtype.fields[name][1]
    for record in range(count):
        start = record * dtype.itemsize
        assert new[start : start + at] == old[start : start + at]
        behind = start + at + field.itemsize
        assert new[behind : start + dtype.itemsize] == old[behind : start + dtype.itemsize]


def _meaning(values: Any) -> bytes:
    """The bytes of values; of truth values whether they are true, since any byte but 0 is."""
    if values.dtype.kind == "b":
        return (np.frombuffer(values.tobytes(), np.uint8) != 0).tobytes()
    return bytes(values.tobytes())
