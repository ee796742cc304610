"""From pending edits to a plan or a commit, with rebasing over what others committed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from insitu.core.columns import Splices, block_of
from insitu.core.drafted import POOL
from insitu.core.patch import Splice
from insitu.core.pieces import Copy, Piece
from insitu.core.plan import Choice
from insitu.core.policy import Policy
from insitu.core.protocols import Reader
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.commit import Commit
from insitu.engine.history import chained, opened
from insitu.engine.planning import plan_for
from insitu.engine.session import Held, snapshot
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.engine.together import Part
from insitu.errors import StaleError
from insitu.storage.base import File, Volume


class Sources:
    """Other files that pasted pieces name, open for reading as long as the document is.

    Attributes:
        pool: what pieces of the document's draft are in.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._open: dict[str, Snapshot] = {}
        self.pool: Reader | None = None

    def open(self, path: str) -> Reader:
        """The file as it is when it is first asked for."""
        if path == POOL and self.pool is not None:
            return self.pool
        if path not in self._open:
            site = Site.of(self._volume, path)
            self._open[path] = snapshot(site, write=False, policy=Policy(), lock_timeout_s=0)
        return self._open[path]

    def close(self) -> None:
        """Closes them all."""
        for source in self._open.values():
            source.close()
        self._open.clear()


def plan_pending(site: Site, target: File, sequence: Sequence, policy: Policy) -> Choice:
    """How the pending edits would be committed."""
    triples = ((splice.span.start, splice.span.stop, splice.new_size) for splice in sequence.splices())
    return plan_for(site, target, Splices.of(sequence.base_size, block_of(triples)), policy)


def prepared(
    site: Site,
    policy: Policy,
    base: Snapshot,
    sequence: Sequence,
    held: Held,
    open_source: Callable[[str], Reader],
    *,
    draft_id: str = "",
) -> Part:
    """Writes pending edits over ``base`` as a commit of a locked target, to be carried out.

    Args:
        draft_id: of the draft that they are, which is removed with the commit.

    Raises:
        StaleError: the target is not what ``base`` was, and the way from there is not ours, or touches
            the same bytes. The file keeps the others' changes; the pending edits are still there.
    """
    numbers = _since(site, base.generation, held.target)
    commit = Commit(
        site, held.target, policy, draft=draft_id, lock_wait_s=held.lock_wait_s, keep=held.go_on_with
    )
    with commit.filling() as journal:
        now = Snapshot(held.target, Generation.of(held.target.stat(), 0))
        spool = Spool(journal, now, open_source)
        spool.add(rebased(site, numbers, sequence.splices()))
        spool.finish()
    commit.padding_bytes = spool.padding_bytes
    return Part(commit, tuple(numbers))


def _since(site: Site, generation: Generation, target: File) -> list[int]:
    """Our operations between a generation and now."""
    status = target.stat()
    if generation.same_contents(status):
        return []
    numbers = between(site, generation, Generation.of(status, 0))
    if numbers is None:
        raise StaleError(
            f"The file {site.path} was changed by somebody else since it was opened: it had "
            f"{generation.size:,} bytes then and has {status.size:,} now"
            f"{', in another inode' if generation.inode != status.inode else ''}. It keeps their change; "
            "the pending edits were not made.",
            hint="Open it again and make the edits on what it holds now.",
            path=site.path,
            size_then=generation.size,
            size_now=status.size,
        )
    return numbers


def between(site: Site, then: Generation, now: Generation) -> list[int] | None:
    """Our operations that lead from one generation to another; None where something else did."""
    states = [(one.inode, one.size, one.mtime_ns) for one in (then, now)]
    return chained(site, states[0], then.operation, states[1])


def rebased(site: Site, numbers: list[int], splices: Iterator[Splice]) -> Iterator[Splice]:
    """Yields splices as they are after some operations were made on the same base.

    Raises:
        StaleError: one of them touched the same bytes.
    """
    if not numbers:
        yield from splices
        return
    with ExitStack() as journals:
        over = [(number, journals.enter_context(opened(site, number)).splices) for number in numbers]
        for splice in splices:
            span = _moved(splice.span, over, site.path)
            yield Splice(span, tuple(_moved_piece(piece, over, site.path) for piece in splice.pieces))


def _moved_piece(piece: Piece, over: list[tuple[int, Splices]], path: str) -> Piece:
    if isinstance(piece, Copy) and piece.source is None:
        return Copy(None, _moved(piece.span, over, path))
    return piece


def _moved(span: Span, over: list[tuple[int, Splices]], path: str) -> Span:
    moved = span
    for number, splices in over:
        passed = splices.moved(moved)
        if passed is None:
            raise StaleError(
                f"Operation {number}, committed since {path} was opened, also changed bytes "
                f"{span.start}:{span.stop}. The file keeps that change; the pending edits were not made.",
                hint=f"See it with: insitu diff FILE {number}; then open the file again.",
                path=path,
                operation=number,
                span=span,
            )
        moved = passed
    return moved
