"""Mutations of the crash protocol: each takes one sync, order or check out of the real engine.

A mutation names a function and the text in it that is replaced; the function is compiled anew from its
source and put wherever the engine holds it. So the table breaks, loudly, when the line it is about changes.
"""

from __future__ import annotations
import __future__

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import pytest

from insitu.core import records
from insitu.core.check import Checker
from insitu.engine import planning, recover
from insitu.engine.commit import Commit
from insitu.engine.execute import Executor
from insitu.engine.journal import Journal
from insitu.engine.ranges import finish_collapse, finish_insert
from insitu.engine.site import Site
from tests.crash import planted, probes

Probe = Callable[[], list[str]]
"""Tries something out and returns what was wrong, in words; nothing, where the protocol held."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One piece of the protocol, taken out.

    Args:
        rule: the rule of docs/journal.md that asks for it.
        name: what is taken out.
        function: the function or method it is in.
        old: the text there, which must occur exactly once.
        new: what replaces it.
        more: what else is replaced in it.
        probe: what must find the mutated engine wrong, and the real one right.
        redundant: why the probe finds nothing, for a mutation that is known to be harmless.
    """

    rule: str
    name: str
    function: Any
    old: str
    new: str
    probe: Probe
    more: tuple[tuple[str, str], ...] = ()
    redundant: str = ""

    def __str__(self) -> str:
        return f"{self.rule} {self.name}"

    @property
    def _whole(self) -> FunctionType:
        function = getattr(self.function, "fget", getattr(self.function, "__func__", self.function))
        assert isinstance(function, FunctionType)
        return function

    def source(self) -> str:
        """The mutated function's source; fails where what is to be replaced is not there, or twice."""
        source = textwrap.dedent(inspect.getsource(self._whole))
        for old, new in (*self.more, (self.old, self.new)):
            source = _without_remarks(source)
            assert source.count(old) == 1, f"{self}: the line it is about has changed"
            source = source.replace(old, new)
        return source

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts the mutated function wherever the package holds the real one."""
        function = self._whole
        found: dict[str, Any] = {}
        code = compile(
            self.source(),
            inspect.getfile(function),
            "exec",
            flags=__future__.annotations.compiler_flag,
            dont_inherit=True,
        )
        exec(code, function.__globals__, found)
        for holder in _holders(function):
            monkeypatch.setattr(holder, function.__name__, found[function.__name__])


def _without_remarks(source: str) -> str:
    """The source without comments at the ends of its lines."""
    return "\n".join(line.split("  # ")[0] for line in source.splitlines()) + "\n"


def _holders(function: FunctionType) -> list[Any]:
    """The class that has the method; or every module that has the function, imported by name."""
    owner, _, _ = function.__qualname__.rpartition(".")
    if owner:
        return [vars(sys.modules[function.__module__])[owner]]
    modules = [module for name, module in sys.modules.items() if name.startswith("insitu.")]
    return [module for module in modules if _holds(module, function)]


def _holds(module: ModuleType, function: FunctionType) -> bool:
    return vars(module).get(function.__name__) is function


MUTATIONS: tuple[Mutation, ...] = (
    # J1: the journal, then its name, before the target.
    Mutation(
        "J1", "sync of the journal's contents",
        Journal.seal, "self.file.sync()", "pass", probes.overwrite,
    ),
    Mutation(
        "J1", "sync of the journal's name",
        Commit._edit_in_place, "site.volume.sync_folder(site.state)", "pass", probes.overwrite,
    ),
    Mutation(
        "J1", "sync of the name of the state folder",
        Site._make, "    volume.sync_folder(parent)", "    pass", probes.overwrite,
    ),
    Mutation(
        "J1", "sync of the name of .insitu",
        Site._make, "volume.sync_folder(os.path.dirname(parent))", "pass", probes.overwrite,
    ),
    Mutation(
        "J1", "name before contents",
        Commit.publish,
        "    self.journal.seal(", "    site.volume.rename(site.unsealed, site.journal); self.journal.seal(",
        probes.overwrite, more=(("    site.volume.rename(site.unsealed, site.journal)", "    pass"),),
    ),
    Mutation(
        "J1", "recovery's sync of the journal's name",
        recover._go_on, "site.volume.sync_folder(site.state)", "pass", probes.overwrite_recovery,
    ),
    # J2: the target before the journal is closed.
    Mutation(
        "J2", "sync of the last segment",
        Executor.run, "if sync_last:\n        self._target.sync()", "pass", probes.overwrite,
    ),
    Mutation(
        "J2", "recovery's sync of a swap",
        recover._finish_swap, "site.volume.sync_folder(site.folder)", "pass", probes.rewrite_recovery,
    ),
    # J3: nothing is believed that cannot be checked.
    Mutation(
        "J3", "salt of the checksums",
        records.checksum, "salt ^ offset", "offset", planted.stale_slot,
    ),
    Mutation(
        "J3", "offset in the checksums",
        records.checksum, "salt ^ offset * _SPREAD", "salt", planted.misplaced_records,
        redundant="every kind of record says where it belongs, or lies in order, and that is looked at (J17)",
    ),
    Mutation(
        "J3", "checksum of a slot",
        records.unpack_slot, "digest != checksum(data[: SLOT_BYTES - 8], salt, offset)", "False",
        probes.many_segments,
    ),
    Mutation(
        "J3", "checksum of a record",
        Journal._load, "checksum(payload, self.salt, offset) != record[2]", "False", planted.damaged_bytes,
    ),
    Mutation(
        "J3", "recovery's check of all records",
        recover.recover, "Journal.load(file, whole=True)", "Journal.load(file)", planted.damaged_bytes,
    ),
    Mutation(
        "J3", "identity of the target",
        recover._finish, "_check_identity(site, journal, target)", "pass", planted.another_file,
    ),
    Mutation(
        "J3", "contents of the target",
        recover._finish, "_check_contents(site, journal, plan, target)", "pass", planted.foreign_change,
    ),
    Mutation(
        "J3", "size of the target",
        recover._check_size, "not low <= target.size() <= high", "False", planted.foreign_growth,
    ),
    Mutation(
        "J3", "tears between old and new",
        recover._check_contents, " and not _torn(now, old, new)", "", probes.overwrite,
    ),
    Mutation(
        "J3", "atoms spoiled by a power cut",
        recover._check_contents, " or journal.header[\"boot\"] != site.volume.boot_id()", "",
        probes.overwrite,
    ),
    Mutation(
        "J3", "owner, links and rights of the journal",
        recover.recover, "site.check_journal(file, target.stat())", "pass", planted.planted_journal,
    ),
    Mutation(
        "J3", "links of the journal",
        Site.check_journal, "status.links == 1", "True", planted.linked_journal,
    ),
    Mutation(
        "J3", "rights of the journal",
        Site.check_journal, "not status.mode & _WRITABLE_BY_OTHERS", "True", planted.planted_journal,
    ),
    Mutation("J3", "owner of the journal", Site.check_journal, "if own and", "if", planted.planted_journal),
    Mutation(
        "J3", "rights of the state folder",
        Site.trusts, " or status.mode & _WRITABLE_BY_OTHERS", "", planted.open_folder,
    ),
    # J17: what a journal says makes sense, and is not history yet. tests/fuzz looks for the rest.
    Mutation(
        "J17", "an operation that is history",
        recover._check_number, "number <= latest", "False", planted.stale_journal,
    ),
    Mutation(
        "J17", "a move that was made",
        recover._check_begun, "not begins or", "True or", planted.stale_move,
    ),
    Mutation(
        "J3", "a journal of another file",
        recover._check_identity, "(was.inode, was.birth_ns) != (now.inode, now.birth_ns) or", "",
        planted.journal_of_another,
    ),
    # J4: a segment's writes before its checkpoint; a failed sync is never believed later.
    Mutation(
        "J4", "sync of a segment before its checkpoint",
        Executor._run_segments, "self._target.sync()\n            self._journal", "self._journal",
        probes.shift,
    ),
    Mutation(
        "J4", "checkpoint after the sync",
        Executor._run_segments,
        "    self._target.sync()\n            self._journal.note(State.RUNNING, number)",
        "    self._journal.note(State.RUNNING, number)\n            self._target.sync()", probes.shift,
    ),
    Mutation(
        "J4", "recovery's sync of the journal",
        recover._go_on, "    journal.file.sync()", "    pass", probes.shift_recovery,
        redundant="the slot written anew right behind it syncs the same file; a closed journal needs neither",
    ),
    Mutation(
        "J4", "recovery's sync of the journal and of the slot",
        recover._go_on,
        "    journal.file.sync()\n    if journal.progress.state is not State.CLOSED:", "    if False:",
        probes.shift_recovery,
    ),
    Mutation(
        "J4", "recovery's slot written anew",
        recover._go_on, "if journal.progress.state is not State.CLOSED:", "if False:", probes.shift_recovery,
    ),
    Mutation(
        "J4", "no rollback after a failed sync",
        Commit._edit_in_place, "not isinstance(error, SyncError) and ", "", probes.overwrite_faults,
        redundant="a handle whose sync failed is poisoned: it refuses the rollback's writes",
    ),
    Mutation(
        "J4", "sync of a fast commit by the next opening",
        recover._finish, "target.sync()", "pass", probes.fast,
    ),
    Mutation(
        "J4", "fast commits of another boot",
        recover._placed, " and journal.header[\"boot\"] == site.volume.boot_id()", "", probes.fast,
    ),
    Mutation(
        "J4", "slot of a fast commit before its sync",
        recover._finish, "journal.note(State.RUNNING, journal.progress.segments_done)", "pass",
        probes.fast_failing_syncs,
    ),
    # J5: a checkpoint before the next segment's first write.
    Mutation(
        "J5", "sync of a checkpoint",
        Executor._run_segments, "self._journal.note(State.RUNNING, number)",
        "self._journal.note(State.RUNNING, number, durable=False)", probes.shift,
    ),
    Mutation(
        "J5", "checkpoint",
        Executor._run_segments, "self._journal.note(State.RUNNING, number)", "pass", probes.shift,
    ),
    Mutation(
        "J5", "atoms of its own for each slot",
        Journal._slot_stride, "ceil(SLOT_BYTES, int(self.plan[\"atom_bytes\"]))", "SLOT_BYTES",
        probes.large_atoms,
    ),
    Mutation(
        "J5", "check of a plan (and a plan that reads what it writes)",
        Commit.planned, "check(plan, self.journal.splices)", "pass", probes.overlapping,
    ),
    Mutation(
        "J5", "whole atoms in the check of a plan",
        Checker._written, ".widened(self._plan.layout.atom_bytes)", "", probes.sharing_atoms,
    ),
    # J6: half-done range steps are finished.
    Mutation(
        "J6", "probing before insert-range",
        Executor._perform, "finish_insert(self._target, offset, size, self._splices.base_size)",
        "self._target.insert(offset, size)", probes.insert,
    ),
    Mutation(
        "J6", "probing before collapse-range",
        Executor._perform, "finish_collapse(self._target, offset, size, self._splices.result_size)",
        "self._target.collapse(offset, size)", probes.collapse,
    ),
    Mutation(
        "J6", "taking a half-done insert back",
        finish_insert, "file.collapse(hole, size)", "return", probes.insert,
    ),
    Mutation(
        "J6", "size set before any block moved",
        finish_insert, "file.resize(size_before)", "return", probes.insert,
    ),
    Mutation(
        "J6", "sync of an insert taken back",
        finish_insert, "file.sync()", "pass", probes.insert,
        redundant="range steps reach the medium in order, and whatever prefix of them does is probed again",
    ),
    Mutation(
        "J6", "frontier of a collapse",
        finish_collapse, "file.collapse(hole, size)", "return", probes.collapse,
    ),
    Mutation(
        "J6", "size set last by a collapse",
        finish_collapse, "file.resize(size_after)", "return", probes.collapse,
    ),
    Mutation(
        "J6", "dense tails only",
        planning._dense_from, "else size", "else start", probes.sparse_insert,
    ),
    # J7: a swap.
    Mutation("J7", "sync of the new file", Commit.build, "new.sync()", "pass", probes.rewrite),
    Mutation(
        "J7", "metadata of the new file",
        Commit.build, "new.take_metadata(self.target)", "pass", probes.rewrite,
    ),
    Mutation(
        "J7", "metadata before the sync",
        Commit.build, "new.take_metadata(self.target)\n        new.sync()",
        "new.sync()\n        new.take_metadata(self.target)", probes.rewrite,
    ),
    Mutation(
        "J7", "check for changes before the swap",
        Commit.build, "self.refuse_if_moved(plan)", "pass", planted.changed_meanwhile,
    ),
    Mutation("J7", "lock of the new file", Commit.build, "new.lock()", "pass", planted.locked_while_swapping),
    Mutation(
        "J7", "sync of the journal's name before a swap",
        Commit.publish_swap, "self.site.volume.sync_folder(self.site.state)", "pass", probes.rewrite,
    ),
    Mutation(
        "J7", "sync of the swap",
        Commit._swap, "volume.sync_folder(site.folder)", "pass", probes.rewrite,
    ),
    Mutation(
        "J7", "sync of a swap without history that was killed",
        recover._without_journal, "site.volume.sync_folder(site.folder)", "pass", probes.rewrite_recovery,
    ),
    Mutation(
        "J7", "journal of a swap that failed",
        Commit._swap, "volume.remove(site.journal)", "pass", probes.rewrite_faults,
        redundant="the next opening finds the file not swapped and removes the journal",
    ),
    # J8: space before the commit point.
    Mutation(
        "J8", "space before the commit point",
        Commit.publish, "self._reserve(grown)", "pass", planted.full_disk,
    ),
    Mutation(
        "J8", "space only after the commit point",
        Commit.publish,
        "        self._reserve(grown)",
        "        site.volume.rename(site.unsealed, site.journal); self._reserve(grown)",
        planted.full_disk, more=(("    site.volume.rename(site.unsealed, site.journal)\n", "    pass\n"),),
    ),
    # J9: rolling back.
    Mutation(
        "J9", "abort record",
        recover.roll_back, "journal.note(State.ABORTED, 0)", "pass", probes.rolling_back,
    ),
    Mutation(
        "J9", "sync of the abort record",
        recover.roll_back, "journal.note(State.ABORTED, 0)", "journal.note(State.ABORTED, 0, durable=False)",
        probes.rolling_back,
    ),
    Mutation(
        "J9", "sync of what was rolled back",
        recover.roll_back, "target.sync()", "pass", probes.overwrite_faults,
    ),
    Mutation(
        "J9", "sync of the removal of an aborted journal",
        recover.roll_back, "site.volume.sync_folder(site.state)", "pass", planted.changed_after_rollback,
    ),
    Mutation(
        "J9", "covers written back",
        recover.roll_back, "target.write(cover.start, journal.covers.read(cover))", "pass",
        probes.overwrite_faults,
    ),
    Mutation(
        "J9", "size set back",
        recover.roll_back, "target.resize(size)", "pass", probes.growing_faults,
    ),
    Mutation(
        "J9", "no rollback once a segment is done",
        recover._reversible, "if journal.progress.segments_done:", "if False:", probes.shift_faults,
    ),
    Mutation(
        "J9", "no rollback where the first segment places",
        recover._reversible, "if isinstance(first, Place):", "if False:", probes.left_faults,
    ),
    Mutation(
        "J9", "no rollback of a range step that was made",
        recover._reversible, "return target.size() == size and target.next_hole(first.offset) >= size",
        "return True",
        probes.insert_faults,
        redundant="the simulator's range steps fail whole; behind one that was made only a sync can fail",
    ),
    # J10: marks.
    Mutation(
        "J10", "mark",
        Commit.perform, "self.target.set_mark(b\"%x\" % self.journal.salt)", "pass", probes.moved_away,
    ),
    Mutation(
        "J10", "mark after the commit point",
        Commit._edit_in_place, "    site.volume.sync_folder(site.state)",
        "    self.target.set_mark(b\"%x\" % self.journal.salt); site.volume.sync_folder(site.state)",
        probes.shift,
    ),
    Mutation(
        "J10", "recovery's mark where a crash forestalled it",
        recover._finish, "target.set_mark(b\"%x\" % journal.salt)", "pass", probes.moved_away,
    ),
    Mutation(
        "J10", "refusal of a marked file without its journal",
        recover._without_journal, "if mark is None:", "if True:", probes.moved_away,
    ),
    Mutation(
        "J10", "mark of whom",
        recover._check_identity, " or (mark is not None and not marked_by_us)", "", planted.marked_by_another,
    ),
    Mutation("J10", "unmarking", recover.retire, "target.set_mark(None)", "pass", probes.shift),
    Mutation(
        "J10", "unmarking before the journal is closed",
        recover.retire,
        "    _archive(site, journal)", "    _archive(site, journal)\n    target.set_mark(None)",
        probes.shift, more=(("        target.set_mark(None)", "        pass"),),
    ),
    Mutation(
        "J10", "unmarking by a rollback",
        recover.roll_back, "target.set_mark(None)", "pass", probes.shift_faults,
    ),
)  # fmt: skip
