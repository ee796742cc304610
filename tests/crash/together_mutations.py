"""Mutations of the transactions' protocol: the syncs, the order and the checks of J11 to J14."""

from __future__ import annotations

from insitu.engine import recover, super_journal, together
from insitu.engine import session as sessions
from insitu.engine.commit import Commit
from insitu.engine.super_journal import SuperJournal
from insitu.engine.together import _Member
from tests.crash import together_probes as probes
from tests.crash.mutations import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    # J11: all that the commit rests on is durable before it.
    Mutation(
        "J11", "sync of the super-journal's contents",
        SuperJournal.write, "    file.sync()", "    pass", probes.overwrites,
    ),
    Mutation(
        "J11", "sync of the super-journal's name",
        SuperJournal.write, "home.volume.sync_folder(home.state)", "pass", probes.overwrites,
    ),
    Mutation(
        "J11", "sync of a participant's journal's name",
        _Member.prepare, "site.volume.sync_folder(site.state)", "pass", probes.overwrites,
    ),
    Mutation(
        "J11", "sync of the journal's name of a rewrite",
        Commit.publish_swap, "self.site.volume.sync_folder(self.site.state)", "pass", probes.rewrites,
    ),
    Mutation(
        "J11", "check for changes before the commit",
        together._prepared, "member.commit.refuse_if_moved(member.plan)", "pass",
        probes.changed_while_preparing,
    ),
    Mutation(
        "J11", "check that every participant sees the super-journal",
        _Member.prepare, "check_in_sight(site, home, commit.journal.salt, commit.target.stat())", "pass",
        probes.out_of_sight,
    ),
    Mutation(
        "J11", "what is taken back where the commit fails",
        together._prepared, "_take_back(everyone, super_journal)", "pass", probes.out_of_sight,
    ),
    # J12: the super-journal's new name is durable before anything follows from it.
    Mutation(
        "J12", "sync of the commit",
        together.commit_together, "super_journal.sync()", "pass", probes.overwrites,
    ),
    Mutation(
        "J12", "commit before the participants are carried out",
        together._prepared, "super_journal.commit()", "pass", probes.overwrites,
    ),
    Mutation(
        "J12", "recovery's sync of the commit",
        super_journal.committed, "site.volume.sync_folder(_home(site, pointer))", "pass", probes.one_by_one,
    ),
    # J13: a participant asks until it has noted the answer.
    Mutation(
        "J13", "asking",
        recover.recover, "not undecided(journal) or _committed(site, journal, target, force)", "True",
        probes.overwrites,
    ),
    Mutation(
        "J13", "the noted answer",
        together.commit_together, "member.commit.journal.note(State.RUNNING, 0)", "pass", probes.overwrites,
    ),
    Mutation(
        "J13", "sync of the noted answer",
        together.commit_together, "member.commit.journal.note(State.RUNNING, 0)",
        "member.commit.journal.note(State.RUNNING, 0, durable=False)", probes.overwrites,
    ),
    Mutation(
        "J13", "asking no more than once",
        super_journal.undecided, " and journal.progress.sequence == 0", "", probes.overwrites,
    ),
    Mutation(
        "J13", "no answer where nothing is there",
        super_journal._answer, "raise _in_doubt(site, home, \"it is not there\")", "return False",
        probes.absent,
    ),
    Mutation(
        "J13", "force only in doubt",
        recover._committed,
        "    try:\n", "    if force: return force == \"redo\"\n    try:\n", probes.decided,
    ),
    Mutation(
        "J13", "force in doubt",
        recover._committed, "if force is None:", "if True:", probes.forced,
    ),
    Mutation(
        "J13", "id in the super-journal",
        super_journal._answer, "record[\"id\"] == pointer[\"id\"] and salt in salts", "salt in salts",
        probes.another_transaction,
        redundant="a super-journal with another id lists other salts",
    ),
    Mutation(
        "J13", "id and salts in the super-journal",
        super_journal._answer, "record[\"id\"] == pointer[\"id\"] and salt in salts", "True",
        probes.another_transaction,
    ),
    Mutation(
        "J13", "salts in the super-journal",
        super_journal._answer, " and salt in salts", "", probes.stranger,
    ),
    Mutation(
        "J13", "checksum of the super-journal",
        super_journal._record, "if magic != MAGIC or not whole:", "if head is None:", probes.damaged,
    ),
    Mutation(
        "J13", "owner, links and rights of the super-journal",
        super_journal._read, "site.check_journal(file, target)", "pass", probes.foreign,
    ),
    Mutation(
        "J13", "owner and rights of its folder",
        super_journal._answer, "site.trusts(folder, target)", "pass", probes.foreign_folder,
    ),
    Mutation(
        "J13", "sync of a dropped journal's removal",
        recover._drop, "site.volume.sync_folder(site.state)", "pass", probes.dropped,
    ),
    Mutation(
        "J13", "the swap that a crash forestalled",
        recover._swap_in, "site.volume.rename(site.successor, site.path)", "pass", probes.rewrites,
    ),
    Mutation(
        "J13", "sync of that swap",
        recover._swap_in, "site.volume.sync_folder(site.folder)", "pass", probes.rewrites,
    ),
    Mutation(
        "J13", "check for changes before that swap",
        recover._finish_swap, "_check_unchanged(site, journal, target)", "pass", probes.changed_before_swap,
    ),
    Mutation(
        "J13", "lock of the file swapped in",
        sessions.writing, "place_of(site.status()) == place_of(target.stat())", "True",
        probes.swapped_in_under_the_lock,
    ),
    Mutation(
        "J13", "sync of a swap",
        _Member._swap, "site.volume.sync_folder(site.folder)", "pass", probes.rewrites,
    ),
    Mutation(
        "J13", "check for changes behind the commit",
        _Member.carry_out, "if commit.moved(self.plan):", "if False:", probes.changed_after_the_commit,
    ),
    Mutation(
        "J13", "doubt where nobody may look",
        super_journal._answer, "except RequestError as error:", "except JournalDamagedError as error:",
        probes.fenced,
    ),
    # J14: the super-journal goes last.
    Mutation(
        "J14", "removal before the answer is noted everywhere",
        together.commit_together,
        "        super_journal.sync()", "        super_journal.sync(); super_journal.remove()",
        probes.overwrites,
    ),
    Mutation(
        "J14", "sync of what is taken back, before it",
        _Member.withdraw, "site.volume.sync_folder(site.state)", "pass", probes.failing,
    ),
    Mutation(
        "J14", "taking back all before it",
        together._take_back,
        "    for member in everyone:", "    if super_journal is not None: super_journal.remove()\n"
        "        for member in everyone:", probes.failing,
    ),
    Mutation(
        "J14", "no removal while somebody waits",
        super_journal._settle, "any(_waits(other, id) for other in sites)", "False",
        probes.overwrites,
    ),
    Mutation(
        "J14", "sync of dropped journals before it",
        super_journal._settle, "volume.sync_folder(other.state)", "pass", probes.dropped,
    ),
    Mutation(
        "J14", "removal after a crash",
        recover.recover, "settle(site, pointer)", "pass", probes.overwrites,
    ),
    Mutation(
        "J14", "removal of one that nobody waits for",
        recover._without_journal, "settle_all(site, names)", "pass", probes.overwrites,
    ),
    Mutation(
        "J14", "removal of one that was never whole",
        super_journal._settle, "if suffix == UNDECIDED and home == site.state:", "if False:",
        probes.overwrites,
    ),
)  # fmt: skip
