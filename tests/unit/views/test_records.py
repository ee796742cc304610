"""``doc.records(dtype)``: reading, setting, inserting and deleting records of one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import insitu
from insitu.api.mass import carry_out
from insitu.errors import CancelledError, FunctionError, RequestError, SpanError, TextError
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.record_update import RecordUpdate
from insitu.views.records import Records

TICK = np.dtype([("time", "<i8"), ("price", "<f8"), ("flag", "?"), ("name", "S5"), ("pos", "<f4", (2,))])
HEAD = b"a header\n"
COUNT = 300


def ticks() -> np.ndarray[Any, Any]:
    array = np.zeros(COUNT, TICK)
    array["time"] = np.arange(COUNT)
    array["price"] = np.arange(COUNT) / 4
    array["name"] = [f"n{number}".encode() for number in range(COUNT)]
    return array


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ticks.bin"
    path.write_bytes(HEAD + ticks().tobytes())
    return path


def opened(doc: insitu.Document) -> Records:
    return doc.records(TICK, offset=len(HEAD))


def test_records_are_read_by_index_slice_and_field(path: Path) -> None:
    with insitu.open(path, "r") as doc:
        records = opened(doc)
        assert len(records) == COUNT
        assert records.record_bytes == TICK.itemsize
        assert records.names == TICK.names
        assert records[5] == ticks()[5]
        assert records[-1]["time"] == COUNT - 1
        assert np.array_equal(records[3:8], ticks()[3:8])
        assert np.array_equal(records[::-7], ticks()[::-7])
        assert len(records[8:3]) == 0
        assert records.get(9, "price") == 2.25
        assert records.field("name")[7] == b"n7"
        assert records.field("pos")[2:4].shape == (2, 2)
        assert records.field("time")[10::100].tolist() == [10, 110, 210]
        assert [record["time"] for record in records] == list(range(COUNT))
        assert list(records.field("price"))[-1] == (COUNT - 1) / 4
        assert len(records.field("price")) == COUNT
        assert [len(batch) for batch in records.batches(128)] == [128, 128, 44]
        assert records.span_of(2) == (len(HEAD) + 2 * TICK.itemsize, len(HEAD) + 3 * TICK.itemsize)
        assert records.span_of(2, COUNT).stop == doc.size


def test_what_was_read_is_no_way_to_change_the_file(path: Path) -> None:
    with insitu.open(path) as doc:
        records = opened(doc)
        with pytest.raises(ValueError, match="read-only"):
            records[0]["price"] = 1
        for array in (records[0:3], records[::2], records.field("price")[0:3]):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]


EDITS: dict[str, tuple[Callable[[Records], object], Callable[[Any], object]]] = {
    "a record": (
        lambda r: r.__setitem__(5, (1, 2, True, "x", (3, 4))),
        lambda a: a.__setitem__(5, (1, 2, True, b"x", (3, 4))),
    ),
    "the last record, from an array": (
        lambda r: r.__setitem__(-1, r[0]),
        lambda a: a.__setitem__(-1, a[0]),
    ),
    "fields by name": (
        lambda r: r.__setitem__(5, {"price": -1, "name": b"five"}),
        lambda a: (a["price"].__setitem__(5, -1), a["name"].__setitem__(5, b"five")),
    ),
    "one field": (lambda r: r.set(7, "price", 9.5), lambda a: a["price"].__setitem__(7, 9.5)),
    "a field, as a column": (
        lambda r: r.field("flag").__setitem__(-2, True),
        lambda a: a["flag"].__setitem__(-2, True),
    ),
    "a slice": (
        lambda r: r.__setitem__(slice(3, 6), r[10:13]),
        lambda a: a.__setitem__(slice(3, 6), a[10:13].copy()),
    ),
    "a slice with a step": (
        lambda r: r.__setitem__(slice(200, 100, -30), r[0:4]),
        lambda a: a.__setitem__(slice(200, 100, -30), a[0:4].copy()),
    ),
    "one value for all": (
        lambda r: r.field("price").__setitem__(slice(None, None, 3), 0),
        lambda a: a["price"].__setitem__(slice(None, None, 3), 0),
    ),
    "a value for each": (
        lambda r: r.field("time").__setitem__(slice(4, 0, -2), [7, 8]),
        lambda a: a["time"].__setitem__(slice(4, 0, -2), [7, 8]),
    ),
    "an array for all": (
        lambda r: r.field("pos").__setitem__(slice(1, 4), (5, 6)),
        lambda a: a["pos"].__setitem__(slice(1, 4), (5, 6)),
    ),
    "an array for each": (
        lambda r: r.field("pos").__setitem__(slice(1, 3), [(5, 6), (7, 8)]),
        lambda a: a["pos"].__setitem__(slice(1, 3), [(5, 6), (7, 8)]),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_is_set_is_what_numpy_sets(path: Path, name: str) -> None:
    ours, numpys = EDITS[name]
    expected = ticks()
    numpys(expected)
    with insitu.open(path) as doc:
        ours(opened(doc))
        assert opened(doc)[:].tobytes() == expected.tobytes()  # pending edits are seen
    assert path.read_bytes() == HEAD + expected.tobytes()


def deleted(key: Any) -> tuple[Callable[[Any], object], Callable[[Any], object]]:
    return lambda r: r.__delitem__(key), lambda a: a.__delitem__(key)


def assigned(key: slice, source: slice) -> tuple[Callable[[Any], object], Callable[[Any], object]]:
    return lambda r: r.__setitem__(key, r[source]), lambda a: a.__setitem__(key, a[source])


SHAPES: dict[str, tuple[Callable[[Records], object], Callable[[list[Any]], object]]] = {
    "insert": (lambda r: r.insert(3, r[9]), lambda a: a.insert(3, a[9])),
    "insert behind the end": (lambda r: r.insert(10**6, r[9]), lambda a: a.insert(10**6, a[9])),
    "insert from the end": (lambda r: r.insert(-1, r[9]), lambda a: a.insert(-1, a[9])),
    "append": (lambda r: r.append(r[4]), lambda a: a.append(a[4])),
    "extend": (lambda r: r.extend(r[4:9]), lambda a: a.extend(a[4:9])),
    "extend by none": (lambda r: r.extend([]), lambda a: a.extend([])),
    "delete": deleted(-2),
    "delete a slice": deleted(slice(2, 200)),
    "delete backwards": deleted(slice(9, 2, -1)),
    "delete by steps": deleted(slice(None, None, 7)),
    "delete none": deleted(slice(7, 2)),
    "assign more": assigned(slice(2, 3), slice(5, 9)),
    "assign none": assigned(slice(2, 9), slice(0, 0)),
    "assign at a place": assigned(slice(5, 1), slice(0, 1)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_more_and_fewer_records_follow_lists(path: Path, name: str) -> None:
    ours, lists = SHAPES[name]
    expected = list(ticks())
    lists(expected)
    with insitu.open(path) as doc:
        ours(opened(doc))
        assert len(opened(doc)) == len(expected)
    assert path.read_bytes() == HEAD + np.array(expected, TICK).tobytes()


@pytest.mark.parametrize(
    "edit",
    [
        lambda r: r.__setitem__(0, (1, 2)),
        lambda r: r.__setitem__(0, {"prise": 1}),
        lambda r: r.set(0, "price", "dear"),
        lambda r: r.set(0, "name", "too long"),
        lambda r: r.field("prise"),
        lambda r: r.field("price").__setitem__(slice(0, 5), [1, 2]),
        lambda r: r.__setitem__(slice(0, 6, 2), r[0:2]),
        lambda r: r.append({"time": 1}),
        lambda r: r.update(lambda batch: batch[1:]),
        lambda r: r.update(lambda batch: batch["nothing"]),
        lambda r: list(r.batches(0)),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(path: Path, edit: Any) -> None:
    with insitu.open(path) as doc:
        with pytest.raises(RequestError) as caught:
            edit(opened(doc))
        assert caught.value.hint
        assert not doc.changed


@pytest.mark.parametrize(
    "edit", [lambda r: r[COUNT], lambda r: r.set(-COUNT - 1, "price", 1), lambda r: r.span_of(5, 2)]
)
def test_records_that_are_not_there_are_refused(path: Path, edit: Any) -> None:
    with insitu.open(path) as doc, pytest.raises(SpanError, match="300"):
        edit(opened(doc))


def test_an_error_names_size_record_size_and_remainder(path: Path) -> None:
    with insitu.open(path) as doc:
        with pytest.raises(RequestError, match=r"bytes from offset 0 .* 9 are left over") as caught:
            doc.records(TICK)
        assert caught.value.facts["remainder"] == len(HEAD)
        with pytest.raises(RequestError, match="-1"):
            doc.records(TICK, offset=-1)
        records = opened(doc)
        doc.append(b"torn")
        with pytest.raises(RequestError, match="4 are left over"):
            len(records)
        doc.discard()


def test_only_bytes_that_differ_are_written_and_padding_stays(tmp_path: Path) -> None:
    dtype = np.dtype({"names": ["a", "ok"], "formats": ["<u2", "?"], "offsets": [1, 4], "itemsize": 6})
    path = tmp_path / "padded"
    data = bytes([9, 1, 0, 8, 2, 7]) * 100
    path.write_bytes(data)
    with insitu.open(path) as doc:
        records = doc.records(dtype)
        records[3] = (1, True)  # 2 reads as true, too
        records[4] = records[5]
        records[10:50] = [(1, True)] * 40
        records.field("ok")[:] = True
        records[6] = {}
        assert not doc.changed
        records.set(7, "a", 5)
        assert next(iter(doc.sequence.changes()))[0] == (43, 44)
        records[8] = (1, False)
        records.update(lambda batch: batch["ok"].__setitem__(9, False))
    expected = bytearray(data)
    expected[43], expected[52], expected[58] = 5, 0, 0
    assert path.read_bytes() == bytes(expected)


def test_text_goes_into_the_files_encoding(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_bytes(b"M\xfcller\0\0")
    with insitu.open(path, encoding="latin-1") as doc:
        names = doc.records("8s")
        names.set(0, "f0", "Jäger")
        assert names[0]["f0"] == b"J\xe4ger"
        with pytest.raises(TextError, match=r"Field f0: .* in iso8859-1"):
            names.set(0, "f0", "字")


def test_an_update_streams_through_windows(tmp_path: Path) -> None:
    count = 3 * WINDOW_BYTES // 24 + 5
    path = tmp_path / "many"
    array = np.zeros(count, "<i8,<i8,<i8")
    array["f0"] = np.arange(count)
    path.write_bytes(HEAD + array.tobytes())
    seen: list[int] = []

    def double(batch: Any) -> Any:
        seen.append(len(batch))
        result = batch.copy()
        result["f1"][batch["f0"] % 1000 == 0] = 7
        return result

    receipt = carry_out(path, RecordUpdate(array.dtype, double, len(HEAD)))
    assert receipt.splices == -(-count // 1000)
    array["f1"][::1000] = 7
    assert path.read_bytes() == HEAD + array.tobytes()
    assert sum(seen) == count
    assert max(seen) * 24 <= WINDOW_BYTES
    insitu.undo(path)
    array["f1"] = 0
    assert path.read_bytes() == HEAD + array.tobytes()
    assert carry_out(path, RecordUpdate(array.dtype, lambda batch: None, len(HEAD))).operation == 0


def test_an_update_that_fails_says_on_which_records_and_can_be_cancelled(path: Path) -> None:
    def fail(batch: Any) -> None:
        raise KeyError("gone")

    with insitu.open(path) as doc:
        with pytest.raises(FunctionError, match=r"records 0:300: KeyError: 'gone'; nothing was") as caught:
            opened(doc).update(fail)
        assert "in fail" in caught.value.facts["traceback"]
        with pytest.raises(CancelledError):
            opened(doc).update(lambda batch: None, cancel=lambda: True)
        assert opened(doc).update(lambda batch: batch["price"].__setitem__(slice(5, 6), 77)) == 1
    with insitu.open(path, "r") as doc:
        assert opened(doc).get(5, "price") == 77


def test_slices_that_span_windows_are_read_and_set(tmp_path: Path) -> None:
    size = WINDOW_BYTES // 4
    path = tmp_path / "large"
    array = np.zeros(9, np.dtype([("number", "<u4"), ("rest", f"V{size - 4}")]))
    array["number"] = range(9)
    path.write_bytes(array.tobytes())
    with insitu.open(path) as doc:
        records = doc.records(array.dtype)
        assert records.field("number")[::-1].tolist() == list(range(9))[::-1]
        assert records[::2]["number"].tolist() == [0, 2, 4, 6, 8]
        records.field("number")[1::2] = [10, 30, 50, 70]
        assert [record["number"] for record in records] == [0, 10, 2, 30, 4, 50, 6, 70, 8]
        doc.discard()
