"""Scenarios for drafts: begun, saved, moved past a commit, compacted, committed and dropped.

What a draft shows is kept in a file beside the target, written anew by every recovery, so that the explorer
judges both together: the file old and its draft there, or the file new and its draft gone, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from insitu.core.facts import Facts
from insitu.core.policy import Policy
from insitu.document import Document
from insitu.engine import drafts as engine
from insitu.engine.recover import pending
from insitu.engine.session import writing
from insitu.engine.site import Site
from insitu.errors import MissingDraftError
from insitu.testing.scenario import Failure, Scenario, Wrong
from insitu.testing.simulated import SimulatedVolume
from insitu.views import draft
from tests.crash.commits import ABLE, BASE, PATH, PORTABLE

SHOWN = "/d/shown"
NONE = b"(no draft)"
_DEFAULT = Policy()

Edit = tuple[int, int, bytes]
Step = Callable[[SimulatedVolume], object]


def drafting(volume: SimulatedVolume, policy: Policy = _DEFAULT, *, read_only: bool = False) -> Document:
    site = Site.of(volume, PATH)
    return Document(site, read_only=read_only, policy=policy, lock_timeout_s=0, draft="history")


def edited(content: bytes, *edits: Edit) -> bytes:
    for start, stop, new in edits:
        content = content[:start] + new + content[stop:]
    return content


def saving(*edits: Edit, each: bool = False) -> Step:
    """Makes edits, one after the other, and saves them together or each."""

    def save(volume: SimulatedVolume) -> None:
        with drafting(volume) as doc:
            for start, stop, new in edits:
                doc[start:stop] = new
                if each:
                    doc.save_draft()

    return save


def compacting(step: Step) -> Step:
    """Has a log of a few hundred bytes compacted, at opening and after saving."""

    def compact(volume: SimulatedVolume) -> None:
        with pytest.MonkeyPatch.context() as small:
            small.setattr(draft, "COMPACT_BYTES", 64)
            small.setattr(draft, "COMPACT_TIMES", 1)
            step(volume)

    return compact


def committing(policy: Policy) -> Step:
    def commit(volume: SimulatedVolume) -> None:
        with drafting(volume, policy) as doc:
            doc.commit()

    return commit


def writing_directly(start: int, stop: int, new: bytes) -> Step:
    def write(volume: SimulatedVolume) -> None:
        with Document(Site.of(volume, PATH), policy=_DEFAULT, lock_timeout_s=0, locked=True) as doc:
            doc[start:stop] = new

    return write


def dropping(volume: SimulatedVolume) -> None:
    engine.drop(Site.of(volume, PATH), _DEFAULT, 0)


def recovering(volume: SimulatedVolume) -> None:
    """As the next program that edits the draft would find things, and leave them; shows the draft."""
    site = Site.of(volume, PATH)
    with writing(site, _DEFAULT, 0):
        pass
    if volume.stat(site.draft) is not None:
        drafting(volume).close()
    show(volume)


def show(volume: SimulatedVolume) -> None:
    try:
        doc = drafting(volume, read_only=True)
    except MissingDraftError:
        shown = NONE
    else:
        shown = doc.read(0, doc.size)
        doc.close()
    file = volume.open(SHOWN, write=True)
    file.resize(0)
    file.write(0, shown)
    file.close()


def beyond_help(wrong: Wrong) -> bool:
    """Whether a save was found, and is gone after a power cut, whose sync failed and all else after it.

    So it could not be taken back either, and nothing tells it from one that was synced.
    """
    first = wrong.trail[0]
    lost = wrong.problem == "the targets are old, but must be new" and len(wrong.trail) > 1
    return lost and isinstance(first, Failure) and first.fault.forever and first.fault.call in (None, "sync")


def _left_over(volume: SimulatedVolume) -> bool:
    """Whether anything is pending, or lies beside the file that is none of journal, draft and history."""
    site = Site.of(volume, PATH)
    strays = [name for name in volume.names(site.state) if not name.endswith(".op") and name != "draft"]
    return pending(site) or bool(strays)


class _Both(NamedTuple):
    """The target and what its draft shows."""

    file: bytes
    shown: bytes


def scenario(
    name: str,
    before: _Both,
    after: _Both,
    run: Step,
    *prepare: Step,
    facts: Facts = ABLE,
    durable: bool = True,
) -> Scenario:
    def prepared(volume: SimulatedVolume) -> None:
        for step in prepare:
            step(volume)
        show(volume)

    def shown(volume: SimulatedVolume) -> None:
        run(volume)
        show(volume)

    made = Scenario(
        name=name,
        files={PATH: BASE, SHOWN: NONE},
        results={PATH: after.file, SHOWN: after.shown},
        facts=facts,
        prepare=prepared,
        run=shown,
        recover=recovering,
        pending=_left_over,
        durable=durable,
    )
    contents = made.start().contents()
    assert (contents[PATH], contents[SHOWN]) == before
    return made


EDITS: tuple[Edit, ...] = ((5, 5, b"+++"), (20, 24, b""), (30, 33, b"longer than it was"))
MANY: tuple[Edit, ...] = tuple((8, 8 + (i > 0), b"%d" % i) for i in range(6))
MORE: tuple[Edit, ...] = ((0, 1, b"first"), (12, 12, b"in between"))
DRAFTED = edited(BASE, *EDITS)
SAVED = saving(*EDITS)


def _plan(name: str, planner: str, history: int, facts: Facts = ABLE, **policy: str) -> Scenario:
    chosen = Policy(planner=planner, history=history, **policy)
    return scenario(
        f"commit by {name}, history {history}",
        _Both(BASE, DRAFTED),
        _Both(DRAFTED, NONE),
        committing(chosen),
        SAVED,
        facts=facts,
        durable=chosen.durability == "full",
    )


def scenarios() -> list[Scenario]:
    """Everything that is done to a draft, crashed."""
    both = edited(DRAFTED, *MORE)
    moved = edited(edited(BASE, (40, 43, b"elsewhere")), *EDITS)
    found = [
        scenario(
            "begin",
            _Both(BASE, NONE),
            _Both(BASE, BASE),
            lambda v: engine.begin(Site.of(v, PATH), _DEFAULT, 0),
        ),
        scenario("drop", _Both(BASE, DRAFTED), _Both(BASE, NONE), dropping, SAVED),
        scenario(
            "save past a commit",
            _Both(edited(BASE, (40, 43, b"elsewhere")), moved),
            _Both(edited(BASE, (40, 43, b"elsewhere")), edited(moved, *MORE)),
            saving(*MORE),
            SAVED,
            writing_directly(40, 43, b"elsewhere"),
        ),
    ]
    found.append(
        scenario(
            "compact",
            _Both(BASE, edited(DRAFTED, *MANY)),
            _Both(BASE, edited(DRAFTED, *MANY, *MORE)),
            compacting(saving(*MORE)),
            SAVED,
            saving(*MANY, each=True),
        )
    )
    for facts in (ABLE, PORTABLE):
        on = "able" if facts is ABLE else "portable"
        found += [
            scenario(
                f"save {on}", _Both(BASE, DRAFTED), _Both(BASE, both), saving(*MORE), SAVED, facts=facts
            ),
            *(
                _plan(f"{planner} {on}", planner, history, facts)
                for planner in ("overwrite", "shift", "rewrite")
                for history in (3, 0)
            ),
        ]
    found.append(_plan("a fast overwrite", "overwrite", 3, durability="fast"))
    return found
