"""The verbs that change any number of places in one pass and one commit, in flat memory.

Each makes a mass edit (``insitu.views.streaming.MassEdit``) and carries it out; options that are not
listed are those of ``carry_out``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from insitu.api.opening import LOCK_TIMEOUT_S, Path, site_of
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.engine.receipt import Receipt
from insitu.views.replacing import Engine, Replace
from insitu.views.streaming import MassEdit, Preview, Stream, streaming


def carry_out(
    path: Path,
    edit: MassEdit,
    *,
    encoding: str | None = None,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Receipt:
    """Carries a mass edit out, in one commit; any number of changes in flat memory.

    Args:
        encoding: codec of the file's text; None means as the file tells.
        policy: what the commit must keep to.
        lock_timeout_s: how long to wait for the lock.
        progress: told (bytes done, bytes in all), first of the scan, then of the commit.
        cancel: asked whether to stop before the commit point.

    Returns:
        The receipt; ``splices`` says how many places changed. Changing none is fine.
    """
    with _streaming(path, encoding, policy, lock_timeout_s, cancel) as stream:
        stream.spool(edit.batches(stream.source, progress, cancel))
        return stream.commit(progress=progress, cancel=cancel)


def preview(
    path: Path,
    edit: MassEdit,
    *,
    encoding: str | None = None,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Preview:
    """What a mass edit would do; the file is not touched. Arguments as ``carry_out``."""
    with _streaming(path, encoding, policy, lock_timeout_s, cancel) as stream:
        stream.spool(edit.batches(stream.source, progress, cancel))
        return stream.preview()


def _streaming(
    path: Path, encoding: str | None, policy: Policy | None, lock_timeout_s: float, cancel: Cancel | None
) -> AbstractContextManager[Stream]:
    policy = policy or Policy()
    return streaming(site_of(path, policy), policy, lock_timeout_s, cancel, encoding)


def replace(
    path: Path,
    old: bytes | str,
    new: bytes | str,
    *,
    count: int | None = None,
    expect: int | None = None,
    regex: bool = False,
    engine: Engine = "auto",
    **options: Any,
) -> Receipt:
    r"""Replaces matches everywhere, in one commit.

    Args:
        count: how many at most; None means all.
        expect: exactly so many there must be.
        regex: ``old`` is an expression, ``new`` may refer to its groups as ``\1``.
        engine: see ``insitu.scan.search.compile_regex``.

    Returns:
        The receipt; ``splices`` says how many were replaced. Replacing none changes nothing.

    Raises:
        NoMatchError: some were expected and there are none.
        ExpectationError: there are more or fewer than expected.
    """
    return carry_out(path, Replace(old, new, count, expect, regex, engine), **options)


def preview_replace(
    path: Path,
    old: bytes | str,
    new: bytes | str,
    *,
    count: int | None = None,
    expect: int | None = None,
    regex: bool = False,
    engine: Engine = "auto",
    **options: Any,
) -> Preview:
    """What ``replace`` would do; the file is not touched."""
    return preview(path, Replace(old, new, count, expect, regex, engine), **options)
