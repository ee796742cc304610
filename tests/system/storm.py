"""What the workers of a storm do to a few files, on disk and, for the check afterwards, to plain bytes.

Every kind of work stands twice in a table: how insitu is asked to do it, and what it means. An edit carries a
value that no other edit has, so that whoever reads a file sees which edits it has seen.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

import insitu
from insitu import Policy
from insitu.errors import (
    InsituError,
    LockedError,
    MissingDraftError,
    NoPlanError,
    SnapshotExpiredError,
    StaleDraftError,
    StaleError,
    UndoError,
)
from tests.system.linearity import Event

HISTORY = 100
WORKERS = 32
LOCK_TIMEOUT_S = 120
# Who finds a draft taken does something else.
DRAFT_TIMEOUT_S = 2
# So many of those who save to a draft leave it to others to commit.
SHARE_LEFT = 0.7

# One commit after the other, by any planner; a few whose last syncs are put off.
POLICIES = (
    *[Policy(history=HISTORY)] * 6,
    Policy(history=HISTORY, planner="shift"),
    Policy(history=HISTORY, visibility="atomic"),
    Policy(history=HISTORY, durability="fast"),
)


# Which draft put its edits into a file last, and which of its saves was the last.
DRAFTED = b"(%08d:%02d)"
SAVES_MOST = 99


def content() -> bytes:
    """A file before the storm: tokens come and go between the braces and at the end, slots stay."""
    slots = b"".join(b"[%02d:%06d]" % (worker, 0) + b"." * 500 for worker in range(WORKERS))
    return (
        b"{}" + DRAFTED % (0, 0) + slots.replace(b"....", b"tick", 40).replace(b"....", b"-xx-", 40) + b"\n"
    )


# What each edit means: from the bytes before to the bytes after. Whatever it refers to is found in the bytes,
# as insitu finds it, under the lock.


def _set_slot(before: bytes, worker: int, value: int) -> bytes:
    at = before.index(b"[%02d:" % worker) + 4
    return before[:at] + b"%06d" % value + before[at + 6 :]


def _insert(before: bytes, token: str) -> bytes:
    return before[:1] + token.encode() + before[1:]


def _append(before: bytes, token: str) -> bytes:
    return before + token.encode()


def _drop(before: bytes) -> bytes:
    start, stop = before.index(b"<"), before.index(b">") + 1
    return before[:start] + before[stop:]


def _exchange(before: bytes, old: str, new: str) -> bytes:
    return before.replace(old.encode(), new.encode())


def _save(before: bytes, draft: int, number: int, worker: int, value: int) -> bytes:
    at = before.index(b"(")
    return _set_slot(before[:at] + DRAFTED % (draft, number) + before[at + 13 :], worker, value)


MEANING: dict[str, Callable[..., bytes]] = {
    "set": _set_slot,
    "insert": _insert,
    "append": _append,
    "drop": _drop,
    "exchange": _exchange,
    "save": _save,
}


# How insitu is asked for it.


class Task(NamedTuple):
    """One thing to be done: by whom, where, and with what value of its own."""

    paths: list[Path]
    worker: int
    value: int
    policy: Policy
    chance: random.Random

    @property
    def path(self) -> Path:
        """The one file, where it is about one."""
        return self.paths[0]

    @property
    def options(self) -> dict[str, object]:
        """The options of any verb."""
        return {"policy": self.policy, "lock_timeout_s": LOCK_TIMEOUT_S}


Done = Iterator[Event]


def _receipt(path: Path, receipt: insitu.Receipt, began: float, *edit: object) -> Done:
    if receipt.operation:  # 0 where there was nothing to change
        ended = time.monotonic()
        yield Event(began, ended, {path.name: receipt.operation}, edit, wait_s=receipt.lock_wait_s)


def _do_set(task: Task) -> Done:
    began = time.monotonic()
    with insitu.editing(task.path, **task.options) as one:
        at = one.document.find(b"[%02d:" % task.worker) + 4
        one.document[at : at + 6] = b"%06d" % task.value
    yield from _receipt(task.path, one.receipt, began, "set", task.worker, task.value)


def _do_insert(task: Task) -> Done:
    token, began = f"<{task.worker}.{task.value}>", time.monotonic()
    receipt = insitu.insert(task.path, 1, token.encode(), **task.options)
    yield from _receipt(task.path, receipt, began, "insert", token)


def _do_append(task: Task) -> Done:
    token, began = f"<{task.worker}.{task.value}>", time.monotonic()
    receipt = insitu.append(task.path, token.encode(), **task.options)
    yield from _receipt(task.path, receipt, began, "append", token)


def _do_drop(task: Task) -> Done:
    began = time.monotonic()
    with insitu.editing(task.path, **task.options) as one:
        if (start := one.document.find(b"<")) >= 0:
            del one.document[start : one.document.find(b">") + 1]
    yield from _receipt(task.path, one.receipt, began, "drop")


def _do_exchange(task: Task) -> Done:
    """Replaces in many places, by as many bytes or by more or fewer."""
    old, new = task.chance.choice([("tick", "tock"), ("tock", "tick"), ("-xx-", "-yyy-"), ("-yyy-", "-xx-")])
    began = time.monotonic()
    receipt = insitu.replace(task.path, old.encode(), new.encode(), **task.options)
    yield from _receipt(task.path, receipt, began, "exchange", old, new)


def _do_undo(task: Task) -> Done:
    began = time.monotonic()
    try:
        receipt = insitu.undo(task.path, **task.options)
    except UndoError as error:
        if "nothing to undo" not in str(error):
            raise
        return
    yield from _receipt(task.path, receipt, began, "undo")


def _do_together(task: Task) -> Done:
    """Gives the worker's slots in two files one value, or is refused, and begins anew."""
    while True:
        began = time.monotonic()
        try:
            with insitu.transaction(policy=task.policy, lock_timeout_s=LOCK_TIMEOUT_S) as t:
                for path in task.paths:
                    doc = t.open(path)
                    at = doc.find(b"[%02d:" % task.worker) + 4
                    doc[at : at + 6] = b"%06d" % task.value
        except (SnapshotExpiredError, StaleError):
            yield Event(began, time.monotonic(), {}, ("refused",))
            continue
        receipt = t.receipt
        numbers = {
            Path(path).name: one.operation
            for path, one in zip(receipt.paths, receipt.receipts, strict=True)
            if one.operation
        }
        wait_s = sum(one.lock_wait_s for one in receipt.receipts)
        yield Event(began, time.monotonic(), numbers, ("set", task.worker, task.value), wait_s=wait_s)
        return


