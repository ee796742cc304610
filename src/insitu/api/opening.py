"""Opening a file, making one, and looking at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

from insitu.core.pieces import Copy
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.document import Document
from insitu.engine.site import FOLDER, Site
from insitu.errors import RequestError, SpanError, UnsupportedError
from insitu.storage.base import SHARED
from insitu.storage.local import local_volume

if TYPE_CHECKING:
    from insitu.views.follow import Follower

Path = str | os.PathLike[str] | Site
"""What a verb works on: a path of the local files, or a site (``Site.of``), which may be on any volume."""

Mode = Literal["r+", "r", "x"]

LOCK_TIMEOUT_S = 30.0


def open(
    path: Path,
    mode: Mode = "r+",
    *,
    encoding: str | None = None,
    policy: Policy | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    locked: bool = False,
    cancel: Cancel | None = None,
    at: int | None = None,
    draft: bool = False,
) -> Document:
    """Opens a file for editing; nothing is read and, unless ``locked``, no lock is held yet.

    However long it is open, reads show the file as it was opened, whatever others commit meanwhile.

    Args:
        mode: ``"r+"`` reads and edits, ``"r"`` only reads, ``"x"`` makes a new, empty file.
        encoding: codec of its text; None means as the file tells.
        lock_timeout_s: how long ``commit`` (and ``locked``) waits for the lock.
        locked: takes the lock now and holds it until the document is closed.
        cancel: asked while ``locked`` waits for the lock, and while lines are counted.
        at: opens, only for reading, what the file was after this operation; 0 is the original.
        draft: opens the file's draft: edits saved with ``save_draft`` and not committed yet. For editing, it
            is begun where there is none, and nobody else can edit it until the document is closed.

    Raises:
        MissingDraftError: the draft is to be read, and there is none.
        StaleDraftError: the file was changed so that its draft does not fit it any more; both are kept.
        UndoError: operation ``at`` was never made, or not all operations since are kept.
        MissingFileError, ExistingFileError, AccessError, FileKindError: as their names say.
        RecoveryNeededError: a crash left a commit half-done that this opening may not, or cannot, finish.
    """
    if mode not in ("r+", "r", "x"):
        raise RequestError(f"There is no mode {mode!r}.", hint="Modes: 'r+', 'r' and 'x'.")
    if at is not None and (mode == "x" or locked):
        raise RequestError("An older version can only be read.", hint="Open it without mode 'x' and locked.")
    if draft and (mode == "x" or locked or at is not None):
        raise RequestError(
            "A draft is of the file as it is.", hint="Open it without mode 'x', locked and at."
        )
    site = site_of(path, policy)
    if mode == "x":
        _make(site)
    return Document(
        site,
        read_only=mode == "r" or at is not None,
        encoding=encoding,
        policy=policy,
        lock_timeout_s=lock_timeout_s,
        locked=locked,
        cancel=cancel,
        at=at,
        draft="history" if draft else None,
    )


def read(path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes ``[start, stop)`` of a file; indexes as in a slice."""
    with open(path, "r") as document:
        data = document[start:stop]
        assert isinstance(data, bytes)
        return data


def follow(path: Path, **options: Any) -> Follower:
    """The lines that a file gets, as they are appended; iterating waits for the next one.

    Options as ``insitu.views.follow.Follower``.
    """
    from insitu.views.follow import Follower

    volume, name = (path.volume, path.path) if isinstance(path, Site) else (local_volume(), os.fspath(path))
    return Follower(volume, name, **options)


def create(path: Path, data: bytes = b"") -> int:
    """Makes a new file with these contents, durably; returns its size.

    Crash: all of it is there, or nothing; a part, where files have to have names from the beginning.

    Raises:
        ExistingFileError: there is one already; it is unchanged.
    """
    site = site_of(path, None)
    vacant = site.volume.stat(site.path) is None
    if not (vacant and _created_whole(site, data)):
        _create(site, data)
    site.volume.sync_folder(site.folder)
    return len(data)


def _created_whole(site: Site, data: bytes) -> bool:
    """Makes a file that has no name before it is durable, so that a kill leaves nothing; False: it cannot."""
    try:
        with closing(site.volume.open_unnamed(site.path, SHARED)) as file:
            file.write(0, data)
            file.sync()
            site.volume.give_name(file)
    except UnsupportedError:
        return False
    return True


def _create(site: Site, data: bytes) -> None:
    with closing(site.volume.open(site.path, write=True, create=True, mode=SHARED)) as file:
        try:
            file.write(0, data)
            file.sync()
        except BaseException:
            site.volume.remove(site.path)
            raise


def info(path: Path, *, policy: Policy | None = None) -> dict[str, Any]:
    """What a file is: see ``insitu.views.inspection.info``."""
    from insitu.views import inspection

    return inspection.info(site_of(path, policy), policy or Policy())


def doctor(path: Path, *, policy: Policy | None = None) -> dict[str, Any]:
    """What the disk under a file or folder can do: see ``insitu.views.inspection.doctor``."""
    from insitu.views import inspection

    return inspection.doctor(site_of(path, policy))


def build_index(
    path: Path,
    *,
    policy: Policy | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> dict[str, Any]:
    """Builds, or brings up to date, the index of a file's lines, and says how many there are."""
    from insitu.views import inspection

    return inspection.build_index(site_of(path, policy), policy or Policy(), progress, cancel)


def pending_below(folder: Path) -> Iterator[str]:
    """Yields the files below a folder that have a half-done commit beside them."""
    from insitu.views import inspection

    if isinstance(folder, Site):
        return inspection.pending_below(folder.volume, folder.path)
    return inspection.pending_below(local_volume(), os.fspath(folder))


def extent(path: Path, span: Span | tuple[int, int]) -> Copy:
    """A piece of another file, to paste with ``insert`` or ``append`` without loading it.

    Raises:
        SpanError: the span lies outside the file.
    """
    start, stop = span
    site = site_of(path, None)
    size = site.status().size
    if not 0 <= start <= stop <= size:
        raise SpanError(f"Bytes {start}:{stop} do not lie in the {size:,} bytes of {site.path}.", size=size)
    return Copy(site.path, Span(start, stop))


def site_of(path: Path, policy: Policy | None) -> Site:
    """The site of a path of the local files; a site is one already, and says itself where its state lives."""
    if isinstance(path, Site):
        return path
    given = os.fspath(path)
    state_folder = policy.state_folder if policy is not None else None
    return Site.of(local_volume(), given, state_folder or _elsewhere(given))


def _elsewhere(path: str) -> str | None:
    """Where state lives for a file in a folder we cannot write to; None where it can be beside the file."""
    try:
        folder = os.path.dirname(os.path.realpath(path))
        if os.access(folder, os.W_OK) or os.path.isdir(os.path.join(folder, FOLDER)):
            return None
    except ValueError:
        return None  # no path, as resolving it will say
    from platformdirs import user_state_dir

    state_folder = user_state_dir("insitu")
    try:
        os.makedirs(state_folder, mode=0o700, exist_ok=True)
    except OSError:
        return None  # the file can still be read
    return state_folder


def existing_site(path: Path, policy: Policy | None) -> Site:
    """The site of a path that names a regular file."""
    site = site_of(path, policy)
    site.open().close()
    return site


def _make(site: Site) -> None:
    site.volume.open(site.path, write=True, create=True, mode=SHARED).close()
    site.volume.sync_folder(site.folder)
