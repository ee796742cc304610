"""Following: every appended line once, and whatever else happens to the file is noticed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from insitu.errors import LimitError, MissingFileError, RequestError, SpanError, StaleError
from insitu.scan.windows import WINDOW_BYTES
from insitu.storage.local import local_volume
from insitu.views.follow import Follower


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "log"
    file.write_bytes(b"old\n")
    return file


def follow(path: Path, **options: Any) -> Follower:
    return Follower(local_volume(), os.fspath(path), **{"idle_timeout_s": 0.03, **options})


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_lines_come_once_they_are_whole(path: Path) -> None:
    with follow(path) as lines:
        append(path, b"one\nt")
        assert next(lines) == "one\n"
        append(path, b"wo\r\nthree")
        assert next(lines) == "two\r\n"
        assert lines.offset == path.read_bytes().index(b"three")
        assert list(lines) == [], "an unterminated line is waited for"
    with follow(path, start=lines.offset) as lines:
        append(path, b"\n")
        assert list(lines) == ["three\n"]


def test_all_of_a_file_is_read_from_its_start(path: Path) -> None:
    with follow(path, start=0, as_bytes=True) as lines:
        assert list(lines) == [b"old\n"]
    with pytest.raises(SpanError):
        follow(path, start=9)


def test_a_file_of_utf16_is_followed_by_whole_units(path: Path) -> None:
    data = "\ufeffeins \u0a0a\nzwei\n".encode("utf-16-le")
    path.write_bytes(data[:-3])
    with follow(path, start=0) as lines:
        assert next(lines) == "eins \u0a0a\n"
        append(path, data[-3:])
        assert list(lines) == ["zwei\n"]


def test_rotation_is_reported(path: Path) -> None:
    with follow(path) as lines:
        append(path, b"last\n")
        path.rename(path.with_suffix(".1"))
        assert next(lines) == "last\n"
        path.write_bytes(b"new\n")
        with pytest.raises(StaleError, match="rotated") as caught:
            next(lines)
    assert (caught.value.facts["change"], caught.value.facts["offset"]) == ("rotated", 9)


def test_rotation_is_followed_on_request(path: Path) -> None:
    with follow(path, on_change="reopen") as lines:
        append(path, b"last\nunfinished")
        path.rename(path.with_suffix(".1"))
        assert next(lines) == "last\n"
        append(path.with_suffix(".1"), b" line")
        path.write_bytes(b"new\n")
        assert list(lines) == ["unfinished line", "new\n"]
        assert lines.reopened == 1


def test_a_file_that_vanishes_is_waited_for(path: Path) -> None:
    with follow(path, on_change="reopen") as lines:
        path.unlink()
        assert list(lines) == []
    with pytest.raises(MissingFileError):
        follow(path)


@pytest.mark.parametrize(
    ("data", "change"), [(b"", "truncated"), (b"new and longer than before\n", "written-over")]
)
def test_truncation_is_reported_or_followed(path: Path, data: bytes, change: str) -> None:
    for on_change in ("raise", "reopen"):
        path.write_bytes(b"old content\n")
        with follow(path, on_change=on_change) as lines:
            with path.open("r+b") as file:
                file.truncate(0)
                file.write(data)
            os.utime(path, ns=(1, 1))
            if on_change == "reopen":
                assert list(lines) == data.decode().splitlines(keepends=True)
                continue
            with pytest.raises(StaleError) as caught:
                next(lines)
            assert caught.value.facts["change"] == change


def test_waiting_can_be_cancelled(path: Path) -> None:
    asked = []
    with follow(path, idle_timeout_s=None, cancel=lambda: bool(asked.append(1)) or len(asked) > 2) as lines:
        assert list(lines) == []


def test_a_line_longer_than_the_limit_is_refused(path: Path) -> None:
    with follow(path, line_bytes_max=WINDOW_BYTES) as lines:
        append(path, b"x" * (3 * WINDOW_BYTES))
        with pytest.raises(LimitError):
            next(lines)


def test_what_to_do_on_a_change_must_be_known(path: Path) -> None:
    with pytest.raises(RequestError):
        follow(path, on_change="ignore")
