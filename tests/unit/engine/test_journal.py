"""A journal is what was sealed, byte for byte, or it is refused; there is no third thing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.core.columns import Block, block_of
from insitu.core.records import MAGIC, PREAMBLE, Progress, State
from insitu.core.spans import Span
from insitu.engine import journal as journals
from insitu.engine import pools
from insitu.engine.journal import SLOTS, Journal
from insitu.engine.pools import Covers, JournalPool, Repeat
from insitu.errors import InternalError, JournalDamagedError
from insitu.storage.linux import LinuxVolume
from insitu.storage.memory import MemoryFile, MemoryVolume

SALT = 0x1234_5678_9ABC
ATOM = 64
HEADER = {
    "operation": 7,
    "kind": "edit",
    "of": 0,
    "identity": [1, 9, 0],
    "before": {"size": 1000, "mtime_ns": 5, "inode": 9},
    "boot": "x",
    "time": 1.5,
}
PLAN = {
    "planner": "overwrite",
    "form": "atoms",
    "layout": [64, 64, 64, 0],
    "swaps": False,
    "old": "pool",
    "history": True,
    "marked": False,
}


@pytest.fixture(autouse=True)
def small_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (journals, pools):
        monkeypatch.setattr(module, "PAYLOAD_BYTES", 40)
    monkeypatch.setattr(journals, "_GLANCE_BYTES", 24)


def sealed(volume: MemoryVolume) -> Journal:
    """A journal with every kind of record."""
    journal = Journal.create(volume, "/journal", SALT, HEADER)
    journal.add_splices(block_of([(0, 3, 5), (10, 12, 0), (20, 20, 7)]))
    journal.add_splices(block_of([(30, 31, 2), (40, 41, 2)], olds=5, news=12))
    journal.add_new(bytes(range(100)))
    journal.add_new(Repeat(b"a unit longer than a glance at the record shows", 3))
    journal.add_old(Repeat(b"xy", 9))
    journal.add_old(memoryview(b"old bytes"))
    journal.add_covers([Span(0, 64), Span(128, 138)], [bytes(range(64)), b"0123456789"])
    journal.add_covers([Span(200, 204)], [b"abcd"])
    journal.seal(PLAN, ATOM)
    return journal


def check_contents(journal: Journal) -> None:
    unit = b"a unit longer than a glance at the record shows"
    new = bytes(range(100)) + 3 * unit
    assert journal.header == HEADER and journal.plan == {**PLAN, "atom_bytes": ATOM}
    assert journal.splices.base_size == 1000 and journal.splices.summary.places == 5
    assert [list(block.starts) for block in journal.splices.blocks()] == [[0, 10, 20], [30, 40]]
    assert journal.new.size == len(new)
    for start in range(0, len(new), 7):
        for size in (0, 1, 9, 60, len(new) - start):
            assert journal.new.read(start, min(size, len(new) - start)) == new[start : start + size]
    assert journal.new.unit(Span(100, 100 + 2 * len(unit))) == unit
    assert journal.new.unit(Span(101, 110)) is None and journal.new.unit(Span(99, 110)) is None
    assert journal.old.read(0, 27) == b"xy" * 9 + b"old bytes"
    assert list(journal.replaced()) == [Repeat(b"xy", 9), b"old bytes"]
    assert list(journal.covers) == [Span(0, 64), Span(128, 138), Span(200, 204)]
    assert journal.covers.read(Span(130, 133)) == b"234"


def test_what_was_sealed_comes_back() -> None:
    volume = MemoryVolume()
    check_contents(sealed(volume))
    for whole in (True, False):
        check_contents(Journal.load(volume.open("/journal"), whole=whole))


def test_a_draft_is_read_while_it_is_written() -> None:
    journal = Journal.create(MemoryVolume(), "/journal", SALT, HEADER)
    journal.add_new(b"abc")
    assert journal.new.read(1, 2) == b"bc"
    journal.add_splices(block_of([(5, 6, 3)]))
    assert next(iter(journal.splices.blocks())).starts[0] == 5
    with pytest.raises(JournalDamagedError):
        Journal.load(journal.file)


@pytest.mark.slow
def test_every_flipped_byte_is_noticed_or_without_effect() -> None:
    volume = MemoryVolume()
    journal = sealed(volume)
    journal.note(State.RUNNING, 3)
    data = journal.file.read(0, journal.file.size())
    records_end = journal._slots_at
    accepted = []
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            journal.file.write(at, bytes((data[at] ^ flip,)))
            try:
                loaded = Journal.load(volume.open("/journal"), whole=True)
            except JournalDamagedError:
                pass
            else:
                accepted.append(at)
                check_contents(loaded)
                assert loaded.progress in (Progress(0, State.RUNNING, 0), Progress(1, State.RUNNING, 3))
            try:
                Journal.load(volume.open("/journal"))
            except JournalDamagedError:
                assert at < records_end
        journal.file.write(at, data[at : at + 1])
    # What is accepted is padding before the slots, and the slots, of which a torn one never counts.
    padding = data[:records_end].rstrip(b"\0")
    assert all(at >= len(padding) for at in accepted)


def test_a_journal_cut_anywhere_before_its_slots_is_refused() -> None:
    volume = MemoryVolume()
    journal = sealed(volume)
    whole = journal.file.read(0, journal.file.size())
    plan_end = len(whole[: journal._slots_at].rstrip(b"\0"))
    for size in range(plan_end):
        journal.file.resize(size)
        for careful in (True, False):
            with pytest.raises(JournalDamagedError) as caught:
                Journal.load(volume.open("/journal"), whole=careful)
            assert caught.value.file_state == "awaiting recovery"
        journal.file.write(0, whole)


def made(data: bytes) -> MemoryFile:
    volume = MemoryVolume()
    file = volume.open("/journal", write=True, create=True)
    file.write(0, data)
    return file


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", MAGIC, PREAMBLE.pack(MAGIC, SALT)]), st.booleans())
def test_random_bytes_are_refused(data: bytes, head: bytes, whole: bool) -> None:
    with pytest.raises(JournalDamagedError):
        Journal.load(made(head + data), whole=whole)


@settings(max_examples=200)
@given(st.data())
def test_records_of_a_journal_in_another_order_are_refused(data) -> None:
    volume = MemoryVolume()
    journal = sealed(volume)
    whole = journal.file.read(0, journal.file.size())
    start = data.draw(st.integers(PREAMBLE.size, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    at = data.draw(st.integers(PREAMBLE.size, journal._slots_at - 1))
    changed = (whole[:at] + whole[start:stop] + whole[at:])[: len(whole)]
    if changed[: journal._slots_at] == whole[: journal._slots_at]:
        return
    try:
        loaded = Journal.load(made(changed), whole=True)
    except JournalDamagedError:
        return
    check_contents(loaded)


def test_progress_is_the_newest_slot_that_checks_out() -> None:
    volume = MemoryVolume()
    journal = sealed(volume)
    for done in range(1, 7):
        journal.note(State.RUNNING, done)
        assert (
            Journal.load(volume.open("/journal")).progress
            == journal.progress
            == Progress(done, State.RUNNING, done)
        )
    # Torn, the newest is as if it had never been written (J5).
    newest = journal._slots_at + journal.progress.sequence % SLOTS * ATOM
    journal.file.write(newest + 8, b"\xff")
    assert Journal.load(volume.open("/journal")).progress.segments_done == 5
    again = Journal.load(volume.open("/journal", write=True))
    again.note(State.CLOSED, 6, after=again.file.stat(), durable=False)
    closed = Journal.load(volume.open("/journal")).progress
    assert closed.state is State.CLOSED and closed.size == again.file.size() and closed.inode


def test_slots_lie_on_atoms_of_their_own() -> None:
    journal = sealed(MemoryVolume())
    assert journal._slots_at % ATOM == 0
    assert journal.file.size() == journal._slots_at + SLOTS * 64


def test_it_is_the_same_on_a_disk(tmp_path: Path) -> None:
    volume = LinuxVolume()
    journal = Journal.create(volume, str(tmp_path / "journal"), SALT, HEADER)
    journal.add_new(b"bytes")
    journal.seal({**PLAN, "old": "none", "layout": [4096, 4096, 4096, 0]}, 4096)
    journal.close()
    file = volume.open(str(tmp_path / "journal"))
    assert Journal.load(file, whole=True).new.read(0, 5) == b"bytes"
    file.close()


# Pools and covers


def recorded(payloads: list[bytes]) -> JournalPool:
    pool = JournalPool(payloads.__getitem__)
    return pool


parts = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=9),
        st.builds(Repeat, st.binary(min_size=1, max_size=5), st.integers(1, 6)),
    ),
    max_size=8,
)


@given(parts, st.data())
def test_a_pool_reads_as_one_string(given_parts, data) -> None:
    payloads: list[bytes] = []
    pool = recorded(payloads)
    whole = b""
    for part in given_parts:
        payload = pool.pack_repeat(part) if isinstance(part, Repeat) else pool.pack_bytes(part)
        payloads.append(payload)
        pool.note(payload, len(payload), len(payloads) - 1)
        whole += part.unit * part.times if isinstance(part, Repeat) else part
    assert pool.size == len(whole)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    assert pool.read(start, stop - start) == whole[start:stop]
    unit = pool.unit(Span(start, stop))
    if unit is not None and stop > start:
        assert whole[start:stop] == (unit * (stop - start))[: stop - start]
    assert list(pool.stretches()) == given_parts
    if pool.uniform is not None:
        assert whole == pool.uniform * (len(whole) // len(pool.uniform))


def test_a_pools_records_come_in_order() -> None:
    pool = recorded([])
    payload = pool.pack_bytes(b"abc")
    pool.note(payload, len(payload), 0)
    with pytest.raises(InternalError):
        pool.note(payload, len(payload), 1)


def covers_of(spans: list[Span], to_a_record: int) -> Iterator[Covers]:
    payloads = []
    covers = Covers(lambda record: payloads[record])
    for at in range(0, len(spans), to_a_record):
        chunk = spans[at : at + to_a_record]
        payload = Covers.pack(chunk, [bytes(x % 251 for x in range(*span)) for span in chunk])
        payloads.append(payload)
        covers.note(payload[: Covers.columns_bytes(payload)], len(payload), len(payloads) - 1)
    yield covers


@given(
    st.lists(st.integers(0, 80), max_size=14, unique=True),
    st.integers(1, 4),
    st.integers(0, 80),
    st.integers(0, 40),
)
def test_covers_tell_what_is_saved(cuts, to_a_record, start, size) -> None:
    cuts.sort()
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    (covers,) = covers_of(spans, to_a_record)
    saved = {x for span in spans for x in range(*span)}
    assert list(covers) == spans and len(covers) == len(spans)
    asked = Span(start, start + size)
    tiles = list(covers.stretches(asked))
    assert [x for part, _ in tiles for x in range(*part)] == list(range(*asked))
    for part, held in tiles:
        assert all((x in saved) == held for x in range(*part))
        if held:
            assert covers.read(part) == bytes(x % 251 for x in range(*part))
    held_whole = covers.holding(*asked)
    if size:
        assert (held_whole is not None) == any(span.holds(asked) for span in spans)
    if held_whole is not None:
        assert held_whole == bytes(x % 251 for x in range(*asked))


def test_reading_what_no_cover_holds_is_a_bug() -> None:
    (covers,) = covers_of([Span(4, 8), Span(8, 9)], 2)
    for span in (Span(3, 5), Span(7, 9), Span(20, 21)):
        with pytest.raises(InternalError):
            covers.read(span)


def test_strided_blocks_come_back_through_a_journal() -> None:
    volume = MemoryVolume()
    journal = Journal.create(volume, "/journal", SALT, HEADER)
    block = Block(range(0, 300, 3), range(0, 101), [0] * 101)
    journal.add_splices(block)
    journal.seal({**PLAN, "old": "none"}, ATOM)
    (again,) = Journal.load(volume.open("/journal")).splices.blocks()
    assert [list(column) for column in again] == [list(column) for column in block]
