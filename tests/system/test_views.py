"""Documents end to end on real files: mapped arrays, lines of every ending, and their commits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import insitu
from insitu import Policy
from insitu.errors import RequestError, StaleError


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    import numpy

    path = tmp_path / "numbers"
    numpy.arange(1_000_000, dtype="<i4").tofile(path)
    return path


def test_a_mapped_array_is_committed_and_undone(numbers: Path) -> None:
    import numpy

    before = numbers.read_bytes()
    expected = numpy.arange(1_000_000, dtype="<i4")
    with insitu.open(numbers) as doc:
        with doc.map("<i4") as array:
            array[::1000] *= -1
            array[500_000:600_000] = 7
        assert doc.changed
        assert numbers.read_bytes() == before
    expected[::1000] *= -1
    expected[500_000:600_000] = 7
    assert (numpy.fromfile(numbers, "<i4") == expected).all()
    insitu.undo(numbers)
    assert numbers.read_bytes() == before


def test_a_mapped_array_is_discarded_by_an_exception(numbers: Path) -> None:
    before = numbers.read_bytes()
    with pytest.raises(ZeroDivisionError), insitu.open(numbers) as doc, doc.map("<i4") as array:
        array[:] = 0
        raise ZeroDivisionError
    assert numbers.read_bytes() == before
    assert os.listdir(numbers.parent) == ["numbers"]
    with insitu.open(numbers) as doc:
        with pytest.raises(ZeroDivisionError), doc.map("<i4") as array:
            array[:] = 0
            raise ZeroDivisionError
        assert not doc.changed
        with doc.map("<i4") as array:
            array[3] = 33
    assert numbers.read_bytes() == before[:12] + b"\x21\0\0\0" + before[16:]


@pytest.mark.parametrize("by", ["insitu", "another program"])
def test_a_mapped_array_of_a_file_that_moved_on_is_stale(numbers: Path, by: str) -> None:
    doc = insitu.open(numbers)
    with pytest.raises(StaleError), doc.map("<i4") as array:  # the end of the block raises
        array[0] = 5
        if by == "insitu":
            insitu.write(numbers, 400, 404, b"theirs"[:4])
        else:
            with open(numbers, "r+b") as file:
                file.seek(400)
                file.write(b"thei")
    assert not doc.changed
    doc.close()
    now = numbers.read_bytes()
    assert now[400:404] == b"thei"
    assert now[:4] == bytes(4)


def test_a_mapping_made_after_the_file_moved_on_is_stale(numbers: Path) -> None:
    with insitu.open(numbers) as doc:
        insitu.append(numbers, b"0000")
        with pytest.raises(StaleError), doc.map("<i4"):
            pass


def test_several_maps_and_commits_of_one_document(numbers: Path) -> None:
    import numpy

    with insitu.open(numbers, policy=Policy(visibility="atomic")) as doc:
        for value in range(1, 4):
            with doc.map("<i4") as array:
                array[value] = -value
            with pytest.raises(RequestError, match="pending"):
                doc.map("<i4")
            doc.commit()
    assert numpy.fromfile(numbers, "<i4")[:5].tolist() == [0, -1, -2, -3, 4]
    assert len(insitu.history(numbers)) == 3


def test_a_read_only_map_changes_nothing(numbers: Path) -> None:
    before = numbers.read_bytes()
    with insitu.open(numbers, "r") as doc, doc.map("<i4") as array:
        assert int(array[10]) == 10
        with pytest.raises(ValueError, match="read-only"):
            array[10] = 0
    assert numbers.read_bytes() == before


MIXED = b"unix\nwindows\r\nbare\rstill the same line\r\n\xff\xfe not utf-8\nno end"


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed"
    path.write_bytes(MIXED)
    return path


def test_lines_of_mixed_endings_round_trip(mixed: Path) -> None:
    with insitu.open(mixed, encoding="utf-8") as doc:
        lines = list(doc.lines)
        assert lines == [
            "unix\n",
            "windows\r\n",
            "bare\rstill the same line\r\n",
            "\udcff\udcfe not utf-8\n",
            "no end",
        ]
        assert len(doc.lines) == 5
        assert doc.lines[-1] == "no end"
        doc.lines[:] = lines  # each line as it was is no edit
        assert not doc.changed
    assert mixed.read_bytes() == MIXED


def test_lines_are_edited_committed_and_undone(mixed: Path) -> None:
    with insitu.open(mixed, encoding="utf-8") as doc:
        doc.lines[1] = "dos"
        doc.lines[0] = "u\n"
        doc.lines.insert(1, "between")
        del doc.lines[3]
        doc.lines.append("last")
        doc.lines[-2] = "kept\r\n"
        shown = list(doc.lines)
    after = mixed.read_bytes()
    assert after == b"u\nbetween\ndos\r\n\xff\xfe not utf-8\nkept\r\nlast" or after.startswith(
        b"u\nbetween\ndos\r\n\xff\xfe not utf-8\nkept\r\nlast"
    )
    with insitu.open(mixed, "r", encoding="utf-8") as doc:
        assert list(doc.lines) == shown
    insitu.undo(mixed)
    assert mixed.read_bytes() == MIXED


@pytest.mark.slow
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_lines_of_a_large_file_are_found_through_edits_and_the_kept_index(
    tmp_path: Path, ending: bytes
) -> None:
    path = tmp_path / "large"
    count = 400_000
    model = [b"line %d of the file" % number + ending for number in range(count)]
    path.write_bytes(b"".join(model))
    insitu.build_index(path)
    for number in (0, 399_999, 200_000, 123_456):
        with insitu.open(path) as doc:
            doc.lines[number] = f"a new line {number}"
            model[number] = b"a new line %d" % number + ending
            doc.lines.insert(number, "inserted")
            model.insert(number, b"inserted" + ending)
            del doc.lines[number // 2]
            del model[number // 2]
        with insitu.open(path, "r") as doc:
            assert len(doc.lines) == len(model)
            for at in (0, 1, number // 2, number - 1, number, len(model) - 1):
                assert doc.lines[at].encode() == model[at]
    assert path.read_bytes() == b"".join(model)
    for _ in range(4):
        insitu.undo(path)
    with insitu.open(path, "r") as doc:
        assert doc.lines[123_456].encode() == b"line 123456 of the file" + ending
        assert len(doc.lines) == count


def test_the_end_of_a_block_commits_and_an_exception_discards(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    with pytest.raises(KeyError), insitu.open(path) as doc:
        doc.append(b"more")
        raise KeyError
    assert path.read_bytes() == b"text"
    assert os.listdir(tmp_path) == ["file"]
    with insitu.open(path) as doc:
        doc.append(b" and more")
        with doc.file() as file:
            file.seek(0)
            assert file.read() == b"text and more"
    assert path.read_bytes() == b"text and more"
