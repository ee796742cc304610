"""The second process: it answers in order, holds nothing of ours, and ends with the one who started it."""

from __future__ import annotations

import fcntl
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from insitu.scan import pair
from insitu.scan.companion import Companion

pytestmark = pytest.mark.slow  # a process takes as long to start as a test may

DEADLINE_S = 20.0

first: Callable[[Any], Any] = operator.itemgetter(0)

# What can be pickled and is known to a process without our tests.
negation: Callable[[], Callable[[int], int]] = partial(first, (operator.neg,))
sleeping: Callable[[], Callable[[float], None]] = partial(first, (time.sleep,))


@pytest.fixture
def started() -> Iterator[list[Companion[Any, Any]]]:
    companions: list[Companion[Any, Any]] = []
    yield companions
    for companion in companions:
        companion.end()


def begun(start: Callable[[], Callable[[Any], Any]], kept: list[Companion[Any, Any]]) -> Companion[Any, Any]:
    """A companion that has started, or has ended without."""
    companion = Companion[Any, Any].spawned("json")
    assert companion is not None
    kept.append(companion)
    companion.begin(start)
    until(lambda: companion.answers(0.1) == [] and (companion.ready or companion.ended))
    return companion


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def heard(companion: Companion[Any, Any], count: int) -> list[Any]:
    answers: list[Any] = []
    until(lambda: bool(answers.extend(companion.answers(0.1)) or len(answers) >= count or companion.ended))
    return answers


def running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_it_answers_every_question_in_order(started: list[Companion[Any, Any]]) -> None:
    companion = begun(negation, started)
    for number in range(100):
        companion.ask(number)
    assert heard(companion, 100) == [-number for number in range(100)]
    companion.end()
    companion.end()
    assert companion.ended and companion.answers(5.0) == []


def test_an_answer_may_be_larger_than_a_pipe(started: list[Companion[Any, Any]]) -> None:
    companion = begun(partial(first, (operator.index,)), started)
    companion.ask(1 << 3_000_000)
    assert heard(companion, 1) == [1 << 3_000_000]


@pytest.mark.parametrize("start", [partial(int, "no number"), partial(first, ()), partial(os._exit, 3)])
def test_one_that_cannot_start_is_never_ready(
    start: Callable[[], Any], started: list[Companion[Any, Any]]
) -> None:
    companion = begun(start, started)
    assert companion.ended and not companion.ready


def test_one_that_fails_or_is_killed_answers_no_more(started: list[Companion[Any, Any]]) -> None:
    failing = begun(negation, started)
    failing.ask("text")
    assert heard(failing, 1) == [] and failing.ended
    failing.ask(1)
    killed = begun(sleeping, started)
    killed.ask(60.0)
    os.kill(killed.pid, signal.SIGKILL)
    assert heard(killed, 1) == [] and killed.ended


def test_there_is_none_where_there_can_be_none(
    started: list[Companion[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert begun(lambda: operator.neg, started).ended  # cannot be pickled
    for executable in ("", "/no/such/python"):
        monkeypatch.setattr(sys, "executable", executable)
        assert Companion[int, int].spawned() is None


def test_an_interrupt_of_the_group_is_left_to_the_one_who_started_it(
    started: list[Companion[Any, Any]],
) -> None:
    companion = begun(negation, started)
    os.kill(companion.pid, signal.SIGINT)
    companion.ask(4)
    assert heard(companion, 1) == [-4]


def test_it_does_not_hold_the_lock(tmp_path: Path, started: list[Companion[Any, Any]]) -> None:
    path = tmp_path / "locked"
    path.write_bytes(b"text")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        companion = begun(negation, started)
    held = [os.path.realpath(fd) for fd in Path(f"/proc/{companion.pid}/fd").iterdir()]
    assert str(path) not in held
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


PARENT = """
import operator, time
from functools import partial
from insitu.scan.companion import Companion
companion = Companion.spawned()
companion.begin(partial(operator.itemgetter(0), ({function},)))
while not companion.ready:
    companion.answers(0.1)
companion.ask({question})
print(companion.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("function", "question"), [("operator.neg", "1"), ("time.sleep", "0.5")])
def test_it_ends_with_the_one_who_started_it(function: str, question: str) -> None:
    code = PARENT.format(function=function, question=question)
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert running(pid)
        parent.kill()
    until(lambda: not running(pid))


# Pairs


def windows(count: int) -> list[Any]:
    return list(range(count))


def paired(
    companion: Companion[Any, Any] | None, count: int, cancel: Callable[[], bool] | None = None
) -> Any:
    return pair.Pair(windows(count), operator.neg, companion).answers(cancel)


EXPECTED = [(number, -number) for number in range(500)]


def test_a_pair_does_all_windows_in_order_with_or_without_a_companion(
    started: list[Companion[Any, Any]],
) -> None:
    assert list(paired(None, 500)) == EXPECTED
    companion = begun(negation, started)
    assert list(paired(companion, 500)) == EXPECTED
    assert companion.ended and not running(companion.pid)
    assert list(paired(begun(partial(os._exit, 1), started), 500)) == EXPECTED


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
def test_what_a_dead_or_stuck_companion_leaves_is_done_here(
    sent: signal.Signals, started: list[Companion[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair, "_PATIENCE_S", 0.2)
    companion = begun(negation, started)
    found = []
    for window, answer in paired(companion, 500):
        found.append((window, answer))
        if window == 100:
            os.kill(companion.pid, sent)
    assert found == EXPECTED
    assert not running(companion.pid)


def test_a_pair_left_early_leaves_no_process(started: list[Companion[Any, Any]]) -> None:
    companion = begun(negation, started)
    answers = paired(companion, 500)
    assert next(answers) == (0, 0)
    answers.close()
    assert not running(companion.pid)
    companion = begun(negation, started)
    with pytest.raises(Exception, match="cancelled"):
        list(paired(companion, 500, lambda: True))
    assert not running(companion.pid)
