"""Drafts: edits of a file that are saved and not committed yet; they are made with ``open(draft=True)``."""

from __future__ import annotations

from insitu.api.opening import LOCK_TIMEOUT_S, Path, open, site_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.document import Document
from insitu.engine import drafts as engine
from insitu.engine.receipt import Receipt
from insitu.errors import StaleDraftError
from insitu.views import draft_status as looking
from insitu.views.draft import Drafting
from insitu.views.draft_status import DraftStatus
from insitu.views.streaming import unchanged


def start_draft(path: Path, *, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S) -> bool:
    """Begins a draft of a file, without edits; False where there is one already."""
    policy = policy or Policy()
    return engine.begin(site_of(path, policy), policy, lock_timeout_s)


def draft_status(
    path: Path, *, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S
) -> DraftStatus:
    """What the draft of a file holds, and whether it fits the file.

    Raises:
        MissingDraftError: there is none.
    """
    policy = policy or Policy()
    return looking.status(site_of(path, policy), policy, lock_timeout_s)


def draft_diff(path: Path, *, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S) -> str:
    """A bounded unified diff of what a draft would change.

    Where it does not fit the file any more, a list of its spans, of what would take their place, and
    whether what surrounds them is as it was.
    """
    policy = policy or Policy()
    try:
        with open(path, "r", policy=policy, lock_timeout_s=lock_timeout_s, draft=True) as document:
            return document.diff()
    except StaleDraftError:
        return looking.listed(site_of(path, policy), policy, lock_timeout_s)


def commit_draft(
    path: Path,
    *,
    if_intact: bool = False,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Receipt:
    """Commits all that a draft holds, as one operation in one pass, and removes the draft.

    Args:
        if_intact: also after a change by somebody else, provided that what surrounds every edit is as it was.
        policy: what the commit must keep to.
        lock_timeout_s: how long to wait for the draft, and for the file.

    Returns:
        The receipt; of a draft without edits, one that says that nothing changed.

    Raises:
        MissingDraftError: there is none.
        StaleDraftError: it does not fit the file any more; both are kept.
    """
    policy = policy or Policy()
    site = site_of(path, policy)
    if site.volume.stat(site.draft) is None:
        raise engine.missing(site)
    fit: Drafting = "surroundings" if if_intact else "history"
    with Document(site, policy=policy, lock_timeout_s=lock_timeout_s, draft=fit) as document:
        before = document.generation
        return document.commit(progress=progress, cancel=cancel) or unchanged(before)


def drop_draft(path: Path, *, policy: Policy | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """Removes the draft of a file, whatever state it is in; the file is not touched.

    Raises:
        MissingDraftError: there is none.
        LockedError: somebody is editing it.
    """
    policy = policy or Policy()
    engine.drop(site_of(path, policy), policy, lock_timeout_s)