def _do_look(task: Task) -> Done:
    """Opens a file and reads it; then again, for as long as the snapshot is held."""
    began = time.monotonic()
    with insitu.open(task.path, "r", lock_timeout_s=LOCK_TIMEOUT_S) as doc:
        version = doc.generation.operation
        try:
            digest = xxh3_128_hexdigest(doc.read(0, doc.size))
            yield Event(began, time.monotonic(), {task.path.name: version}, ("look",), digest)
            for _ in range(task.chance.choice([0, 0, 3])):
                time.sleep(0.01)
                if xxh3_128_hexdigest(doc.read(0, doc.size)) != digest:
                    raise AssertionError(f"a snapshot of operation {version} of {task.path} changed")
        except SnapshotExpiredError:
            yield Event(began, time.monotonic(), {}, ("expired",))


def _draft_of(document: insitu.Document) -> tuple[int, int]:
    """Which draft a document shows, and how often it was saved."""
    at = document.find(b"(")
    return int(document[at + 1 : at + 9]), int(document[at + 10 : at + 12])


def _do_draft(task: Task) -> Done:
    """Goes on with a file's draft, or begins one; saves to it, and commits it or leaves it to others."""
    try:
        document = insitu.open(task.path, draft=True, policy=task.policy, lock_timeout_s=DRAFT_TIMEOUT_S)
    except LockedError:
        return
    except StaleDraftError:
        yield from _dropped(task)
        return
    with document:
        document.lock_timeout_s = LOCK_TIMEOUT_S
        draft, saves = _draft_of(document) if document.changed else (task.worker * 10**6 + task.value, 0)
        name = f"{task.path.name} {draft:08}"
        if saves < SAVES_MOST:
            began, saves = time.monotonic(), saves + 1
            at = document.find(b"(")
            document[at : at + 13] = DRAFTED % (draft, saves)
            at = document.find(b"[%02d:" % task.worker) + 4
            document[at : at + 6] = b"%06d" % task.value
            document.save_draft()
            edit = ("save", draft, saves, task.worker, task.value)
            yield Event(began, time.monotonic(), {name: saves}, edit)
        if saves < SAVES_MOST and task.chance.random() < SHARE_LEFT:
            return
        began = time.monotonic()
        try:
            receipt = document.commit()
        except (StaleError, SnapshotExpiredError):
            return
        assert receipt is not None
        numbers = {task.path.name: receipt.operation, name: saves + 1}
        made = ("draft", name, saves)
        yield Event(began, time.monotonic(), numbers, made, wait_s=receipt.lock_wait_s)


