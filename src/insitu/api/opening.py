"""The one-call verbs. Each locks before it locates, so that parallel calls queue and never conflict."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from insitu.core.pieces import Copy, Piece
from insitu.core.plan import Choice
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.document import Document
from insitu.engine import history as kept
from insitu.engine import undo as reversal
from insitu.engine.commit import Receipt
from insitu.engine.history import Operation
from insitu.engine.lock import locked
from insitu.engine.recover import Force, Recovered
from insitu.engine.recover import recover as finish
from insitu.engine.session import writing
from insitu.engine.site import FOLDER, Site
from insitu.engine.snapshot import Generation
from insitu.errors import RequestError, SpanError
from insitu.storage.local import local_volume
from insitu.views.diff import unified
from insitu.views.edits import Edit, place
from insitu.views.operation import Rendered, changes_of, exchanged
from insitu.views.replacing import Engine, Request, locating

Path = str | os.PathLike[str]
Mode = Literal["r+", "r", "x"]

LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a verb would do: its plan, a bounded diff, and how many places it would change."""

    choice: Choice | None
    diff: str
    splices: int


def open(
    path: Path,
    mode: Mode = "r+",
    *,
    encoding: str | None = None,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    locked: bool = False,
) -> Document:
    """Opens a file for editing; nothing is read and, unless ``locked``, no lock is held yet.

    Args:
        mode: ``"r+"`` reads and edits, ``"r"`` only reads, ``"x"`` makes a new, empty file.
        encoding: codec of its text; None means as the file tells.
        lock_timeout_s: how long ``commit`` (and ``locked``) waits for the lock.
        locked: takes the lock now and holds it until the document is closed.

    Raises:
        MissingFileError, ExistingFileError, AccessError, FileKindError: as their names say.
        RecoveryNeededError: a crash left a commit half-done that this opening may not, or cannot, finish.
    """
    if mode not in ("r+", "r", "x"):
        raise RequestError(f"There is no mode {mode!r}.", hint="Modes: 'r+', 'r' and 'x'.")
    site = _site(path, policy)
    if mode == "x":
        _make(site)
    return Document(
        site,
        read_only=mode == "r",
        encoding=encoding,
        policy=policy,
        lock_timeout_s=lock_timeout_s,
        locked=locked,
    )


