"""Mutations of how drafts are kept: the syncs, the order and the checks of J15 and J16."""

from __future__ import annotations

from insitu.engine import draft_log, drafts, recover
from insitu.engine.commit import Commit
from insitu.engine.draft_log import DraftLog
from tests.crash import draft_probes as probes
from tests.crash.mutations import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    # J15: a save spoils none before it, and counts when it is whole and durable.
    Mutation(
        "J15",
        "an atom of its own",
        DraftLog._saving,
        "self.size = ceil(self.size, self._atom_bytes)",
        "pass",
        probes.saves,
    ),
    Mutation("J15", "sync of a save", DraftLog._saving, "self.file.sync()", "pass", probes.saves),
    Mutation(
        "J15",
        "sync of what was saved by somebody killed",
        drafts.claim,
        "file.sync()",
        "pass",
        probes.killed_saves,
    ),
    Mutation(
        "J15",
        "taking back what could not be synced",
        DraftLog._saving,
        "self._take_back()",
        "pass",
        probes.failing_saves,
    ),
    Mutation(
        "J15",
        "sync of the name of a draft that is begun",
        drafts.begin,
        "volume.sync_folder(site.state)",
        "pass",
        probes.begins,
    ),
    Mutation(
        "J15",
        "checksum of what the last save brings",
        draft_log._Walk.saves,
        "if held and all(map(self._intact, held)):",
        "if held:",
        probes.saves,
    ),
    # J16: a draft is there exactly as long as it was not committed.
    Mutation(
        "J16",
        "removal with the commit",
        recover._archive,
        "forget(site, draft)",
        "pass",
        probes.commits,
    ),
    Mutation(
        "J16",
        "sync of the removal",
        draft_log.forget,
        "site.volume.sync_folder(site.state)",
        "pass",
        probes.commits,
    ),
    Mutation(
        "J16",
        "removal before the journal is closed",
        recover._archive,
        '    if draft := journal.plan.get("draft"):\n        forget(site, draft)',
        "    pass",
        probes.commits,
    ),
    Mutation(
        "J16",
        "a journal for a rewrite without history",
        Commit._swap,
        "noted = self.policy.history or self._draft",
        "noted = self.policy.history",
        probes.bare_rewrites,
    ),
    Mutation(
        "J16",
        "naming the draft",
        Commit._sealed_plan,
        "if self._draft else {}",
        "if False else {}",
        probes.commits,
    ),
)
