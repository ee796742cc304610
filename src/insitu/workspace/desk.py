"""The desk: what tools work at. Opens files below the roots, for reading or for one commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from insitu.api import operations
from insitu.api.mass import carry_out, preview
from insitu.api.opening import Mode, create, open
from insitu.api.operations import ReversalPreview
from insitu.api.transactions import Transaction
from insitu.core.protocols import Cancel
from insitu.document import Document
from insitu.engine.history import Operation
from insitu.engine.receipt import Receipt
from insitu.errors import (
    CancelledError,
    ExistingFileError,
    LimitError,
    RecoveryNeededError,
    RequestError,
    TimeLimitError,
)
from insitu.views.streaming import MassEdit
from insitu.workspace.audit import Change
from insitu.workspace.call import Call
from insitu.workspace.described import version_of
from insitu.workspace.excerpts import visible
from insitu.workspace.plans import Plans
from insitu.workspace.recording import done, intend, intend_together
from insitu.workspace.roots import Place, Roots
from insitu.workspace.seen import Seen

LOCK_TIMEOUT_S: Final = 10.0
"""Agents' hosts give up after a minute; a refusal that names who holds the lock is more use before."""

DIFF_CHARS: Final = 12_000
"""Shown of a diff at most."""


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    Args:
        seconds: for scans, which then say where to go on.
        bytes_written: that a commit may write, its journal included; None: any number.
        lock_timeout_s: how long an edit waits for the lock of its file.
    """

    seconds: float = 20.0
    bytes_written: int | None = None
    lock_timeout_s: float = LOCK_TIMEOUT_S


class Opened(NamedTuple):
    """A document at the desk.

    Args:
        shown_path: the file as answers name it, and as calls may.
    """

    document: Document
    place: Place
    shown_path: str


class Together(NamedTuple):
    """Files that change together."""

    desk: Desk
    begun: Transaction
    opened: Sequence[Opened]
    call: Call

    def commit(self) -> list[Receipt | None]:
        """Commits what is pending in all files, or in none; None for a file where nothing was."""
        changed = [opened for opened in self.opened if opened.document.changed]
        self.desk.check_budget(*changed)
        for opened in changed:
            opened.document.cancel = None
        intend_together(self.call, {opened.shown_path: opened.document for opened in changed})
        made = self.begun.commit(progress=self.call.progress, cancel=self.call.cancelled)
        receipts = dict(zip(made.paths, made.receipts, strict=True))
        self.call.note(files={o.shown_path: done(receipts[o.document.path]) for o in changed})
        return [receipts.get(opened.document.path) for opened in self.opened]


class Desk:
    """What tools work at; safe to share between threads, as each call opens its own documents.

    Attributes:
        limits: what one call may use.
        seen: what was shown of files.
        plans: replacements that were previewed and may be applied.
    """

    def __init__(self, roots: Roots, limits: Limits | None = None) -> None:
        self.roots = roots
        self.limits = limits or Limits()
        self.seen = Seen()
        self.plans = Plans()

    @contextmanager
    def reading(self, path: str, call: Call) -> Iterator[Opened]:
        """Opens a file for reading; what a crash left half-done is finished first where we may write.

        Raises:
            OutsideRootsError, MissingFileError, AccessError, FileKindError: as their names say.
        """
        place = self.roots.place(path)
        try:
            document = self._open(place, "r")
        except RecoveryNeededError:
            if not place.root.writable:
                raise
            document = self._open(place, "r+")
        with self._at_desk(document, place, call) as opened:
            yield opened

    @contextmanager
    def editing(self, path: str, call: Call, *, dry_run: bool = False) -> Iterator[Opened]:
        """Opens and locks a file for one commit; a dry run only reads. What is not committed is dropped."""
        if dry_run:
            with self.reading(path, call) as opened:
                opened.document.read_only = False  # pending edits only; there is no commit
                yield opened
            return
        place = self.roots.place_to_change(path)
        document = self._open(place, "r+", locked=True, cancel=call.cancelled)
        with self._at_desk(document, place, call) as opened:
            yield opened

    @contextmanager
    def _at_desk(self, document: Document, place: Place, call: Call) -> Iterator[Opened]:
        """A document for the time of one call; what is not committed is dropped."""
        opened = Opened(document, place, self.shown(place))
        try:
            with in_time([opened], call):
                yield opened
        finally:
            document.discard()
            document.close()

    @contextmanager
    def changing_several(self, paths: Sequence[str], call: Call, *, dry_run: bool) -> Iterator[Together]:
        """Opens files that are to change together; what is not committed is dropped.

        Raises:
            RequestError: two of the paths name one file.
        """
        places = [self.roots.place(path) if dry_run else self.roots.place_to_change(path) for path in paths]
        with closing(Transaction(lock_timeout_s=self.limits.lock_timeout_s)) as begun:
            opened: list[Opened] = []
            for place in places:
                document = begun.open(place.site())
                if any(document is other.document for other in opened):
                    raise RequestError(
                        f"{self.shown(place)} is named twice; nothing was changed.",
                        hint="Put the edits of one file into one call.",
                    )
                opened.append(Opened(document, place, self.shown(place)))
            with in_time(opened, call):
                yield Together(self, begun, opened, call)

    def shown(self, place: Place) -> str:
        """A place as answers name it: relative to the only root, else with the name of its root."""
        return self.shown_below(place, place.path)

    def shown_below(self, place: Place, path: str) -> str:
        """As ``shown``, for a path of the same root."""
        relative = os.path.relpath(path, place.root.path)
        return relative if len(self.roots.roots) == 1 else f"{place.root.name}:{relative}"

    def shown_in(self, text: str) -> str:
        """A text that holds paths of files, with those below the roots as answers name them."""
        for root in self.roots.roots:
            prefix = "" if len(self.roots.roots) == 1 else f"{root.name}:"
            text = text.replace(f"{root.path}/", prefix)
        return text

    def same(self, path: str, other: str) -> bool:
        """Whether two paths name one file."""
        return self.roots.place(path).path == self.roots.place(other).path

    def check_new(self, path: str) -> Place:
        """Where a new file would be.

        Raises:
            ExistingFileError: there is one already.
        """
        place = self.roots.place_to_change(path)
        if place.status() is not None:
            raise ExistingFileError(
                f"{path} exists already; it is unchanged.",
                hint="Add to it without create, or edit it.",
                path=path,
            )
        return place

    def create(self, path: str, data: bytes, call: Call) -> tuple[str, str]:
        """Makes a new file, durably; returns its path as answers name it, and its version."""
        place = self.check_new(path)
        self._check_written(self.shown(place), len(data))
        change = Change(0, 0, len(data), "", sha256(data).hexdigest())
        call.intend([change], size_after=len(data))
        create(place.site(), data)
        with self._open(place, "r") as document:
            return self.shown(place), version_of(document.generation)

    def carry_out(self, path: str, edit: MassEdit, call: Call) -> tuple[str, Receipt]:
        """Carries a mass edit out in one commit, in flat memory."""
        place = self.roots.place_to_change(path)
        options = self._options(call)
        if self.limits.bytes_written is not None:
            choice = preview(place.site(), edit, **options).choice
            self._check_written(self.shown(place), 0 if choice is None else choice.plan.cost.written_bytes)
        call.intend()
        return self.shown(place), self._noted(carry_out(place.site(), edit, **options), call)

    def reverse(self, path: str, number: int | None, *, redo: bool, call: Call) -> tuple[str, Receipt]:
        """Undoes an operation, or takes the latest undo back."""
        place = self.roots.place_to_change(path)
        shown = self.shown(place)
        if self.limits.bytes_written is not None:
            choice = self.preview_reversal(path, number, redo=redo).choice
            self._check_written(shown, choice.plan.cost.written_bytes if choice else 0)
        call.intend()
        if redo:
            receipt = operations.redo(place.site(), **self._options(call))
        else:
            receipt = operations.undo(place.site(), number, **self._options(call))
        return shown, self._noted(receipt, call)

    def preview_reversal(self, path: str, number: int | None, *, redo: bool) -> ReversalPreview:
        """What ``reverse`` would do."""
        site, timeout_s = self.roots.place_to_change(path).site(), self.limits.lock_timeout_s
        if redo:
            return operations.preview_redo(site, lock_timeout_s=timeout_s)
        return operations.preview_undo(site, number, lock_timeout_s=timeout_s)

    def commit(self, opened: Opened, call: Call) -> Receipt | None:
        """Commits what is pending, on record and within the budget; None where nothing is.

        Raises:
            LimitError: it would write more than is allowed; nothing was changed.
        """
        document = opened.document
        self.check_budget(opened)
        document.cancel = None  # what is told of a commit is told to its end
        intend(call, document)
        receipt = document.commit(progress=call.progress, cancel=call.cancelled)
        return None if receipt is None else self._noted(receipt, call)

    def check_budget(self, *opened: Opened) -> None:
        """Refuses a commit, of one file or of several together, that would write more than is allowed.

        Raises:
            LimitError: it would; nothing was changed.
        """
        changed = [one for one in opened if one.document.changed]
        if self.limits.bytes_written is not None and changed:
            written = sum(one.document.plan().plan.cost.written_bytes for one in changed)
            self._check_written(" and ".join(one.shown_path for one in changed), written)

    def _check_written(self, path: str, written_bytes: int) -> None:
        most = self.limits.bytes_written
        if most is not None and written_bytes > most:
            raise LimitError(
                f"The edit of {path} would write {written_bytes:,} bytes, and {most:,} are allowed; "
                "nothing was changed.",
                hint="Replace by text of the same size, or edit nearer to the end: less has to move then.",
                bytes_written=written_bytes,
                limit=most,
            )

    def _noted(self, receipt: Receipt, call: Call) -> Receipt:
        """Puts on record what a commit did."""
        call.note(**done(receipt))
        return receipt

    def _options(self, call: Call) -> dict[str, Any]:
        return {
            "lock_timeout_s": self.limits.lock_timeout_s,
            "progress": call.progress,
            "cancel": call.cancelled,
        }

    def operations(self, opened: Opened) -> list[Operation]:
        """What was done to a file, oldest first."""
        return operations.history(opened.place.site())

    def diff(self, opened: Opened, number: int | None = None) -> str:
        """What an operation changed; None: what is pending."""
        if number is not None:
            return self.shown_diff(operations.diff(opened.place.site(), number))
        return self.shown_diff(opened.document.diff() if opened.document.changed else "")

    def shown_diff(self, text: str) -> str:
        """A diff as agents are shown it: by the paths they know, and bounded."""
        if not text:
            return ""
        before, after, *hunks = text.split("\n", 2)
        shown = visible("\n".join((self.shown_in(before), self.shown_in(after), *hunks)))
        if len(shown) <= DIFF_CHARS:
            return shown
        return f"{shown[:DIFF_CHARS]}\n[... the diff has {len(shown):,} characters]"

    def _open(
        self, place: Place, mode: Mode, *, locked: bool = False, cancel: Cancel | None = None
    ) -> Document:
        timeout_s = self.limits.lock_timeout_s
        return open(place.site(), mode, lock_timeout_s=timeout_s, locked=locked, cancel=cancel)


@contextmanager
def in_time(opened: Sequence[Opened], call: Call) -> Iterator[None]:
    """Lets the lines of documents be counted for as long as a call may take.

    Raises:
        TimeLimitError: its time was up; nothing was changed.
    """
    for each in opened:
        each.document.cancel = call.stop
    try:
        yield
    except CancelledError:
        if call.cancelled() or not call.late():
            raise
        raise _uncounted(opened, call) from None


def _uncounted(opened: Sequence[Opened], call: Call) -> TimeLimitError:
    """The refusal of a call whose time was up while lines were counted."""
    path, counted, size = max(
        ((one.shown_path, one.document.line_index().size, one.document.base.size) for one in opened),
        key=lambda known: known[2] - known[1],
    )
    again = "Call again: counting goes on from there. Or name" if counted else "Name"
    return TimeLimitError(
        f"Counting the lines of {path} took longer than {call.seconds:g} seconds; the first {counted:,} of "
        f"{size:,} bytes are counted, and nothing was changed.",
        hint=f"{again} the place by bytes, by tail, or by a text in it.",
        offset=counted,
        size=size,
    )
