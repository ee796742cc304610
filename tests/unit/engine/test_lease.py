"""The lease: what a commit does where programs outside insitu are kept waiting, and where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import insitu
from insitu.core.facts import Facts
from insitu.core.plan import LEASE_S, Cost
from insitu.core.policy import Policy, Unleased
from insitu.core.protocols import Progress
from insitu.engine.site import Site
from insitu.errors import CancelledError, InsituError, LockedError, NoPlanError, StorageError
from insitu.storage.base import File
from insitu.testing.simulated import Fault, SimulatedVolume

PATH = "/d/f"
BASE = bytes(range(32, 127)) * 40
ABLE = Facts(block_bytes=512, atom_bytes=512, reserve=True, leases=True)
IN_PLACE = Policy(planner="overwrite")


def site_on(facts: Facts = ABLE, fault: Fault | None = None) -> Site:
    return Site.of(SimulatedVolume({PATH: BASE}, facts, fault=fault), PATH)


@pytest.fixture
def site() -> Site:
    return site_on()


@pytest.fixture
def elsewhere(site: Site) -> Iterator[File]:
    """Somebody else's opening of the file."""
    file = site.open()
    yield file
    file.close()


def contents(site: Site) -> bytes:
    with insitu.open(site, "r") as doc:
        return doc.read(0, doc.size)


def write(site: Site, policy: Policy = IN_PLACE) -> insitu.Receipt:
    return insitu.write(site, 3, 6, b"new", policy=policy)


def committed(site: Site, progress: Progress) -> insitu.Receipt:
    """The same, told of progress while the file changes, and not before."""
    with insitu.open(site, policy=IN_PLACE, locked=True) as doc:
        doc[3:6] = b"new"
        receipt = doc.commit(progress=progress)
        assert receipt is not None
        return receipt


NEW = BASE[:3] + b"new" + BASE[6:]


def test_a_verb_holds_a_lease_while_it_writes(site: Site) -> None:
    kept_out = []

    def come(done: int, total: int) -> None:
        with pytest.raises(LockedError):
            site.open()
        kept_out.append(done)

    receipt = committed(site, come)
    assert (receipt.lease, bool(kept_out), contents(site)) == ("held", True, NEW)
    assert receipt.as_dict()["lease"] == "held"
    site.open().close()


def test_a_document_holds_one_by_the_opening_it_has(site: Site) -> None:
    with insitu.open(site, policy=IN_PLACE) as doc:
        for text in (b"abc", b"def"):
            doc[3:6] = text
            receipt = doc.commit()
            assert receipt is not None and receipt.lease == "held"
            assert doc[3:6] == text
        with insitu.open(site, policy=IN_PLACE) as other:
            other[7] = 1
            assert other.commit().lease == "in use"  # by the first document
    site.open().close()


def test_the_lock_is_let_go_with_the_document_still_open(site: Site) -> None:
    with insitu.open(site, policy=IN_PLACE) as doc:
        doc[3:6] = b"new"
        with pytest.raises(CancelledError):
            doc.commit(cancel=lambda: True)
        assert insitu.write(site, 9, 10, b"!", policy=IN_PLACE, lock_timeout_s=0).lease == "in use"
        assert doc.commit().rebased_over == (1,)
    assert contents(site) == NEW[:9] + b"!" + NEW[10:]


def test_files_of_a_transaction_are_each_leased() -> None:
    volume = SimulatedVolume({PATH: BASE, "/d/g": BASE}, ABLE)
    with insitu.transaction(policy=IN_PLACE) as t:
        for path in (PATH, "/d/g"):
            t.open(Site.of(volume, path))[3:6] = b"new"
        receipts = t.commit().receipts
    assert [receipt.lease for receipt in receipts] == ["held", "held"]
    for path in (PATH, "/d/g"):
        volume.open(path).close()


def test_a_swap_needs_none(site: Site, elsewhere: File) -> None:
    receipt = write(site, Policy(visibility="atomic", unleased="refuse"))
    assert (receipt.plan, receipt.lease) == ("rewrite/swap", "not needed")


REFUSALS: list[tuple[str, Facts, type[InsituError]]] = [
    ("in use", ABLE, LockedError),
    ("not supported", replace(ABLE, leases=False), NoPlanError),
]


@pytest.mark.parametrize(("reason", "facts", "error"), REFUSALS)
def test_policy_decides_where_none_is_granted(reason: str, facts: Facts, error: type[InsituError]) -> None:
    plans: dict[Unleased, str] = {"proceed": "overwrite/atoms", "rewrite": "rewrite/swap"}
    for unleased, plan in plans.items():
        site = site_on(facts)
        elsewhere = site.open()
        receipt = write(site, Policy(unleased=unleased))
        assert (receipt.plan, receipt.lease) == (plan, reason)
        assert contents(site) == NEW
        elsewhere.close()
    site = site_on(facts)
    elsewhere = site.open()
    with pytest.raises(error) as refused:
        write(site, Policy(unleased="refuse"))
    assert refused.value.facts["lease"] == reason
    assert (contents(site), site.volume.names("/d")) == (BASE, ["f"])  # nothing is left behind
    elsewhere.close()


def test_a_rewrite_that_policy_rules_out_is_refused(site: Site, elsewhere: File) -> None:
    with pytest.raises(NoPlanError):
        write(site, Policy(unleased="rewrite", planner="overwrite"))
    assert contents(site) == BASE


def test_others_are_not_kept_waiting_for_long_edits() -> None:
    least = Cost(read_bytes=0, overwritten_bytes=1000, fresh_bytes=1000, syncs=3, space_bytes=0)
    assert least.seconds_at_worst() < LEASE_S / 10
    assert least._replace(overwritten_bytes=90_000_000).seconds_at_worst() < LEASE_S
    assert least._replace(overwritten_bytes=100_000_000).seconds_at_worst() > LEASE_S


def test_the_plan_tells_whether_others_wait(site: Site) -> None:
    with insitu.open(site, policy=IN_PLACE) as doc:
        doc[3:6] = b"new"
        assert "programs outside insitu wait" in str(doc.plan()) and doc.plan().as_dict()["brief"]
        doc.discard()


def test_a_lease_that_was_taken_back_is_not_claimed(site: Site) -> None:
    volume = site.volume
    assert isinstance(volume, SimulatedVolume)

    def take_back(done: int, total: int) -> None:
        volume.leases.clear()

    assert committed(site, take_back).lease == "broken"


def test_a_commit_that_fails_gives_it_back_though_the_file_stays_open() -> None:
    failed = 0
    for index in range(60):
        site = site_on(fault=Fault(error="io", index=index))
        with insitu.open(site, policy=IN_PLACE, locked=True) as doc:
            doc[3:6] = b"new"
            try:
                doc.commit()
            except StorageError:
                failed += 1
            doc.discard()
            assert isinstance(site.volume, SimulatedVolume) and not site.volume.leases
    assert failed > 10
