"""What was done to a file, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from insitu.api.opening import LOCK_TIMEOUT_S, Path, existing_site, site_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.engine import history as kept
from insitu.engine import undo as reversal
from insitu.engine.history import Operation
from insitu.engine.lock import locked
from insitu.engine.receipt import Receipt
from insitu.engine.recover import Force, Recovered
from insitu.engine.recover import recover as finish
from insitu.engine.session import Held, generation, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.engine.undo import Reversal
from insitu.views.operation import exchanged
from insitu.views.streaming import Preview, previewed
from insitu.views.versions import compared


def undo(path: Path, operation: int | None = None, **options: Any) -> Receipt:
    """Undoes an operation (None: the latest still in effect); itself an operation. Options as ``editing``."""
    return _reversed(path, partial(_undo, operation), **options)


def preview_undo(path: Path, operation: int | None = None, **options: Any) -> ReversalPreview:
    """What ``undo`` would do; the file is not touched. Options: ``policy`` and ``lock_timeout_s``."""
    return _previewed(path, partial(_undo, operation), **options)


def redo(path: Path, **options: Any) -> Receipt:
    """Takes the latest undo back, until a new edit is made. Options as ``editing``."""
    return _reversed(path, _redo, **options)


def preview_redo(path: Path, **options: Any) -> ReversalPreview:
    """What ``redo`` would do; the file is not touched. Options: ``policy`` and ``lock_timeout_s``."""
    return _previewed(path, _redo, **options)


@dataclass(frozen=True, slots=True)
class ReversalPreview(Preview):
    """What taking an operation back would do.

    Args:
        operation: which one that is.
    """

    operation: int


_Prepare = Callable[[Site, Held, Policy], Reversal]


def _undo(operation: int | None, site: Site, held: Held, policy: Policy) -> Reversal:
    return reversal.undo(site, held.target, policy, operation, held.lock_wait_s)


def _redo(site: Site, held: Held, policy: Policy) -> Reversal:
    return reversal.redo(site, held.target, policy, held.lock_wait_s)


def _reversed(
    path: Path,
    prepare: _Prepare,
    *,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Receipt:
    policy = policy or Policy()
    site = site_of(path, policy)
    with writing(site, policy, lock_timeout_s, cancel) as held:
        return prepare(site, held, policy).carry_out(progress, cancel)


def _previewed(
    path: Path, prepare: _Prepare, *, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S
) -> ReversalPreview:
    policy = policy or Policy()
    site = site_of(path, policy)
    with writing(site, policy, lock_timeout_s) as held:
        prepared = prepare(site, held, policy)
        found = previewed(prepared.commit, Snapshot(held.target, generation(site, held.target)))
        return ReversalPreview(found.choice, found.diff, found.splices, prepared.number)


def history(path: Path, *, policy: Policy | None = None) -> list[Operation]:
    """The operations of a file that are still kept, oldest first."""
    return kept.operations(existing_site(path, policy))


def diff(path: Path, operation: int, other: int | None = None, *, policy: Policy | None = None) -> str:
    """A bounded unified diff of what an operation changed, from what the history keeps of it.

    Args:
        other: compares two versions instead: the file as ``operation`` left it with the file as ``other``
            left it; 0 is the original.

    Raises:
        UndoError: an operation is not kept.
        StaleError: of two versions: somebody else changed the file since.
    """
    site = existing_site(path, policy)
    if other is None:
        with kept.opened(site, operation) as journal:
            return exchanged(journal, f"{site.path} operation {operation}")
    return compared(site, operation, other, policy or Policy(), LOCK_TIMEOUT_S)


def recover(
    path: Path,
    force: Force | None = None,
    *,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> Recovered:
    """Finishes what a crash left of a commit: new, or old where it never came to its commit point.

    Args:
        force: decides where somebody else changed the file since: ``"undo"`` or ``"redo"``.
    """
    site = site_of(path, policy)
    with locked(site, timeout_s=lock_timeout_s) as (target, _):
        return finish(site, target, force)
