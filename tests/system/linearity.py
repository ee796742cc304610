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
A draft is named like a file, with its saves for commits, and the commit that ends it for the last of them.
Whoever reads one is shown a version of the file and a save, each current at some moment, not both at one: its
saves, made on that version, give what was read, and the version is one from before the draft was committed.

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
"""A kind of edit and its values; ``("undo",)`` takes back the latest in effect, ``("look",)`` reads.

``("draft", NAME, COUNT)`` makes what that many saves of a draft hold, each told by the edit of its own event.
"""

Meaning = Mapping[str, Callable[..., bytes]]


class Event(NamedTuple):
    """Something that a worker did, from when it asked until it had the answer."""

    began: float
    ended: float
    numbers: dict[str, int]
    """By file, the number of the commit that was made, or that a reader was shown; by draft, of the save."""
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
    meaning: Meaning,
) -> list[str]:
    """What could not have happened one after the other, in words; empty where all could.

    Args:
        before, after: what each file held.
        meaning: for each kind of edit, what it makes of a file's bytes.
    """
    told = [event for event in events if event.numbers]
    found: list[str] = []
    names = sorted({name for event in told for name in event.numbers} | {*before})
    histories = {name: _of_file(name, told) for name in names}
    for name, (commits, _) in histories.items():
        numbers = Counter(event.numbers[name] for event in commits)
        wanted = Counter(range(1, len(commits) + 1))
        if numbers != wanted:
            odd = sorted((numbers - wanted) | (wanted - numbers))
            found.append(f"{name}: the commits {odd[:10]} are missing or there twice")
    if found:
        return found
    drafts = {name: [event.edit for event in histories[name][0]] for name in names if name not in before}
    for name in before:
        found += _Replay(name, before[name], drafts, meaning).problems(*histories[name], after[name])
    return found or _ordered(names, told)


def _of_file(name: str, events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """The commits of a file by number, and those who read it."""
    here = sorted((event for event in events if name in event.numbers), key=lambda event: event.numbers[name])
    return [event for event in here if not event.reads], [event for event in here if event.reads]


class _Replay:
    """Makes the commits of a file one by one on plain bytes.

    Args:
        drafts: what was saved in each, in order.
    """

    def __init__(self, name: str, now: bytes, drafts: Mapping[str, Sequence[Edit]], meaning: Meaning) -> None:
        self._name = name
        self._now = now
        self._drafts = drafts
        self._meaning = meaning
        self._committed: set[str] = set()
        # What the file held before each edit that no undo has taken back.
        self._in_effect: list[bytes] = []

    def problems(self, commits: Sequence[Event], looks: Sequence[Event], after: bytes) -> list[str]:
        """What does not fit."""
        name = self._name
        readers = defaultdict(list)
        for look in looks:
            readers[look.numbers[name]].append(look)
        found = [f"{name}: a reader was shown operation {n}" for n in readers if n > len(commits)]
        for number in range(len(commits) + 1):
            if number:
                kind, *values = commits[number - 1].edit
                try:
                    self._make(str(kind), values)
                except (ValueError, IndexError):
                    return [*found, f"{name}: operation {number}, {kind}, had nothing to act upon"]
            wrong = sum(not self._fits(look) for look in readers[number])
            if wrong:
                found.append(
                    f"{name}: {wrong} of {len(readers[number])} read something else as operation {number}"
                )
        if self._now != after:
            found.append(f"{name}: it does not hold what its {len(commits)} commits make")
        return found

    def _make(self, kind: str, values: list[object]) -> None:
        if kind == "undo":
            self._now = self._in_effect.pop()
            return
        self._in_effect.append(self._now)
        if kind == "draft":
            draft, count = values
            self._committed.add(str(draft))
            self._now = self._drafted(str(draft), int(str(count)))
        else:
            self._now = self._meaning[kind](self._now, *values)

    def _drafted(self, draft: str, count: int) -> bytes:
        """What a draft makes of the file as it is."""
        now = self._now
        for kind, *values in self._drafts[draft][:count]:
            now = self._meaning[str(kind)](now, *values)
        return now

    def _fits(self, look: Event) -> bool:
        """Whether a reader of this version, or of a draft of it, read what was there."""
        shown = self._now
        for draft in look.numbers:
            if draft != self._name:
                if draft in self._committed or look.numbers[draft] > len(self._drafts[draft]):
                    return False
                shown = self._drafted(draft, look.numbers[draft])
        return look.digest == xxh3_128_hexdigest(shown)


def _ordered(names: Iterable[str], events: Sequence[Event]) -> list[str]:
    """Whether one order fits the numbers of all files and the times."""
    events = [part for event in events for part in _moments(event)]
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


def _moments(event: Event) -> list[Event]:
    """A commit is made at one moment, in whatever files; each thing that a reader was shown has its own."""
    if not event.reads:
        return [event]
    return [event._replace(numbers={name: number}) for name, number in event.numbers.items()]
