"""Document: the mutable face of a file. Edits are pending until ``commit``; reads see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Numbers
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from insitu.core.plan import Choice
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.sequence import Sequence
from insitu.engine.receipt import Receipt
from insitu.engine.recover import recover
from insitu.engine.session import Held, generation, past, snapshot, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.engine.together import Part
from insitu.errors import AccessError, RequestError, StaleError, StorageError
from insitu.storage.base import File
from insitu.views.content import Content
from insitu.views.diff import unified
from insitu.views.editable import Editable
from insitu.views.pending import Sources, plan_pending, prepared
from insitu.views.raw import RawFile
from insitu.views.text import Encoding, checked_codec, encoding_of, named_encoding

if TYPE_CHECKING:
    from insitu.engine.growing_index import GrowingIndex
    from insitu.engine.row_index import RowIndex
    from insitu.formats.csv_dialect import Dialect
    from insitu.views.csv import Csv
    from insitu.views.draft import Draft, Drafting
    from insitu.views.json import Json
    from insitu.views.jsonl import Jsonl
    from insitu.views.lines import Lines
    from insitu.views.markdown import Markdown
    from insitu.views.records import Records
    from insitu.views.streams import By


class Document(Editable):
    """One file, open for reading or editing; belongs to one thread.

    Works as a context manager: the end of the block commits (a draft: saves), an exception discards. Indexes
    and slices follow ``bytearray``. Nothing is read at opening, and no lock is held until ``commit`` unless
    ``locked`` asked for it.

    Raises:
        SpanError: from any call: an offset lies outside the current content.
        StaleError: from reads: the file was cut shorter; from ``commit``: it was changed by somebody else.
    """

    def __init__(
        self,
        site: Site,
        *,
        read_only: bool = False,
        encoding: str | None = None,
        policy: Policy | None = None,
        lock_timeout_s: float = 30.0,
        locked: bool = False,
        cancel: Cancel | None = None,
        at: int | None = None,
        draft: Drafting | None = None,
    ) -> None:
        self.site = site
        self._at = at
        self.read_only = read_only
        self.policy = policy or Policy()
        self.lock_timeout_s = lock_timeout_s
        self.cancel = cancel
        """Asked while lines are counted for the first time: a question about them is a read of the file."""
        self._named = None if encoding is None else checked_codec(encoding)
        self._text: Encoding | None = None
        self._held: Held | None = None
        self._open = ExitStack()
        self._placed = False
        self._outdated: list[Snapshot] = []
        self._draft: Draft | None = None
        with ExitStack() as opening:
            opening.push(self._open)
            if draft is not None:
                from insitu.views.draft import Draft

                self._draft = Draft(site, self.policy, lock_timeout_s, read_only=read_only, fit=draft)
                self._open.callback(self._draft.close)
            if locked:
                self._held = self._open.enter_context(writing(site, self.policy, lock_timeout_s, cancel))
            self._start()
            opening.pop_all()

    def _start(self) -> None:
        """Pins the present generation; pending edits start from none, or from those saved in the draft."""
        self._sources = Sources(self.site.volume)
        if self._draft is None:
            self._base = self._snapshot()
            self.sequence = Sequence(self._base.size)
        else:
            self._base, self.sequence = self._draft.start(self._snapshot, self._sources.open)
            self._sources.pool = self._draft.pool
        self._content = Content(self._base, self.sequence, self._sources.open)
        self._index: GrowingIndex | None = None
        self._lines: Lines | None = None

    def _snapshot(self) -> Snapshot:
        if self._held is not None:
            return Snapshot(self._held.target, generation(self.site, self._held.target))
        if self._at is not None:
            return past(self.site, self._at, policy=self.policy, lock_timeout_s=self.lock_timeout_s)
        return snapshot(
            self.site, write=not self.read_only, policy=self.policy, lock_timeout_s=self.lock_timeout_s
        )

    # What it is

    @property
    def path(self) -> str:
        """The file's path, every symbolic link followed."""
        return self.site.path

    @property
    def generation(self) -> Generation:
        """Which contents the document was opened on."""
        return self._base.generation

    @property
    def base(self) -> Snapshot:
        """The bytes of the file without the pending edits."""
        return self._base

    @property
    def base_file(self) -> File:
        """The open file behind ``base``."""
        return self._base.file

    @property
    def encoding(self) -> str:
        """Name of the codec its text is in: as given, by its byte order mark, UTF-8 if a sample is
        valid, else detected."""
        return self.text.name

    @property
    def text(self) -> Encoding:
        """Its encoding, with what else it might be: text that those would write otherwise is refused."""
        if self._text is None:
            named = self._named
            self._text = encoding_of(self._base) if named is None else named_encoding(self._base, named)
        return self._text

    def __repr__(self) -> str:
        state = "changed" if self.changed else "unchanged"
        return f"<insitu.Document {self.path!r}, {self.size:,} bytes, {state}>"

    # Reading

    def read_many(self, offsets: Numbers[int], size: int) -> list[bytes]:
        """Reads ``size`` bytes at each offset, in order.

        Cost: about a microsecond each from the page cache; from disk the offsets are asked for ahead.
        """
        if self.changed:
            return [self.read(offset, size) for offset in offsets]
        return self._base.read_many(offsets, size)

    def file(self) -> RawFile:
        """A file object over the current content; its writes are pending edits."""
        return RawFile(self)

    @property
    def lines(self) -> Lines:
        """The current content as a mutable sequence of lines."""
        if self._lines is None:
            from insitu.views.lines import Lines

            self._lines = Lines(self)
        return self._lines

    @lines.setter
    def lines(self, texts: Iterable[str]) -> None:
        """Assigns all lines; ``doc.lines += [...]`` appends."""
        if texts is not self._lines:
            self.lines[:] = texts

    def csv(self, **dialect: Any) -> Csv:
        """The current content as rows of cells. Arguments as ``insitu.views.csv.Csv``."""
        from insitu.views.csv import Csv

        return Csv(self, **dialect)

    def markdown(self) -> Markdown:
        """The current content as sections. See ``insitu.views.markdown.Markdown``."""
        from insitu.views.markdown import Markdown

        return Markdown(self)

    def jsonl(self) -> Jsonl:
        """The current content as one JSON value to a line. See ``insitu.views.jsonl.Jsonl``."""
        from insitu.views.jsonl import Jsonl

        return Jsonl(self)

    def json(self) -> Json:
        """The current content as one JSON document. See ``insitu.views.json.Json``."""
        from insitu.views.json import Json

        return Json(self)

    def records(self, dtype: Any, *, offset: int = 0) -> Records:
        """The bytes from ``offset`` on as records of one size. See ``insitu.views.records.Records``."""
        from insitu.views.records import Records

        return Records(self, dtype, offset=offset)

    def stream(self, by: By = "lines", **options: Any) -> Iterator[Any]:
        """Yields lines or chunks, forwards or backwards, one by one or in batches, in bounded memory.

        Options as ``insitu.views.streams.stream``.
        """
        from insitu.views.streams import stream

        return stream(self._content, self.text, self.path, by, **options)

    def tail(self, count: int, *, as_bytes: bool = False) -> list[Any]:
        """The last lines, found from the end without counting the others."""
        from insitu.views.streams import tail

        return tail(self._content, self.text, self.path, count, as_bytes=as_bytes)

    def open_source(self, path: str) -> Reader:
        """Another file that pasted pieces come from, as it was when it was first asked for."""
        return self._sources.open(path)

    def line_index(self) -> GrowingIndex:
        """The index of the base's lines: as kept beside the file, and made further as it is asked."""
        if self._index is None:
            from insitu.engine.growing_index import GrowingIndex

            self._index = GrowingIndex(self.site, self._base, self.policy, self.cancel)
        return self._index

    def _kept_rows(self, dialect: Dialect) -> RowIndex | None:
        from insitu.views.csv_places import RowPlaces

        return RowPlaces(self, dialect).kept()

    def map(self, dtype: Any = None) -> Any:
        """A context manager over the whole file as a writable array; what was touched becomes pending.

        See ``insitu.views.map.Mapping``.
        """
        from insitu.views.map import Mapping

        return Mapping(self, dtype)

    # Saving and committing

    def save_draft(self) -> bool:
        """Makes what was done since the last save durable, in the file's draft; False where nothing was.

        The file is not touched. Whoever opens the draft next goes on from here, also after a crash.

        Raises:
            RequestError: it was not opened with ``draft=True``.
            StorageError: the draft is as it was saved last; the edits are still pending.

        Cost: as much as was done since the last save, and one sync.
        Crash: the draft as it was saved last, or as it is now.
        """
        if self._draft is None:
            raise RequestError(
                f"{self.path} was not opened as a draft.", hint="Open it with insitu.open(path, draft=True)."
            )
        return self._draft.save()

    def discard(self) -> None:
        """Drops everything pending; in a draft, what was not saved."""
        if self._draft is None:
            super().discard()
        else:
            self._sources.close()
            self._base.close()
            self._start()

    def plan(self) -> Choice:
        """How a commit would be carried out, and why not otherwise.

        Raises:
            RequestError: nothing is pending.
        """
        if not self.changed:
            raise RequestError("Nothing is pending, so there is nothing to plan.")
        return plan_pending(self.site, self._base.file, self.sequence, self.policy)

    def diff(self, context: int = 3) -> str:
        """A unified diff of what is pending, bounded in length whatever its size."""
        return unified(self._base, self._content, self.sequence.changes(), self.path, context)

    def commit(self, *, progress: Progress | None = None, cancel: Cancel | None = None) -> Receipt | None:
        """Makes what is pending the file's contents, all of it or nothing.

        Edits are moved past commits of others whose spans do not touch ours.

        Returns:
            The receipt; None where nothing was pending.

        Raises:
            StaleError: somebody else changed what we changed, or changed the file without insitu.
            LockedError: the lock was not to be had in time.
            StorageError: see its ``file_state``.
        """
        if not self.changed:
            if self._draft is not None and not self.read_only:
                self._draft.drop()
            return None
        if self.read_only:
            raise AccessError(f"{self.path} was opened for reading only.", hint="Open it with mode 'r+'.")
        if self._held is not None:
            self._make_durable(self._held)
            return self._restarted(self._commit(self._held, progress, cancel))
        try:
            with writing(self.site, self.policy, self.lock_timeout_s, cancel, opened=self._base.file) as held:
                return self._restarted(self._commit(held, progress, cancel))
        finally:
            self.close_outdated()

    def _restarted(self, receipt: Receipt) -> Receipt:
        """Goes on from what was committed; under its lock, so that nobody has to be waited for."""
        self._placed = self.policy.durability == "fast"
        try:
            self._restart()
        except StorageError as error:
            error.file_state = "new"  # the commit is made, whatever going on from it meets
            raise
        return receipt

    def _restart(self) -> None:
        if self._draft is not None:
            self._draft.committed()
        self._sources.close()
        if self._held is None:
            self._outdated.append(self._base)
        self._start()

    def close_outdated(self) -> None:
        """Closes what the document was opened on before, once no lock hangs on it any more."""
        while self._outdated:
            self._outdated.pop().close()

    def _commit(self, held: Held, progress: Progress | None, cancel: Cancel | None) -> Receipt:
        if self._draft is not None:
            self._draft.attempt(held.target)
        commit, rebased_over = self._prepared(held)
        return commit.carry_out(rebased_over=rebased_over, progress=progress, cancel=cancel)

    def _prepared(self, held: Held) -> Part:
        """What is pending, written as a commit of the locked target."""
        return prepared(
            self.site,
            self.policy,
            self._base,
            self.sequence,
            held,
            self._sources.open,
            draft_id=self._draft.id if self._draft else "",
        )

    def check_generation(self) -> None:
        """Raises StaleError if the file is no longer as it was when the document was opened."""
        status = self._base.file.stat()
        if self.generation.same_contents(status):
            return
        raise StaleError(
            f"The file {self.path} was changed since it was opened: {self.generation.size:,} bytes then, "
            f"{status.size:,} now.",
            hint="Open it again.",
            path=self.path,
        )

    def close(self) -> None:
        """Closes the document; what is pending is dropped, what was committed fast is made durable."""
        try:
            if self._held is not None:
                self._make_durable(self._held)
            elif self._placed:
                with writing(self.site, self.policy, self.lock_timeout_s):
                    pass
        finally:
            self._sources.close()
            self.close_outdated()
            self._base.close()
            self._open.close()

    def _make_durable(self, held: Held) -> None:
        """Closes the journal of what was committed fast under this lock."""
        if self._placed:
            recover(self.site, held.target)
            self._placed = False

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self.read_only:
                if self._draft is None:
                    self.commit()
                else:
                    self.save_draft()
        finally:
            self.close()
