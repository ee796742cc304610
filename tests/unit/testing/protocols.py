"""Tiny commit protocols, right and wrong, to prove that the explorer tells them apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection

from insitu.core.facts import Facts
from insitu.testing.scenario import Scenario
from insitu.testing.simulated import SimulatedVolume
from insitu.testing.simulated_file import SimulatedFile

TARGET, SIDE = "/d/target", "/d/.insitu/side"
FACTS = Facts(block_bytes=4, atom_bytes=4, ranges=True, punch=True, marks=True)


def scenario(
    name: str,
    run: Callable[[SimulatedVolume], object],
    recover: Callable[[SimulatedVolume], object],
    *,
    old: bytes = b"aaaabbbb",
    new: bytes = b"aaaaBBBB",
) -> Scenario:
    return Scenario(
        name=name,
        files={TARGET: old, "/d/other": b"other", "/d/.insitu/keep": b""},
        results={TARGET: new},
        facts=FACTS,
        run=run,
        recover=recover,
        pending=lambda volume: volume.stat(SIDE) is not None,
    )


def swap(without: Collection[str] = ()) -> Scenario:
    """A new file beside the target, synced, renamed over it, the folders synced."""

    def run(volume: SimulatedVolume) -> None:
        file = volume.open(SIDE, create=True)
        file.write(0, b"aaaaBBBB")
        if "data" not in without:
            file.sync()
        volume.rename(SIDE, TARGET)
        if "folder" not in without:
            volume.sync_folder("/d")

    def recover(volume: SimulatedVolume) -> None:
        volume.remove(SIDE)
        if "answer" not in without:
            # What a killed process renamed must be durable before anyone is told what the file holds.
            volume.sync_folder("/d")

    return scenario(f"swap without {'/'.join(without) or 'nothing'}", run, recover)


def bare() -> Scenario:
    """Overwrites the target without a journal."""

    def run(volume: SimulatedVolume) -> None:
        file = volume.open(TARGET, write=True)
        file.write(4, b"BBBB")
        file.sync()

    return scenario("bare overwrite", run, lambda volume: None)


def undo_journal(without: Collection[str] = ()) -> Scenario:
    """Saves the bytes to be overwritten, overwrites them, removes the journal: the commit point."""

    def run(volume: SimulatedVolume) -> None:
        target = volume.open(TARGET, write=True)
        saved = target.read(4, 4)
        journal = volume.open(SIDE, create=True)
        journal.write(0, saved + zlib.crc32(saved).to_bytes(4, "big"))
        if "journal" not in without:
            journal.sync()
        if "name" not in without:
            volume.sync_folder("/d/.insitu")
        target.write(4, b"BBBB")
        if "target" not in without:
            target.sync()
        volume.remove(SIDE)
        if "close" not in without:
            volume.sync_folder("/d/.insitu")

    def recover(volume: SimulatedVolume) -> None:
        if volume.stat(SIDE) is None:
            # A killed process may have removed it without a sync: the answer "new" must last.
            volume.sync_folder("/d/.insitu")
            return
        journal = volume.open(SIDE, write=True)
        record = journal.read(0, 99)
        if "check" in without or record[4:] == zlib.crc32(record[:4]).to_bytes(4, "big"):
            if "trust" not in without:
                # What a killed process wrote may still be in the cache only.
                journal.sync()
                volume.sync_folder("/d/.insitu")
            target = volume.open(TARGET, write=True)
            target.write(4, record[:4])
            if "undone" not in without:
                target.sync()
        volume.remove(SIDE)
        volume.sync_folder("/d/.insitu")

    return scenario(f"undo journal without {'/'.join(without) or 'nothing'}", run, recover)


def insert(without: Collection[str] = ()) -> Scenario:
    """Opens a gap of two blocks by insert-range and fills it; undone by probing for the hole."""
    old, new = b"aaaabbbbcccc", b"aaaaXXXXYYYYbbbbcccc"

    def run(volume: SimulatedVolume) -> None:
        target = volume.open(TARGET, write=True)
        journal = volume.open(SIDE, create=True)
        journal.write(0, b"head")
        journal.sync()
        volume.sync_folder("/d/.insitu")
        target.insert(4, 8)
        if "gap" not in without:
            target.sync()
        journal.write(4, b"DONE")
        if "done" not in without:
            journal.sync()
        finish(volume, target)

    def finish(volume: SimulatedVolume, target: SimulatedFile) -> None:
        target.write(4, b"XXXXYYYY")
        target.sync()
        close(volume)

    def close(volume: SimulatedVolume) -> None:
        volume.remove(SIDE)
        volume.sync_folder("/d/.insitu")

    def recover(volume: SimulatedVolume) -> None:
        volume.sync_folder("/d/.insitu")
        if volume.stat(SIDE) is None:
            return
        target = volume.open(TARGET, write=True)
        journal = volume.open(SIDE, write=True)
        journal.sync()
        if journal.read(4, 4) == b"DONE":
            finish(volume, target)
            return
        if "probe" not in without and target.size() != len(old):
            hole = target.next_hole(4)
            if target.next_data(hole) == target.size():
                target.resize(len(old))
            else:
                target.collapse(hole, 8)
        target.sync()
        close(volume)

    return scenario(f"insert without {'/'.join(without) or 'nothing'}", run, recover, old=old, new=new)