def read(path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes ``[start, stop)`` of a file; indexes as in a slice."""
    with open(path, "r") as document:
        data = document[start:stop]
        assert isinstance(data, bytes)
        return data


def write(path: Path, start: int, stop: int, data: bytes, **options: Any) -> Receipt:
    """Replaces ``[start, stop)`` by bytes of any size. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.replace_span(Span(start, stop), data)
    return edit.receipt


def insert(path: Path, offset: int, data: bytes | Piece, **options: Any) -> Receipt:
    """Inserts bytes, or a piece of another file, before ``offset``. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.insert(offset, data)
    return edit.receipt


def append(path: Path, data: bytes | Piece, **options: Any) -> Receipt:
    """Appends to a file. Options as ``editing``."""
    with editing(path, **options) as edit:
        edit.document.append(data)
    return edit.receipt


def delete(path: Path, start: int, stop: int, **options: Any) -> Receipt:
    """Deletes ``[start, stop)``. Options as ``editing``."""
    return write(path, start, stop, b"", **options)


def create(path: Path, data: bytes = b"") -> int:
    """Makes a new file with these contents, durably; returns its size.

    Raises:
        ExistingFileError: there is one already; it is unchanged.
    """
    site = _site(path, None)
    file = site.volume.open(site.path, write=True, create=True)
    try:
        file.write(0, data)
        file.sync()
    except BaseException:
        site.volume.remove(site.path)
        raise
    finally:
        file.close()
    site.volume.sync_folder(site.folder)
    return len(data)


class Editing:
    """One edit through a locked document; ``receipt`` is there once the block has ended."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._receipt: Receipt | None = None

    @property
    def receipt(self) -> Receipt:
        """What the commit did."""
        assert self._receipt is not None
        return self._receipt

    def commit(self, progress: Progress | None, cancel: Cancel | None) -> None:
        """Commits; an edit that changes nothing gets a receipt that says so."""
        before = self.document.generation
        self._receipt = self.document.commit(progress=progress, cancel=cancel) or unchanged(before)


def unchanged(generation: Generation) -> Receipt:
    """The receipt of an edit that changed nothing."""
    return Receipt(
        operation=0,
        before=generation,
        after=generation,
        plan="nothing",
        splices=0,
        size_before=generation.size,
        size_after=generation.size,
        bytes_read=0,
        bytes_written=0,
        seconds=0.0,
        lock_wait_s=0.0,
    )


@contextmanager
def editing(
    path: Path,
    *,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Editing]:
    """Locks a file, lets the block edit it through a document, and commits at its end.

    Args:
        policy: what the commit must keep to.
        lock_timeout_s: how long to wait for the lock.
        progress: told (bytes done, bytes in all).
        cancel: asked whether to stop before the commit point.
    """
    with open(path, policy=policy, lock_timeout_s=lock_timeout_s, locked=True) as document:
        edit = Editing(document)
        yield edit
        edit.commit(progress, cancel)


def replace(
    path: Path,
    old: bytes | str,
    new: bytes | str,
    *,
    count: int | None = None,
    expect: int | None = None,
    regex: bool = False,
    engine: Engine = "auto",
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Receipt:
    r"""Replaces matches everywhere, in one commit; any number of them in flat memory.

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
    policy = policy or Policy()
    request = Request(old, new, count, expect, regex, engine)
    with locating(_site(path, policy), request, policy, lock_timeout_s, progress, cancel) as found:
        if not found.draft.journal.splices.summary.places:
            found.draft.discard()
            return unchanged(found.base.generation)
        return found.draft.commit(replaced_unit=found.replaced_unit, progress=progress, cancel=cancel)


def preview_replace(
    path: Path,
    old: bytes | str,
    new: bytes | str,
    *,
    count: int | None = None,
    expect: int | None = None,
    regex: bool = False,
    engine: Engine = "auto",
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Preview:
    """What ``replace`` would do; the file is not touched."""
    policy = policy or Policy()
    request = Request(old, new, count, expect, regex, engine)
    site = _site(path, policy)
    with locating(site, request, policy, lock_timeout_s, progress, cancel) as found:
        try:
            journal = found.draft.journal
            if not journal.splices.summary.places:
                return Preview(None, "", 0)
            after = Rendered(found.base, journal.splices, journal.new)
            diff = unified(found.base, after, changes_of(journal.splices), site.path)
            return Preview(found.draft.choose(), diff, found.count)
        finally:
            found.draft.discard()


def apply(path: Path, edits: Iterable[Edit], **options: Any) -> Receipt:
    """Makes many edits in one commit; all are placed in the file as it is, none sees another's effect.

    Raises:
        SpanError: two edits overlap, or one lies outside the file.
        ExpectationError, NoMatchError, AmbiguousError: an edit does not find what it expects.
    """
    with editing(path, **options) as edit:
        edit.document.replace_spans(place(edit.document, edits))
    return edit.receipt


def preview_apply(
    path: Path, edits: Iterable[Edit], *, policy: Policy | None = None, **options: Any
) -> Preview:
    """What ``apply`` would do; the file is not touched."""
    with open(path, "r", policy=policy, **options) as document:
        placed = place(document, edits)
        document.sequence.replace_many(placed)
        if not document.changed:
            return Preview(None, "", 0)
        return Preview(document.plan(), document.diff(), len(placed))


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
    site = _site(path, policy)
    with writing(site, policy, lock_timeout_s, cancel) as held:
        return reverse(site, held, policy, progress, cancel)


def history(path: Path, *, policy: Policy | None = None) -> list[Operation]:
    """The operations of a file that are still kept, oldest first."""
    return kept.operations(_existing(path, policy))


def diff(path: Path, operation: int, *, policy: Policy | None = None) -> str:
    """A bounded unified diff of what an operation changed, from what the history keeps of it."""
    site = _existing(path, policy)
    with kept.opened(site, operation) as journal:
        return exchanged(journal, f"{site.path} operation {operation}")


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
    site = _site(path, policy)
    with locked(site, timeout_s=lock_timeout_s) as (target, _):
        return finish(site, target, force)


def info(path: Path, *, policy: Policy | None = None) -> dict[str, Any]:
    """What a file is: see ``insitu.views.inspection.info``."""
    from insitu.views import inspection

    return inspection.info(_site(path, policy), policy or Policy())


def doctor(path: Path, *, policy: Policy | None = None) -> dict[str, Any]:
    """What the disk under a file or folder can do: see ``insitu.views.inspection.doctor``."""
    from insitu.views import inspection

    return inspection.doctor(_site(path, policy))


def build_index(
    path: Path,
    *,
    policy: Policy | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> dict[str, Any]:
    """Builds, or brings up to date, the index of a file's lines, and says how many there are."""
    from insitu.views import inspection

    return inspection.build_index(_site(path, policy), policy or Policy(), progress, cancel)


def pending_below(folder: Path) -> Iterator[str]:
    """Yields the files below a folder that have a half-done commit beside them."""
    from insitu.views import inspection

    return inspection.pending_below(local_volume(), os.fspath(folder))


def extent(path: Path, span: Span | tuple[int, int]) -> Copy:
    """A piece of another file, to paste with ``insert`` or ``append`` without loading it.

    Raises:
        SpanError: the span lies outside the file.
    """
    start, stop = span
    site = _site(path, None)
    size = site.status().size
    if not 0 <= start <= stop <= size:
        raise SpanError(f"Bytes {start}:{stop} do not lie in the {size:,} bytes of {site.path}.", size=size)
    return Copy(site.path, Span(start, stop))


def _site(path: Path, policy: Policy | None) -> Site:
    given = os.fspath(path)
    state_folder = policy.state_folder if policy is not None else None
    return Site.of(local_volume(), given, state_folder or _elsewhere(given))


def _elsewhere(path: str) -> str | None:
    """Where state lives for a file in a folder we cannot write to; None where it can be beside the file."""
    folder = os.path.dirname(os.path.realpath(path))
    if os.access(folder, os.W_OK) or os.path.isdir(os.path.join(folder, FOLDER)):
        return None
    from platformdirs import user_state_dir

    state_folder = user_state_dir("insitu")
    try:
        os.makedirs(state_folder, mode=0o700, exist_ok=True)
    except OSError:
        return None  # the file can still be read
    return state_folder


def _existing(path: Path, policy: Policy | None) -> Site:
    """The site of a path that names a regular file."""
    site = _site(path, policy)
    site.open().close()
    return site


def _make(site: Site) -> None:
    site.volume.open(site.path, write=True, create=True).close()
    site.volume.sync_folder(site.folder)
