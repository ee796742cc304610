"""Document: the mutable face of a file. Edits are pending until ``commit``; reads see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Numbers
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from insitu.core.pieces import Copy, Piece
from insitu.core.plan import Choice
from insitu.core.policy import Policy
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.commit import Receipt
from insitu.engine.index import LineIndex
from insitu.engine.recover import recover
from insitu.engine.session import Held, generation, snapshot, writing
from insitu.engine.site import Site
from insitu.engine.snapshot import Generation, Snapshot
from insitu.errors import AccessError, ExpectationError, LimitError, RequestError, SpanError, StaleError
from insitu.storage.base import File
from insitu.views.content import Content
from insitu.views.diff import unified
from insitu.views.pending import Sources, commit_pending, plan_pending
from insitu.views.raw import RawFile
from insitu.views.replacing import check_count
from insitu.views.text import Encoding, checked_codec, encoding_of

if TYPE_CHECKING:
    from insitu.views.lines import Lines

# A document keeps its pending edits in memory, about 300 bytes each; insitu.replace streams any number.
MATCHES_MAX = 1_000_000


class Document:
    """One file, open for reading or editing; belongs to one thread.

    Works as a context manager: the end of the block commits, an exception discards. Indexes and slices
    follow ``bytearray``. Nothing is read at opening, and no lock is held until ``commit`` unless
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
    ) -> None:
        self.site = site
        self.read_only = read_only
        self.policy = policy or Policy()
        self.lock_timeout_s = lock_timeout_s
        self._encoding = None if encoding is None else Encoding(checked_codec(encoding))
        self._held: Held | None = None
        self._open = ExitStack()
        self._placed = False
        if locked:
            self._held = self._open.enter_context(writing(site, self.policy, lock_timeout_s))
        self._start()

    def _start(self) -> None:
        """Pins the present generation; pending edits start from none."""
        if self._held is not None:
            self._base = Snapshot(self._held.target, generation(self.site, self._held.target))
        else:
            self._base = snapshot(
                self.site, write=not self.read_only, policy=self.policy, lock_timeout_s=self.lock_timeout_s
            )
        self._sources = Sources(self.site.volume)
        self.sequence = Sequence(self._base.size)
        self._content = Content(self._base, self.sequence, self._sources.open)
        self._index: LineIndex | None = None
        self._lines: Lines | None = None

    # What it is

    @property
    def path(self) -> str:
        """The file's path, every symbolic link followed."""
        return self.site.path

    @property
    def size(self) -> int:
        """Bytes of the current content."""
        return self.sequence.size

    @property
    def changed(self) -> bool:
        """Whether edits are pending."""
        return self.sequence.changed

    @property
    def generation(self) -> Generation:
        """Which contents the document was opened on."""
        return self._base.generation

    @property
    def base(self) -> Reader:
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
        if self._encoding is None:
            self._encoding = encoding_of(self._base)
        return self._encoding

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        state = "changed" if self.changed else "unchanged"
        return f"<insitu.Document {self.path!r}, {self.size:,} bytes, {state}>"

    # Reading

    def read(self, offset: int, size: int) -> bytes:
        """Exactly the bytes ``[offset, offset + size)`` of the current content."""
        self._check(Span(offset, offset + size))
        return self._content.read(offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills a writable buffer from ``offset``."""
        self._check(Span(offset, offset + len(buffer)))
        self._content.read_into(offset, buffer)

    def read_many(self, offsets: Numbers[int], size: int) -> list[bytes]:
        """Reads ``size`` bytes at each offset, in order.

        Cost: about a microsecond each from the page cache; from disk the offsets are asked for ahead.
        """
        if self.changed:
            return [self.read(offset, size) for offset in offsets]
        from insitu.scan.batch import read_many

        return read_many(self._base.file.fileno(), self._base.size, offsets, size)

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            start, stop, step = key.indices(self.size)
            data = self._content.read(min(start, stop), max(0, stop - start)) if step > 0 else b""
            if step > 0:
                return data[::step]
            first = range(start, stop, step)
            return self._content.read(first[-1], start - first[-1] + 1)[::-1][::-step] if first else b""
        return self.read(self._index_of(key), 1)[0]

    def __iter__(self) -> Iterator[int]:
        from insitu.scan.windows import windows

        for window in windows(self._content):
            yield from bytes(window.own)

    def __contains__(self, item: int | bytes) -> bool:
        return self.find(bytes((item,)) if isinstance(item, int) else item) >= 0

    def find(
        self, pattern: bytes | str, start: int = 0, stop: int | None = None, *, regex: bool = False
    ) -> int:
        """Offset of the first match in ``[start, stop)``; -1 where there is none."""
        from insitu.scan.search import find

        found = find(self._content, self._pattern(pattern, regex), start, stop)
        return -1 if found is None else found.start

    def finditer(
        self, pattern: bytes | str, start: int = 0, stop: int | None = None, *, regex: bool = False
    ) -> Iterator[Span]:
        """Yields the spans of the matches in ``[start, stop)``, ascending, not overlapping, lazily."""
        from insitu.scan.search import finditer

        return finditer(self._content, self._pattern(pattern, regex), start, stop)

    def count(
        self,
        pattern: bytes | str,
        *,
        regex: bool = False,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> int:
        """How many matches there are, by a scan on every core."""
        from insitu.scan.search import count

        return count(self._content, self._pattern(pattern, regex), progress=progress, cancel=cancel)

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

    def open_source(self, path: str) -> Reader:
        """Another file that pasted pieces come from, as it was when it was first asked for."""
        return self._sources.open(path)

    def line_index(self, progress: Progress | None = None, cancel: Cancel | None = None) -> LineIndex:
        """The index of the base's lines: as kept beside the file and brought up to date, else built."""
        if self._index is None:
            from insitu.engine.kept_index import line_index

            self._index = line_index(self.site, self._base, self.policy, progress, cancel)
        return self._index

    def map(self, dtype: Any = None) -> Any:
        """A context manager over the whole file as a writable array; what was touched becomes pending.

        See ``insitu.views.map.Mapping``.
        """
        from insitu.views.map import Mapping

        return Mapping(self, dtype)

    # Editing

    def __setitem__(self, key: int | slice, value: int | bytes | bytearray | memoryview) -> None:
        if isinstance(key, slice):
            start, stop, step = key.indices(self.size)
            if step != 1:
                raise RequestError("Only slices without a step can be assigned.", hint="Assign each byte.")
            self.replace_span(Span(start, max(start, stop)), _bytes_of(value))
            return
        offset = self._index_of(key)
        if not isinstance(value, int):
            raise RequestError(
                "A single byte is assigned an integer.", hint="Use doc[i:i+1] = b'...' for bytes."
            )
        self.replace_span(Span(offset, offset + 1), bytes((value,)))

    def __delitem__(self, key: int | slice) -> None:
        if isinstance(key, slice):
            self.__setitem__(key, b"")
        else:
            offset = self._index_of(key)
            self.replace_span(Span(offset, offset + 1), b"")

    def insert(self, offset: int, data: bytes | Piece) -> None:
        """Inserts bytes, or a piece of another file (``insitu.extent``), before ``offset``."""
        at = offset + self.size if offset < 0 else offset
        if not isinstance(data, Piece):
            self.replace_span(Span(at, at), _bytes_of(data))
            return
        self._check_writable(Span(at, at))
        if isinstance(data, Copy) and data.source == self.path:
            # A piece of the file itself is one of the base, which a commit may have to move.
            data = Copy(None, data.span)
        self.sequence.replace_pieces(Span(at, at), (data,))

    def append(self, data: bytes | Piece) -> None:
        """Appends at the end of the current content."""
        self.insert(self.size, data)

    def delete(self, start: int, stop: int) -> None:
        """Deletes ``[start, stop)``."""
        self.replace_span(Span(start, stop), b"")

    def replace(
        self,
        old: bytes | str,
        new: bytes | str,
        *,
        count: int | None = None,
        expect: int | None = None,
        regex: bool = False,
    ) -> int:
        r"""Replaces matches of ``old``, as one pending edit; returns how many.

        Args:
            count: how many at most; None means all.
            expect: exactly so many matches there must be.
            regex: ``old`` is an expression in RE2's syntax, ``new`` may refer to groups as ``\1``.

        Raises:
            ExpectationError: there are more or fewer matches than expected.
            LimitError: more than a million; ``insitu.replace`` streams any number.
        """
        from insitu.scan.search import locate

        check_count(count)
        pattern = self._pattern(old, regex)
        template = pattern.template(self.text.encode(new) if isinstance(new, str) else bytes(new))
        edits: list[tuple[Span, bytes]] = []
        for matches in locate(self._content, pattern):
            spans = map(Span, matches.starts.tolist(), matches.stops.tolist())
            edits += zip(spans, matches.replacements(template), strict=True)
            if expect is None and count is not None and len(edits) >= count:
                break
            if len(edits) > MATCHES_MAX:
                raise LimitError(
                    f"There are more than {MATCHES_MAX:,} matches, too many to keep pending.",
                    hint="insitu.replace(path, old, new) streams any number in one commit.",
                )
        if expect is not None and len(edits) != expect:
            raise ExpectationError(
                f"{len(edits)} matches instead of the {expect} expected; nothing was replaced.",
                hint="Look at them with doc.finditer.",
                found=len(edits),
                expected=expect,
            )
        self.replace_spans(edits if count is None else edits[:count])
        return len(edits) if count is None else min(len(edits), count)

    def replace_span(self, span: Span, data: bytes) -> None:
        """Replaces a span of the current content by bytes of any size; one undoable edit."""
        self._check_writable(span)
        self.sequence.replace(span, data)

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        """Replaces many spans at once: sorted, disjoint, all in present coordinates; one undoable edit."""
        self._check_writable(Span(0, 0))
        self.sequence.replace_many(edits)

    def undo(self) -> bool:
        """Takes the last pending edit back; False where there is none."""
        return self.sequence.undo()

    def redo(self) -> bool:
        """Makes the edit that was taken back last again; False where there is none."""
        return self.sequence.redo()

    def discard(self) -> None:
        """Drops everything pending."""
        self.sequence.clear()

    # Committing

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
            return None
        if self._held is not None:
            self._make_durable(self._held)
            receipt = self._commit(self._held, progress, cancel)
        else:
            with writing(self.site, self.policy, self.lock_timeout_s, cancel) as held:
                receipt = self._commit(held, progress, cancel)
        self._placed = self.policy.durability == "fast"
        self._sources.close()
        if self._held is None:
            self._base.file.close()
        elif receipt.plan.startswith("rewrite"):
            # The lock is on the inode that was swapped out: it is taken anew on the one swapped in.
            self._open.close()
            self._held = self._open.enter_context(writing(self.site, self.policy, self.lock_timeout_s))
        self._start()
        return receipt

    def _commit(self, held: Held, progress: Progress | None, cancel: Cancel | None) -> Receipt:
        return commit_pending(
            self.site, self.policy, self._base, self.sequence, held, self._sources.open, progress, cancel
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
            self._base.file.close()
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
                self.commit()
        finally:
            self.close()

    def _pattern(self, pattern: bytes | str, regex: bool) -> Any:
        from insitu.scan.search import compile_literal, compile_regex

        if regex:
            return compile_regex(pattern)
        text = self.text.encode(pattern) if isinstance(pattern, str) else bytes(pattern)
        return compile_literal(text)

    def _index_of(self, key: int) -> int:
        index = key + self.size if key < 0 else key
        if not 0 <= index < self.size:
            raise SpanError(
                f"There is no byte {key}; the content has {self.size:,}.", index=key, size=self.size
            )
        return index

    def _check(self, span: Span) -> None:
        if not 0 <= span.start <= span.stop <= self.size:
            raise SpanError(
                f"Bytes {span.start}:{span.stop} do not lie in the {self.size:,} bytes of {self.path}.",
                span=span,
                size=self.size,
            )

    def _check_writable(self, span: Span) -> None:
        if self.read_only:
            raise AccessError(f"{self.path} was opened for reading only.", hint="Open it with mode 'r+'.")
        self._check(span)


def _bytes_of(data: Any) -> bytes:
    if isinstance(data, int | str):
        raise RequestError(
            f"Bytes are needed, not {type(data).__name__}; nothing was changed.",
            hint="Encode text first: doc.insert(0, text.encode(doc.encoding)).",
        )
    return bytes(data)
