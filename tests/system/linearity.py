"""Tells whether what concurrent programs did and saw could have happened one after the other.

The general question (is there any order?) is hard. Here the files themselves claim one: every commit has a
number in its file's history, and every opening says which number it shows. It suffices to check that claim:

1. The commits of a file bear the numbers 1, 2, 3 ... , each exactly once: none is lost, none is there twice.
2. Made one by one in that order on plain bytes, they give what every reader of each version read, and what
   the file holds at last.
3. One order of all that happened has the commits of every file by number, each reading behind the commit it
   shows and before the next one, commits over several files at one place, and whatever ended before
   something else began before it.

That is sound: where all three hold, the order of 3 is a witness that what happened is strictly serializable
(linearizable, with commits over several files as one step each). It asks for more than that, since some other
order might do where the claimed one does not; but a file whose numbers lie about the order is broken as well.
For 3 a graph is sorted that has an edge for each of these demands; times are nodes in a chain of their own,
so that there are as many edges as events, not as pairs. Times are of the monotonic clock, which all processes
of a machine share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

Edit = Sequence[object]
"""A kind of edit and its values; ``("undo",)`` takes back the latest in effect, ``("look",)`` reads."""


class Event(NamedTuple):
    """Something that a worker did, from when it asked until it had the answer."""

    began: float
    ended: float
    numbers: dict[str, int]
    """By file, the number of the commit that was made, or that a reader was shown."""
    edit: Edit
    digest: str = ""
    """Of the bytes that a reader read."""
    wait_s: float = 0.0

    @property
    def reads(self) -> bool:
        """Whether it only read."""
        return self.edit[0] == "look"


def problems(
    before: Mapping[str, bytes],
    events: Iterable[Event],
    after: Mapping[str, bytes],
    meaning: Mapping[str, Callable[..., bytes]],
) -> list[str]:
    """What could not have happened one after the other, in words; empty where all could.

    Args:
        before, after: what each file held.
        meaning: for each kind of edit, what it makes of a file's bytes.
    """
    told = [event for event in events if event.numbers]
    found: list[str] = []
    for name in before:
        commits, looks = _of_file(name, told)
        numbers = Counter(event.numbers[name] for event in commits)
        wanted = Counter(range(1, len(commits) + 1))
        if numbers != wanted:
            odd = sorted((numbers - wanted) | (wanted - numbers))
            found.append(f"{name}: the commits {odd[:10]} are missing or there twice")
            continue
        found += _replayed(name, before[name], commits, looks, after[name], meaning)
    return found or _ordered(before, told)


def _of_file(name: str, events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """The commits of a file by number, and those who read it."""
    here = sorted((event for event in events if name in event.numbers), key=lambda event: event.numbers[name])
    return [event for event in here if not event.reads], [event for event in here if event.reads]


def _replayed(
    name: str,
    before: bytes,
    commits: Sequence[Event],
    looks: Sequence[Event],
    after: bytes,
    meaning: Mapping[str, Callable[..., bytes]],
) -> list[str]:
    """Makes the commits one by one on plain bytes."""
    readers = defaultdict(list)
    for look in looks:
        readers[look.numbers[name]].append(look)
    found = [f"{name}: a reader was shown operation {n}" for n in readers if n > len(commits)]
    in_effect: list[bytes] = []  # what the file held before each edit that no undo has taken back
    now = before
    for number in range(len(commits) + 1):
        if number:
            kind, *values = commits[number - 1].edit
            try:
                if kind == "undo":
                    now = in_effect.pop()
                else:
                    in_effect.append(now)
                    now = meaning[str(kind)](now, *values)
            except (ValueError, IndexError):
                return [*found, f"{name}: operation {number}, {kind}, had nothing to act upon"]
        digest = xxh3_128_hexdigest(now) if readers[number] else ""
        wrong = sum(look.digest != digest for look in readers[number])
        if wrong:
            found.append(
                f"{name}: {wrong} of {len(readers[number])} read something else as operation {number}"
            )
    if now != after:
        found.append(f"{name}: it does not hold what its {len(commits)} commits make")
    return found


def _ordered(names: Iterable[str], events: Sequence[Event]) -> list[str]:
    """Whether one order fits the numbers of all files and the times."""
    graph: TopologicalSorter[object] = TopologicalSorter()
    times = sorted({time for event in events for time in (event.began, event.ended)})
    for earlier, later in pairwise(times):
        graph.add(("time", later), ("time", earlier))
    for index, event in enumerate(events):
        graph.add(index, ("before", event.began))
        graph.add(("after", event.ended), index)
    # What ended comes before what begins later, not before what begins in the same instant.
    for earlier, later in pairwise(times):
        graph.add(("time", later), ("after", earlier))
    for time in times:
        graph.add(("before", time), ("time", time))
    for name in names:
        here = [
            (event.numbers[name], not event.reads, i)
            for i, event in enumerate(events)
            if name in event.numbers
        ]
        last_commit: int | None = None
        looking: list[int] = []
        for _, commits, index in sorted(here, key=lambda one: (one[0], not one[1])):
            if commits:
                graph.add(index, *looking, *([] if last_commit is None else [last_commit]))
                last_commit, looking = index, []
            else:
                if last_commit is not None:
                    graph.add(index, last_commit)
                looking.append(index)
    try:
        graph.prepare()
    except CycleError as error:
        circle = [events[node] for node in error.args[1] if isinstance(node, int)]
        return [f"no order fits: {circle[:6]}"]
    return []