def _dropped(task: Task) -> Done:
    """Drops a draft of what others changed, too."""
    began = time.monotonic()
    with suppress(LockedError, MissingDraftError):
        insitu.drop_draft(task.path, lock_timeout_s=DRAFT_TIMEOUT_S)
        yield Event(began, time.monotonic(), {}, ("dropped",))


def _do_peek(task: Task) -> Done:
    """Reads a file as its draft shows it."""
    began = time.monotonic()
    try:
        with insitu.open(task.path, "r", lock_timeout_s=LOCK_TIMEOUT_S, draft=True) as document:
            numbers = {task.path.name: document.generation.operation}
            digest = xxh3_128_hexdigest(document.read(0, document.size))
            if document.changed:
                draft, saves = _draft_of(document)
                numbers[f"{task.path.name} {draft:08}"] = saves
        yield Event(began, time.monotonic(), numbers, ("look",), digest)
    except (MissingDraftError, StaleDraftError, SnapshotExpiredError):
        yield Event(began, time.monotonic(), {}, ("nothing to see",))


WORK: dict[str, Callable[[Task], Done]] = {
    "set": _do_set,
    "insert": _do_insert,
    "append": _do_append,
    "drop": _do_drop,
    "exchange": _do_exchange,
    "undo": _do_undo,
    "together": _do_together,
    "look": _do_look,
    "draft": _do_draft,
    "peek": _do_peek,
}
WEIGHTS = {
    **{"look": 10, "set": 6, "together": 5, "exchange": 3, "undo": 3, "insert": 3, "append": 3, "drop": 5},
    **{"draft": 6, "peek": 4},
}


@dataclass
class Worker:
    """One thread of a storm; never rests."""

    number: int
    paths: list[Path]
    until: float
    seed: str

    def __post_init__(self) -> None:
        self.events: list[Event] = []
        self.failure = ""

    def __call__(self) -> None:
        """Works until the time is up; notes what was done, or what failed."""
        chance = random.Random(f"{self.seed} {self.number}")
        value = 0
        try:
            while time.monotonic() < self.until:
                value += 1
                (kind,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
                paths = chance.sample(self.paths, 2)
                task = Task(paths, self.number, value, chance.choice(POLICIES), chance)
                with suppress(NoPlanError):  # a shift where nothing moves
                    self.events += WORK[kind](task)
        except (InsituError, AssertionError, ValueError) as error:
            self.failure = f"worker {self.number}: {error!r}"


def work(first: int, threads: int, seconds: float, seed: str, *paths: str) -> None:
    """Runs some workers of the storm as threads of this process; prints what they did as JSON."""
    files = [Path(path) for path in paths]
    for path in files:
        insitu.read(path)  # what has to be imported is
    print("ready", flush=True)
    input()
    workers = [
        Worker(number, files, time.monotonic() + seconds, seed) for number in range(first, first + threads)
    ]
    running = [threading.Thread(target=worker) for worker in workers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for worker in workers:
        print(json.dumps({"failure": worker.failure, "events": worker.events}))
