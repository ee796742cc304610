"""What a call may take: time that is up is said, what was found stays, and no more is read than was asked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

import insitu.engine.growing_index
from insitu.workspace.call import Call
from insitu.workspace.desk import Limits
from insitu.workspace.workspace import Workspace
from tests.workspace.desks import Bench, check_refusal, followed

LINES = 400_000


@dataclass
class Impatient(Call):
    """A call whose time is up once it was asked for so often."""

    patience: int = 0

    def late(self) -> bool:
        self.patience -= 1
        return self.patience < 0


def _numbered(bench: Bench) -> None:
    data = b"".join(b"line %d of a log that is long\n" % number for number in range(1, LINES + 1))
    # Of a file that was changed just now nothing is kept: it could change again within the same tick.
    os.utime(bench.put("f.log", data), (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("file_read", {"lines": f"{LINES - 1}-{LINES}"}),
        ("file_read", {"around_line": LINES // 2}),
        (
            "file_edit",
            {"lines": str(LINES), "expect_text": f"line {LINES} of a log that is long", "new_text": "new"},
        ),
        ("file_search", {"pattern": "of", "within": f"{LINES - 5}-{LINES}"}),
    ],
)
def test_lines_that_are_not_counted_in_time_are_refused(
    bench: Bench, tool: str, arguments: dict[str, object]
) -> None:
    _numbered(bench)
    answer = bench.workspace.call(tool, {"path": "f.log", **arguments}, Impatient(patience=0))
    check_refusal(answer)
    told = json.loads(answer.text.rsplit("\n", 1)[1])
    assert (told["code"], told["retryable"]) == ("time-limit", True)
    bench.done(tool, path="f.log", **arguments)


def test_the_same_call_goes_on_counting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insitu.engine.growing_index, "_STEP_BYTES_MAX", 2 << 20)
    monkeypatch.setattr(insitu.engine.growing_index, "_SAVED_STEP_BYTES", 1 << 20)
    _numbered(bench)
    counted = [0]
    for _ in range(20):
        call = Impatient(patience=5)
        answer = bench.workspace.call("file_read", {"path": "f.log", "lines": f"{LINES}-"}, call)
        if answer.refused is None:
            break
        counted.append(answer.refused.data["offset"])
        assert counted[-1] > counted[-2]
    assert f"line {LINES} of" in answer.text
    assert len(counted) > 2


def test_what_is_called_off_is_not_said_to_be_late(bench: Bench) -> None:
    _numbered(bench)
    call = Call(cancelled=lambda: True)
    answer = bench.workspace.call("file_read", {"path": "f.log", "lines": f"{LINES}-"}, call)
    assert answer.refused is not None
    assert answer.refused.code == "cancelled"


def test_replacing_within_lines_reads_these_lines_only(bench: Bench) -> None:
    _numbered(bench)
    seen: list[int] = []
    call = Call(progress=lambda done, total: seen.append(total))
    arguments = {
        "path": "f.log",
        "pattern": "of",
        "replacement": "in",
        "within": "11-20",
        "expected_count": 10,
    }
    assert bench.workspace.call("file_replace_all", arguments, call).refused is None
    assert bench.bytes("f.log").count(b" in a log") == 10
    assert max(seen[:1]) < 1000


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_is_counted_and_replaced_by_whole_units(bench: Bench, encoding: str) -> None:
    # Between the bytes of the two characters of a pair stand those of the pattern, half a unit off.
    pair = "\u6200\u6162" if encoding == "utf-16-be" else "\u6162\u6200"
    assert "a".encode(encoding) in pair.encode(encoding)
    text = (pair + "b") * 20 + "aa" + pair + "a"
    mark = "\ufeff".encode(encoding)
    bench.put("w.txt", mark + text.encode(encoding))
    assert ": 3 matches" in bench.done("file_search", path="w.txt", pattern="a", count_only=True).text
    asked = {"path": "w.txt", "pattern": "a", "replacement": "x"}
    assert bench.done("file_replace_all", **asked).data["count"] == 3
    bench.done("file_replace_all", **asked, expected_count=3)
    assert bench.bytes("w.txt") == mark + text.replace("a", "x").encode(encoding)
    within = {"path": "w.txt", "pattern": "x", "replacement": "y", "within": "1"}
    bench.done("file_replace_all", **within, expected_count=3)
    assert bench.bytes("w.txt") == mark + text.replace("a", "y").encode(encoding)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("file_list", {"pattern": "*.none"}), ("file_search", {"pattern": "x", "glob": "*.none"})],
)
def test_a_walk_that_finds_nothing_ends_in_time_and_goes_on(
    bench: Bench, tool: str, arguments: dict[str, object]
) -> None:
    for number in range(30):
        bench.put(f"f{number % 3}/{number}.txt", b"a\n")
    calls, asked = 0, (tool, arguments)
    while asked is not None:
        answer = bench.workspace.call(*asked, Impatient(patience=9))
        asked, calls = followed(bench, answer), calls + 1
        assert answer.refused is None
        assert calls < 9
    assert calls > 3
    assert "so far" not in answer.text


def test_more_time_is_offered_only_where_there_is_more(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"a\n")
    asked = {"pattern": "a", "path": "f.txt", "count_only": True}
    with Workspace(str(tmp_path), limits=Limits(seconds=5)) as workspace:
        for seconds, said in ((1.0, "max_seconds (up to 5)"), (50.0, ". Count within ranges")):
            call = Impatient(seconds=5)
            answer = workspace.call("file_search", {**asked, "max_seconds": seconds}, call)
            assert answer.refused is not None
            assert said in answer.text
