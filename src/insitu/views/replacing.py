"""Search and replace as a stream: any number of matches, flat memory, one commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.engine.commit import Draft
from insitu.engine.session import generation, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Snapshot
from insitu.engine.spool import Spool
from insitu.errors import ExpectationError, NoMatchError, RequestError
from insitu.views.text import encoding_of

Engine = Literal["auto", "re2", "re"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to replace by what, and how often.

    Args:
        count: how many at most; None means all.
        expect: exactly so many matches there must be; None means any number.
    """

    old: bytes | str
    new: bytes | str
    count: int | None = None
    expect: int | None = None
    regex: bool = False
    engine: Engine = "auto"

    def __post_init__(self) -> None:
        check_count(self.count)


@dataclass(frozen=True, slots=True)
class Located:
    """The replacements, spooled into a draft that waits to be committed or discarded."""

    draft: Draft
    base: Snapshot
    count: int
    replaced_unit: bytes | None
    """What each replaces, where it is the same for all."""


@contextmanager
def locating(
    site: Site,
    request: Request,
    policy: Policy,
    lock_timeout_s: float,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Located]:
    """Locks a file, locates all matches and spools their replacements; the block commits or discards.

    Raises:
        NoMatchError, ExpectationError: not as many matches as expected.

    Cost: one scan on every core; memory for a batch of matches; the draft on disk holds their columns.
    """
    with writing(site, policy, lock_timeout_s, cancel) as held:
        base = Snapshot(held.target, generation(site, held.target))
        draft = Draft(site, held.target, policy, lock_wait_s=held.lock_wait_s)
        with draft.filling():
            count, unit = _spool(draft, base, request, progress, cancel)
            _check_expected(request.expect, count, site.path)
        yield Located(draft, base, count, unit)


def _spool(
    draft: Draft, base: Snapshot, request: Request, progress: Progress | None, cancel: Cancel | None
) -> tuple[int, bytes | None]:
    """Returns how many matches were spooled, and what each replaces where that is the same for all."""
    from insitu.scan.search import compile_literal, compile_regex, locate

    new = _bytes_of(request.new, base)
    if request.regex:
        unit, pattern = None, compile_regex(request.old, engine=request.engine)
        template = pattern.template(new)
        constant = template.constant
    else:
        unit = _bytes_of(request.old, base)
        pattern, template, constant = compile_literal(unit), None, new
    spool = Spool(draft.journal, base, _no_source)
    count = 0
    for matches in locate(base, pattern, progress=progress, cancel=cancel):
        taken = len(matches)
        if request.count is not None and request.expect is None:
            taken = min(taken, request.count - count)
        if constant is not None:
            spool.add_columns(matches.starts[:taken], matches.stops[:taken], constant)
        elif template is not None:
            starts, stops = matches.starts[:taken].tolist(), matches.stops[:taken].tolist()
            spool.add_replacements(starts, stops, matches.replacements(template))
        count += taken
        if request.expect is None and count == request.count:
            break
    spool.finish()
    return count, unit


def _bytes_of(text: bytes | str, base: Snapshot) -> bytes:
    return encoding_of(base).encode(text) if isinstance(text, str) else bytes(text)


def _check_expected(expect: int | None, count: int, path: str) -> None:
    if expect is None or count == expect:
        return
    error = NoMatchError if count == 0 else ExpectationError
    raise error(
        f"{count:,} matches instead of the {expect:,} expected; {path} is unchanged.",
        hint="List them with: insitu find FILE PATTERN",
        found=count,
        expected=expect,
    )


def check_count(count: int | None) -> None:
    """Refuses a number of replacements below 0.

    Raises:
        RequestError: it is; None, for all, is fine.
    """
    if count is not None and count < 0:
        raise RequestError(f"{count} matches cannot be replaced.", hint="Leave count out to replace all.")


def _no_source(path: str) -> Reader:
    raise RequestError(f"A replacement cannot copy from {path}.")
