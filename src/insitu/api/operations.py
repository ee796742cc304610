"""What was done to a file, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
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
from insitu.engine.session import writing
from insitu.views.operation import exchanged
from insitu.views.versions import compared


def undo(path: Path, operation: int | None = None, **options: Any) -> Receipt:
    """Undoes an operation (None: the latest still in effect); itself an operation. Options as ``editing``."""
    return _reversing(
        path,
        lambda site, held, policy, progress, cancel: reversal.undo(
            site, held.target, policy, operation, held.lock_wait_s, progress, cancel
        ),
        **options,
    )


def redo(path: Path, **options: Any) -> Receipt:
    """Takes the latest undo back, until a new edit is made. Options as ``editing``."""
    return _reversing(
        path,
        lambda site, held, policy, progress, cancel: reversal.redo(
            site, held.target, policy, held.lock_wait_s, progress, cancel
        ),
        **options,
    )


def _reversing(
    path: Path,
    reverse: Callable[..., Receipt],
    *,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Receipt:
    policy = policy or Policy()
    site = site_of(path, policy)
    with writing(site, policy, lock_timeout_s, cancel) as held:
        return reverse(site, held, policy, progress, cancel)


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
