"""Scenarios for transactions: files that change together, by every kind of plan, recovered in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from insitu.core.facts import Facts
from insitu.core.patch import Patch
from insitu.core.policy import Policy
from insitu.engine import together as engine
from insitu.engine.commit import Commit
from insitu.engine.recover import pending
from insitu.engine.session import writing, writing_all
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.engine.together import Part
from insitu.storage.base import Volume
from insitu.testing.scenario import Scenario
from insitu.testing.simulated import SimulatedVolume
from tests.crash.commits import ABLE, BASE, PORTABLE, patch


class Change(NamedTuple):
    """What a transaction does to one file."""

    path: str
    base: bytes
    edits: Patch
    policy: Policy

    @property
    def result(self) -> bytes:
        return self.edits.apply(self.base)


def together(volumes: Volume | Sequence[Volume], changes: Sequence[Change]) -> None:
    """Commits the changes as a transaction does, on one volume or each on its own."""
    places = volumes if isinstance(volumes, Sequence) else [volumes] * len(changes)
    sites = [Site.of(place, change.path) for place, change in zip(places, changes, strict=True)]
    with writing_all(sites, Policy(), 0) as held:

        def parts() -> Iterator[Part]:
            for index, one in held:
                commit = Commit(sites[index], one.target, changes[index].policy)
                with commit.filling() as journal:
                    now = Snapshot(one.target, Generation.of(one.target.stat(), 0))
                    spool = Spool(journal, now, _no_source)
                    spool.add(changes[index].edits.splices)
                    spool.finish()
                yield Part(commit)

        engine.commit_together(parts())


def _no_source(path: str) -> Snapshot:
    raise AssertionError(path)


def recovering(*paths: str) -> Callable[[SimulatedVolume], None]:
    """Opens the files in this order, as so many programs would."""

    def recover(volume: SimulatedVolume) -> None:
        for path in paths:
            with writing(Site.of(volume, path), Policy(), 0):
                pass

    return recover


def left_over(paths: Iterable[str]) -> Callable[[SimulatedVolume], bool]:
    """Whether any file has a journal, a mark, or anything beside it but its history."""

    def unfinished(volume: SimulatedVolume) -> bool:
        for path in paths:
            site = Site.of(volume, path)
            file = site.open()
            marked = file.mark() is not None
            file.close()
            strays = [name for name in volume.names(site.state) if not name.endswith(".op")]
            if pending(site) or marked or strays:
                return True
        return False

    return unfinished


def scenario(name: str, changes: Sequence[Change], order: Sequence[str], *, facts: Facts = ABLE) -> Scenario:
    return Scenario(
        name=f"{name}, {' then '.join(order)}",
        files={change.path: change.base for change in changes},
        results={change.path: change.result for change in changes},
        facts=facts,
        run=lambda volume: together(volume, changes),
        recover=recovering(*order),
        pending=left_over(order),
    )


def policy(planner: str, history: int) -> Policy:
    return Policy(planner=planner, history=history)


_SMALL = BASE[:24]

EDITS: Mapping[str, tuple[bytes, tuple[int, int, bytes]]] = {
    "overwrite": (_SMALL, (3, 6, b"xyz")),
    "overwrite growing": (_SMALL, (20, 21, b"longer now")),
    "shift": (BASE, (5, 5, b"+++")),
    "blocks": (BASE, (11, 11, b"I" * 16)),
    "rewrite": (_SMALL, (5, 9, b"rewritten")),
}


def change(path: str, plan: str, history: int = 3) -> Change:
    base, edit = EDITS[plan]
    base = base[:-1] + path[-1:].encode()  # no two files are alike
    return Change(path, base, patch(base, edit), policy(plan.partition(" ")[0], history))


def scenarios() -> list[Scenario]:
    """Two and three files, in one folder and in several, with and without history."""
    found = []
    pairs = [
        ("overwrite", "overwrite"), ("overwrite", "shift"), ("overwrite growing", "rewrite"),
        ("rewrite", "rewrite"), ("shift", "shift"), ("blocks", "overwrite"),
    ]  # fmt: skip
    for number, (first, second) in enumerate(pairs):
        for history in (3, 0):
            # Each pair once with its files side by side, once in folders of their own.
            apart = (number + history) % 2 == 0
            a, b = ("/d/a", "/e/b") if apart else ("/d/a", "/d/b")
            changes = [change(a, first, history), change(b, second, history)]
            facts = PORTABLE if number % 2 and "blocks" not in (first, second) else ABLE
            name = f"{first} and {second}, history {history}"
            found += [scenario(name, changes, order, facts=facts) for order in ((a, b), (b, a))]
    three = [change("/d/a", "overwrite"), change("/d/b", "shift"), change("/e/c", "rewrite", 0)]
    found += [
        scenario("three files", three, order)
        for order in (("/d/a", "/d/b", "/e/c"), ("/e/c", "/d/b", "/d/a"), ("/d/b", "/e/c", "/d/a"))
    ]
    return found
