"""Several files that change together, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import NoReturn

from insitu.api.opening import LOCK_TIMEOUT_S, Path, site_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.document import Document
from insitu.engine.lock import Place, place_of
from insitu.engine.receipt import Receipt
from insitu.engine.session import Held, writing_all
from insitu.engine.site import Site
from insitu.engine.together import Part, TransactionReceipt, commit_together
from insitu.errors import RequestError, StaleError
from insitu.views.edits import Edit, place
from insitu.views.streaming import Preview

# A commit that lost a race is tried again after a pause: others' commits take about a millisecond.
_AGAIN_S = 0.01


class Participant(Document):
    """A document of a transaction: its edits are committed with those of the others, not by itself."""

    closed = False
    """Whether it was closed, and takes no part any more."""

    def commit(self, *, progress: Progress | None = None, cancel: Cancel | None = None) -> NoReturn:
        """Refuses: the transaction commits.

        Raises:
            RequestError: always.
        """
        raise RequestError(
            f"{self.path} is part of a transaction, which commits all its files together.",
            hint="Commit the transaction: t.commit(), or the end of its block.",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves committing and closing to the transaction."""

    def close(self) -> None:
        """Closes the document; what is pending is dropped and takes no part in the commit."""
        self.discard()
        self.closed = True
        super().close()

    def part(self, held: Held) -> Part:
        """What is pending, written as a commit of the locked target."""
        return self._prepared(held)

    def committed(self, receipt: Receipt) -> Receipt:
        """Goes on from what the transaction committed."""
        return self._restarted(receipt)


class Transaction:
    """Files that change together or not at all, through any crash, also where they lie on different disks.

    Works as a context manager: the end of the block commits, an exception discards. Like a document it
    takes no lock until ``commit``, belongs to one thread, and can be committed several times.

    Args:
        policy: for all files. A transaction is always durable, and never goes on where locks do not work.
        lock_timeout_s: how long ``commit`` waits for all locks together.
        site_of: where a path's file and state are.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        site_of: Callable[[Path, Policy | None], Site] = site_of,
    ) -> None:
        self.policy = replace(policy or Policy(), durability="full", unlocked=False)
        self.lock_timeout_s = lock_timeout_s
        self._site_of = site_of
        self._documents: dict[Place, Participant] = {}
        self._receipt: TransactionReceipt | None = None

    @property
    def receipt(self) -> TransactionReceipt:
        """What the latest commit did.

        Raises:
            RequestError: there was none yet.
        """
        if self._receipt is None:
            raise RequestError("The transaction was not committed yet, so there is no receipt.")
        return self._receipt

    @property
    def documents(self) -> tuple[Participant, ...]:
        """The files it opened, in that order."""
        return tuple(self._documents.values())

    def open(self, path: Path, *, encoding: str | None = None) -> Participant:
        """Opens a file to be changed with the others; the same file by another name is the same document.

        Raises:
            MissingFileError, AccessError, FileKindError: as their names say.
        """
        site = self._site_of(path, self.policy)
        document = self._documents.get(place_of(site.status()))
        if document is None or document.closed:
            document = Participant(
                site, encoding=encoding, policy=self.policy, lock_timeout_s=self.lock_timeout_s
            )
            self._documents[place_of(document.base_file.stat())] = document
        return document

    def commit(self, *, progress: Progress | None = None, cancel: Cancel | None = None) -> TransactionReceipt:
        """Makes what is pending in every file its contents: all of it in all of them, or nothing in any.

        Edits are moved past commits of others whose spans do not touch ours, as a document's are.

        Raises:
            StaleError: somebody else changed what we changed in one of them; all are unchanged by us.
            LockedError: a lock was not to be had in time.
            RequestError: they lie where a crash could not be recovered as one.
            StorageError: ``file_state`` speaks of all files: ``"old"``, ``"new"``, or, for each the same
                after recovery, ``"awaiting recovery"``.
        """
        changed = [document for document in self.documents if document.changed]
        name, receipts = "", tuple[Receipt, ...]()
        if changed:
            sites = [document.site for document in changed]
            opened = {document.path: document.base_file for document in changed}
            try:
                with writing_all(sites, self.policy, self.lock_timeout_s, cancel, opened) as held:
                    order = [changed[index] for index, _ in held]
                    parts = (document.part(one) for document, (_, one) in zip(order, held, strict=True))
                    if len(order) == 1:
                        commit, rebased_over = next(parts)
                        made = [commit.carry_out(rebased_over=rebased_over, progress=progress, cancel=cancel)]
                    else:
                        name, made = commit_together(parts, progress, cancel)
                    by_document = dict(zip(order, made, strict=True))
                    receipts = tuple(document.committed(by_document[document]) for document in changed)
            finally:
                for document in changed:
                    document.close_outdated()
        self._receipt = TransactionReceipt(
            id=name,
            paths=tuple(document.path for document in changed),
            receipts=receipts,
        )
        # A rewrite puts another inode in a file's place.
        self._documents = {
            (device, document.generation.inode): document for (device, _), document in self._documents.items()
        }
        return self._receipt

    def discard(self) -> None:
        """Drops everything pending in all files."""
        for document in self.documents:
            document.discard()

    def close(self) -> None:
        """Closes all documents; what is pending is dropped."""
        for document in self.documents:
            document.close()
        self._documents.clear()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()


def transaction(*, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Transaction:
    """Begins to edit several files that are to change together. See ``Transaction``."""
    return Transaction(policy=policy, lock_timeout_s=lock_timeout_s)


def apply_together(
    changes: Mapping[str, Iterable[Edit]],
    *,
    policy: Policy | None = None,
    encoding: str | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> TransactionReceipt:
    """Makes many edits of several files in one transaction, as ``apply`` does for one.

    The edits are placed anew, up to ``lock_timeout_s`` long, where somebody else came in between.

    Args:
        changes: the edits of each path.

    Raises:
        SpanError, ExpectationError, NoMatchError, AmbiguousError: an edit does not fit; nothing changed.
    """
    edits = {path: list(wanted) for path, wanted in changes.items()}
    until = time.monotonic() + lock_timeout_s
    while True:
        with Transaction(policy=policy, lock_timeout_s=lock_timeout_s) as begun:
            for _ in _placed(begun, edits, encoding):
                pass
            try:
                return begun.commit(progress=progress, cancel=cancel)
            except StaleError:
                begun.discard()
                if time.monotonic() >= until:
                    raise
        time.sleep(_AGAIN_S)


def preview_together(
    changes: Mapping[str, Iterable[Edit]], *, policy: Policy | None = None, encoding: str | None = None
) -> dict[str, Preview]:
    """What ``apply_together`` would do to each file; none is touched."""
    found = {}
    begun = Transaction(policy=policy)
    try:
        for path, document, count in _placed(begun, changes, encoding):
            plan = document.plan() if document.changed else None
            found[path] = Preview(plan, document.diff() if plan else "", count)
        return found
    finally:
        begun.close()


def _placed(
    begun: Transaction, changes: Mapping[str, Iterable[Edit]], encoding: str | None
) -> Iterator[tuple[str, Participant, int]]:
    """Makes the edits pending; yields each path with its document and the number of places.

    Raises:
        RequestError: two paths name one file: edits take effect at once, not one behind the other.
    """
    for path, wanted in changes.items():
        document = begun.open(path, encoding=encoding)
        if document.changed:
            raise RequestError(f"{path} is named twice, as {document.path}; nothing was changed.")
        edits = place(document, wanted)
        document.replace_spans(edits)
        yield path, document, len(edits)
