"""Whether a draft fits the file as it is now: past insitu's commits, or by what surrounds its edits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from insitu.core.drafted import SURROUNDING_BYTES, state_of, surroundings
from insitu.core.patch import Splice
from insitu.core.protocols import Reader
from insitu.core.records import checksum
from insitu.core.rope import Part
from insitu.core.sequence import Keeper, Sequence
from insitu.core.spans import Span
from insitu.engine.draft_log import Base, DraftLog
from insitu.engine.history import since
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import StaleDraftError, StaleError, UnsupportedError
from insitu.views.pending import between, rebased

# So many spans are named in a message; ``facts`` has all.
_NAMED = 5


class Places(NamedTuple):
    """The spans that a draft changes, by whether what surrounds them is as it was."""

    intact: list[Span]
    moved: list[Span]


def fitted(
    site: Site,
    log: DraftLog | None,
    saved: Sequence | None,
    base: Snapshot,
    keeper: Keeper | None,
    fit: Literal["history", "surroundings"],
) -> tuple[Sequence, bool]:
    """What was saved, over the file as it is now, and whether that is another base than it was saved on.

    Raises:
        StaleDraftError: it does not fit.
    """
    if log is None or saved is None:
        return Sequence(base.size, keeper), False
    if _same(log.base.generation, base.generation):
        return saved, False
    moved = Sequence(base.size, keeper)
    moved.load((splice.span, _parts(splice)) for splice in _carried(site, log, saved, base, fit))
    return moved, True


def _carried(
    site: Site, log: DraftLog, saved: Sequence, base: Snapshot, fit: Literal["history", "surroundings"]
) -> list[Splice]:
    if not saved.changed:
        return []
    numbers = between(site, log.base.generation, base.generation)
    if numbers is None and log.attempt is not None and _only_time(log.attempt.generation, base.generation):
        # A commit of the draft that was not made, or taken back, moved the time.
        numbers = between(site, log.base.generation, log.attempt.generation)
    if numbers is not None:
        left = since(site, log.base.generation.operation)  # what was undone since is in nobody's way
        try:
            return list(rebased(site, [number for number in numbers if number in left], saved.splices()))
        except StaleError as error:
            raise _conflict(site, error) from error
    if not _lost_time(site, log.base, base.generation):
        places = placed(log, saved, base)
        if fit == "history" or places.moved:
            raise foreign(site, log, base, places)
    return list(saved.splices())


def _same(then: Generation, now: Generation) -> bool:
    return (then.inode, then.size, then.mtime_ns) == (now.inode, now.size, now.mtime_ns)


def _lost_time(site: Site, then: Base, now: Generation) -> bool:
    """Whether all that happened is that a power cut took the file's time back; it puts none forward."""
    was, boot = then
    return boot != site.volume.boot_id() and now.mtime_ns < was.mtime_ns and _only_time(was, now)


def _only_time(then: Generation, now: Generation) -> bool:
    """Whether nothing but the time tells two generations apart."""
    return (then.inode, then.operation, then.size) == (now.inode, now.operation, now.size)


def _parts(splice: Splice) -> list[Part]:
    """The pieces of a draft's splice, none of which is a literal: bytes are in the pool."""
    return list(splice.pieces)  # type: ignore[arg-type]


def placed(log: DraftLog, saved: Sequence, now: Reader) -> Places:
    """Tells the spans of a draft that are where they were, by what surrounds them, from the others."""
    places = Places([], [])
    size = log.base.generation.size
    for start, length, _ in state_of(saved):
        span = Span(start, start + length)
        intact = all(
            edge in log.digests and around(now, edge, size) == log.digests[edge] for edge in set(span)
        )
        (places.intact if intact else places.moved).append(span)
    return places


def around(reader: Reader, edge: int, base_size: int) -> int:
    """A digest of what a file holds around a place, and of whether it ends there.

    Args:
        base_size: of the file that is compared.
    """
    span = surroundings(edge, base_size)
    start, stop = min(span.start, reader.size), min(span.stop, reader.size)
    ends = stop == reader.size
    return checksum(reader.read(start, stop - start), edge - span.start, ends)


def around_many(base: Snapshot, edges: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yields places of a file with the digest of what is around each, read in batches where possible."""
    inner: list[int] = []
    for edge in edges:
        if SURROUNDING_BYTES <= edge < base.size - SURROUNDING_BYTES:
            inner.append(edge)
        else:
            yield edge, around(base, edge, base.size)
    try:
        starts = [edge - SURROUNDING_BYTES for edge in inner]
        texts = base.read_many(starts, 2 * SURROUNDING_BYTES) if inner else []
    except UnsupportedError:
        yield from ((edge, around(base, edge, base.size)) for edge in inner)
        return
    for edge, text in zip(inner, texts, strict=True):
        yield edge, checksum(text, SURROUNDING_BYTES, False)


def foreign(site: Site, log: DraftLog, base: Snapshot, places: Places) -> StaleDraftError:
    """The error for a draft of a file that somebody else changed."""
    then = log.base.generation
    count = len(places.moved) + len(places.intact)
    if places.moved:
        spans = ", ".join(f"{start}:{stop}" for start, stop in places.moved[:_NAMED])
        more = f" and {len(places.moved) - _NAMED:,} more" if len(places.moved) > _NAMED else ""
        found = f"is not what it was at {len(places.moved):,} of {count:,} places (bytes {spans}{more})"
        hint = "See what it would do with: insitu draft diff FILE"
    else:
        found = f"is what it was at all {count:,} places"
        hint = "Commit it all the same with: insitu draft commit FILE --if-intact"
    return StaleDraftError(
        f"The file {site.path} was changed by somebody else since its draft was saved: it had {then.size:,} "
        f"bytes then and has {base.size:,} now. What surrounds the draft's edits {found}. Both are kept.",
        hint=f"{hint}; or drop it: insitu draft drop FILE",
        path=site.path,
        size_then=then.size,
        size_now=base.size,
        moved=places.moved,
        intact=places.intact,
    )


def _conflict(site: Site, error: StaleError) -> StaleDraftError:
    """The error for a draft of bytes that an operation changed, too."""
    number, (start, stop) = error.facts["operation"], error.facts["span"]
    return StaleDraftError(
        f"Operation {number} of {site.path}, committed since its draft was saved, also changed bytes "
        f"{start}:{stop}. Both are kept as they are.",
        hint=f"See it with: insitu diff FILE {number}; undo it, or drop the draft: insitu draft drop FILE",
        path=site.path,
        operation=number,
        moved=[Span(start, stop)],
    )
