"""Scenarios for the crash explorer: every planner's commits, undo, and rewrites, by the real engine."""

from __future__ import annotations

from collections.abc import Iterable

from insitu.core.facts import Facts
from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.policy import Policy
from insitu.core.spans import Span
from insitu.engine.commit import Commit
from insitu.engine.recover import pending
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.engine.undo import undo
from insitu.testing.scenario import Scenario
from insitu.testing.simulated import SimulatedVolume

PATH = "/d/f"
_DEFAULT = Policy()

ABLE = Facts(
    filesystem="simulated",
    block_bytes=8,
    atom_bytes=8,
    clone=True,
    ranges=True,
    punch=True,
    reserve=True,
    kernel_copy=True,
    leases=True,
    marks=True,
)
PORTABLE = Facts(filesystem="simulated", block_bytes=8, atom_bytes=8)


def patch(base: bytes, *edits: tuple[int, int, bytes]) -> Patch:
    return Patch(len(base), tuple(Splice(Span(a, b), (Literal(new),)) for a, b, new in edits))


def commit(volume: SimulatedVolume, edits: Patch, policy: Policy) -> str:
    """Commits a patch as documents and verbs do; returns the plan."""
    site = Site.of(volume, PATH)
    with writing(site, policy, 0) as held:
        commit = Commit(site, held.target, policy)
        spool = Spool(commit.journal, Snapshot(held.target, Generation.of(held.target.stat(), 0)), _no_source)
        spool.add(edits.splices)
        spool.finish()
        return commit.carry_out().plan


def _no_source(path: str) -> Snapshot:
    raise AssertionError(path)


def recovering(volume: SimulatedVolume) -> None:
    with writing(Site.of(volume, PATH), Policy(), 0):
        pass


def is_pending(volume: SimulatedVolume) -> bool:
    return pending(Site.of(volume, PATH))


def scenario(
    name: str,
    base: bytes,
    edits: Patch,
    *,
    facts: Facts = ABLE,
    policy: Policy = _DEFAULT,
    earlier: Iterable[Patch] = (),
    undoing: bool = False,
) -> Scenario:
    """A commit of ``edits`` over ``base``; with ``undoing``, the undo of the last earlier one instead."""
    before = base
    for patch_ in earlier:
        before = patch_.apply(before)

    def prepare(volume: SimulatedVolume) -> None:
        for patch_ in earlier:
            commit(volume, patch_, policy)

    def run(volume: SimulatedVolume) -> None:
        if undoing:
            site = Site.of(volume, PATH)
            with writing(site, policy, 0) as held:
                undo(site, held.target, policy, None, 0.0).carry_out()
        else:
            commit(volume, edits, policy)

    return Scenario(
        name=name,
        files={PATH: base},
        results={PATH: base if undoing else edits.apply(before)},
        facts=facts,
        prepare=prepare,
        run=run,
        recover=recovering,
        pending=is_pending,
        durable=policy.durability == "full",
    )


BASE = bytes(range(65, 65 + 26)) + b"abcdefghijklmnopqrstuv"


def scenarios() -> list[Scenario]:
    """Every planner and form, with and without history, on able and on portable storage."""
    long = BASE * 2
    found = []
    for history in (3, 0):
        kept = f", history {history}"
        for facts in (ABLE, PORTABLE):
            on = "able" if facts is ABLE else "portable"
            found += [
                scenario(
                    f"overwrite same size {on}{kept}",
                    BASE,
                    patch(BASE, (3, 6, b"xyz"), (30, 34, b"____")),
                    facts=facts,
                    policy=Policy(history=history, planner="overwrite"),
                ),
                scenario(
                    f"overwrite growing {on}{kept}",
                    BASE,
                    patch(BASE, (20, 21, b"longer than it was")),
                    facts=facts,
                    policy=Policy(history=history, planner="overwrite"),
                ),
                scenario(
                    f"overwrite shrinking {on}{kept}",
                    BASE,
                    patch(BASE, (9, 31, b"-")),
                    facts=facts,
                    policy=Policy(history=history, planner="overwrite"),
                ),
                scenario(
                    f"shift insert {on}{kept}",
                    long,
                    patch(long, (5, 5, b"+++")),
                    facts=facts,
                    policy=Policy(history=history, planner="shift"),
                ),
                scenario(
                    f"shift delete {on}{kept}",
                    long,
                    patch(long, (13, 18, b"")),
                    facts=facts,
                    policy=Policy(history=history, planner="shift"),
                ),
                scenario(
                    f"shift mixed {on}{kept}",
                    long,
                    patch(long, (2, 9, b""), (30, 30, b"twelve bytes"), (60, 62, b"q")),
                    facts=facts,
                    policy=Policy(history=history, planner="shift"),
                ),
                scenario(
                    f"shift right far {on}{kept}",
                    long,
                    patch(long, (10, 10, b"R" * 40)),
                    facts=facts,
                    policy=Policy(history=history, planner="shift"),
                ),
                scenario(
                    f"shift left far {on}{kept}",
                    long,
                    patch(long, (7, 55, b"")),
                    facts=facts,
                    policy=Policy(history=history, planner="shift"),
                ),
                scenario(
                    f"rewrite {on}{kept}",
                    BASE,
                    patch(BASE, (5, 9, b"rewritten")),
                    facts=facts,
                    policy=Policy(history=history, planner="rewrite"),
                ),
            ]
        found += [
            scenario(
                f"blocks insert{kept}",
                BASE,
                patch(BASE, (11, 11, b"I" * 16)),
                policy=Policy(history=history, planner="blocks"),
            ),
            scenario(
                f"blocks collapse{kept}",
                long,
                patch(long, (11, 27, b"")),
                policy=Policy(history=history, planner="blocks"),
            ),
        ]
    first = patch(BASE, (4, 8, b"first edit"))
    found.append(scenario("undo", BASE, patch(BASE), earlier=[first], undoing=True))
    found.append(scenario("second commit", BASE, patch(first.apply(BASE), (0, 1, b"2nd")), earlier=[first]))
    found.append(scenario("fast", BASE, patch(BASE, (4, 8, b"fast")), policy=Policy(durability="fast")))
    return found
