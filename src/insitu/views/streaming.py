"""Mass edits: located in one scan under the lock, spooled as columns, committed as one operation.

Any number of changes in flat memory. What is changed, and by what, is for the mass edit to say; a format
adds one by writing a class with ``batches``, and it works on files (``streaming``) and on documents
(``Document.make``) alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from insitu.core.plan import Choice
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.replacements import Replacements, Uniform, gathered
from insitu.engine.commit import Commit
from insitu.engine.receipt import Receipt
from insitu.engine.session import generation, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.spool import Spool
from insitu.errors import ExpectationError, NoMatchError, RequestError
from insitu.views.diff import unified
from insitu.views.operation import Rendered, changes_of
from insitu.views.text import Encoding, encoding_of, named_encoding

if TYPE_CHECKING:
    from insitu.engine.row_index import RowIndex
    from insitu.formats.csv_dialect import Dialect


def _no_rows(_dialect: Dialect) -> None:
    """No index is kept."""


class Source(NamedTuple):
    """What a mass edit is made over: the bytes, the encoding of their text, and a name for messages."""

    reader: Reader
    text: Encoding
    path: str
    rows: Callable[[Dialect], RowIndex | None] = _no_rows
    """The index of its rows in a dialect, where one is kept: none is built."""


class MassEdit(Protocol):
    """Any number of changes, told in one pass."""

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what is replaced by what, sorted and disjoint, in coordinates of the source.

        Raises:
            InsituError: the edit does not fit the source; nothing is changed then.
        """
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What a verb would do: its plan, a bounded diff, and how many places it would change."""

    choice: Choice | None
    diff: str
    splices: int


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


class Stream:
    """A locked file and the commit that a mass edit flows into: carried out, or previewed and dropped."""

    def __init__(self, commit: Commit, base: Snapshot, text: Encoding) -> None:
        self._commit = commit
        self.base = base
        self.text = text
        self._spool = Spool(commit.journal, base, _no_source)
        self._olds: set[bytes | None] = set()

    @property
    def source(self) -> Source:
        """What the mass edit reads."""
        return Source(self.base, self.text, self._commit.site.path, cache(self._rows))

    @property
    def count(self) -> int:
        """How many places change, once all was spooled."""
        return self._commit.journal.splices.summary.places

    def spool(self, batches: Iterable[Replacements]) -> None:
        """Takes in all batches; nothing is kept if one cannot be made."""
        with self._commit.filling():
            for batch in gathered(batches):
                self._olds.add(batch.old if isinstance(batch, Uniform) else None)
                self._spool.add_batch(batch)
            self._spool.finish()

    def commit(self, *, progress: Progress | None = None, cancel: Cancel | None = None) -> Receipt:
        """Makes the changes. Arguments as ``Commit.carry_out``."""
        if not self.count:
            self._commit.discard()
            return unchanged(self.base.generation)
        (unit,) = self._olds if len(self._olds) == 1 else (None,)
        return self._commit.carry_out(replaced_unit=unit, progress=progress, cancel=cancel)

    def preview(self) -> Preview:
        """What ``commit`` would do; what was spooled is dropped and the file not touched."""
        return previewed(self._commit, self.base)

    def _rows(self, dialect: Dialect) -> RowIndex | None:
        from insitu.engine.row_index import kept_rows

        return kept_rows(self._commit.site, self.base, self._commit.policy, dialect)


def previewed(commit: Commit, base: Snapshot) -> Preview:
    """What a commit that is filled would do to its base; it is discarded, and the file not touched."""
    try:
        journal = commit.journal
        count = journal.splices.summary.places
        if not count:
            return Preview(None, "", 0)
        after = Rendered(base, journal.splices, journal.new)
        diff = unified(base, after, changes_of(journal.splices), commit.site.path)
        return Preview(commit.choose(), diff, count)
    finally:
        commit.discard()


@contextmanager
def streaming(
    site: Site,
    policy: Policy,
    lock_timeout_s: float,
    cancel: Cancel | None = None,
    encoding: str | None = None,
) -> Iterator[Stream]:
    """Locks a file and begins a commit; the block spools, then commits or previews.

    Args:
        encoding: codec of the file's text; None means as it seems.

    Cost: memory for two batches; the journal on disk holds the columns.
    """
    with writing(site, policy, lock_timeout_s, cancel) as held:
        base = Snapshot(held.target, generation(site, held.target))
        text = encoding_of(base) if encoding is None else named_encoding(base, encoding)
        yield Stream(Commit(site, held.target, policy, lock_wait_s=held.lock_wait_s), base, text)


def _no_source(path: str) -> Reader:
    raise RequestError(f"A mass edit cannot copy from {path}.")


def check_expected(expect: int | None, count: int, found: str, path: str, hint: str) -> None:
    """Checks how many places a mass edit would change.

    Args:
        expect: how many there must be; None: any number.
        found: what there is, for the message.

    Raises:
        NoMatchError: there is none; ExpectationError: there are fewer or more than expected.
    """
    if expect is None or count == expect:
        return
    error = NoMatchError if count == 0 else ExpectationError
    raise error(
        f"{found} instead of the {expect:,} expected; {path} is unchanged.",
        hint=hint,
        found=count,
        expected=expect,
    )
