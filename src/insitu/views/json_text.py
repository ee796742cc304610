"""One JSON value in a document: a record of JSONL, or all of a file; small or larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from insitu.core.pieces import Literal
from insitu.core.protocols import Reader
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.errors import (
    AmbiguousError,
    ExpectationError,
    FormatError,
    InternalError,
    LimitError,
    NoMatchError,
    RequestError,
    TextError,
)
from insitu.formats.json_edits import Change, Edits
from insitu.formats.json_pointer import parse_pointer
from insitu.formats.json_syntax import Fault, fault_in
from insitu.formats.json_tree import SmallTree, Tree, decoded, locate
from insitu.scan.part import Part
from insitu.views.content import Content
from insitu.views.json_check import fault_of
from insitu.views.json_large import LargeTree
from insitu.views.text import Encoding

# Values up to this size are read whole, checked whole and edited in memory.
SMALL_BYTES: Final = 1 << 20

# A padded edit writes everything from the first change to the padding anew.
PADDED_BYTES_MAX: Final = 8 << 20

_NOT_JSON: Final = ("utf-16", "utf-32")


def check_encoding(text: Encoding, path: str) -> None:
    """Refuses a file that is not UTF-8, which JSON is.

    Raises:
        TextError: it is UTF-16 or UTF-32.
    """
    if text.name.startswith(_NOT_JSON):
        raise TextError(
            f"{path} is {text.name}, and JSON is edited in UTF-8 only; nothing was changed.",
            hint="Convert it first.",
            encoding=text.name,
        )


class JsonText:
    """A value at a span of a reader, with white space around it.

    Args:
        span: holds the value; offsets in messages and splices are those of the reader.
        name: what it is called in messages, as ``Record 12 of orders.jsonl``.
    """

    def __init__(self, reader: Reader, span: Span, name: str) -> None:
        self._part = Part(reader, span)
        self._span = span
        self._name = name
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        """Where its parts are, in offsets from the start of the span.

        Raises:
            FormatError: it is not JSON. Of a value of more than a mebibyte only what is looked at is checked.
        """
        if self._tree is None:
            small = self._part.size <= SMALL_BYTES
            self._tree = self._small() if small else self._large(self._part)
        return self._tree

    @property
    def span(self) -> Span:
        """The value without the white space around it, in offsets of the reader."""
        return self.tree.root.value.moved(self._span.start)

    def check(self) -> None:
        """Checks every byte, in bounded memory.

        Raises:
            FormatError: it is not JSON.
        """
        if fault := fault_of(self._part):
            raise self.refused(fault)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors about a pointer say which value it was looked for in."""
        try:
            yield
        except (NoMatchError, RequestError, AmbiguousError, ExpectationError) as error:
            if "pointer" not in error.facts:
                raise
            raise type(error)(f"{self._name}: {error.message}", hint=error.hint, **error.facts) from None

    def find(self, pointer: str) -> Span:
        """The bytes of the value that a pointer names, in offsets of the reader.

        Raises:
            NoMatchError, AmbiguousError: there is none, or the way to it is not clear.
        """
        with self.named():
            return locate(self.tree, parse_pointer(pointer))[-1].value.moved(self._span.start)

    def raw(self, pointer: str) -> bytes:
        """The bytes of the value that a pointer names."""
        return self.tree.read(self.find(pointer).moved(-self._span.start))

    def get(self, pointer: str) -> Any:
        """The Python value that a pointer names."""
        return decoded(self.raw(pointer))

    def edits(self, changes: Iterable[Change]) -> Edits:
        """What changes, made one after the other, come to: splices of the reader."""
        with self.named():
            found = self._edits(list(changes))
        return [(span.moved(self._span.start), new) for span, new in found]

    def _edits(self, changes: list[Change]) -> Edits:
        tree = self.tree
        if isinstance(tree, SmallTree):
            return self._edits_in_memory(tree, changes)
        if len(changes) == 1:
            return changes[0](tree)
        return self._edits_in_draft(changes)

    def _edits_in_memory(self, tree: SmallTree, changes: list[Change]) -> Edits:
        before, after, found = tree.data, tree.data, Edits()
        for change in changes:
            found = change(tree)
            after = applied(tree.data, found)
            tree = SmallTree(after, offset=tree.offset)
        if fault := fault_in(after):
            raise InternalError(
                f"An edit of {self._name} would not leave JSON: {fault}; nothing was changed."
            )
        return found if len(changes) == 1 else trimmed(before, after)

    def _edits_in_draft(self, changes: list[Change]) -> Edits:
        draft = Sequence(self._part.size)
        content = Content(self._part, draft, _no_source)
        for change in changes:
            draft.replace_many(change(self._large(content)))
        return [
            (splice.span, b"".join(piece.data for piece in splice.pieces if isinstance(piece, Literal)))
            for splice in draft.splices()
        ]

    def _small(self) -> SmallTree:
        data = self._part.read(0, self._part.size)
        if fault := fault_in(data):
            raise self.refused(fault)
        return SmallTree(data, offset=self._span.start)

    def _large(self, reader: Reader) -> LargeTree:
        return LargeTree(reader, self._name, offset=self._span.start)

    def refused(self, fault: Fault) -> FormatError:
        """The error for a place where it is not JSON."""
        offset = self._span.start + fault.offset
        return FormatError(
            f"{self._name} is not JSON at byte {offset:,}: {fault.reason}; nothing was changed.",
            hint=f"Look at it: insitu read FILE --bytes {max(0, offset - 40)}:{offset}",
            offset=offset,
        )


def applied(data: bytes, edits: Edits) -> bytes:
    """Data with its splices made."""
    parts, at = [], 0
    for span, new in edits:
        parts += [data[at : span.start], new]
        at = span.stop
    return b"".join((*parts, data[at:]))


def trimmed(before: bytes, after: bytes) -> Edits:
    """The one splice that makes ``after`` of ``before``; none where they are the same."""
    if before == after:
        return []
    shorter = min(len(before), len(after))
    start = _shared(before, after, shorter)
    stop = _shared(before[start:][::-1], after[start:][::-1], shorter - start)
    return [(Span(start, len(before) - stop), after[start : len(after) - stop])]


def _shared(first: bytes, second: bytes, size: int) -> int:
    """How many bytes are the same from the start on, by halving."""
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def padded_region(reader: Reader, edits: Edits, stop: int) -> tuple[Span, bytes]:
    """The span from the first splice to ``stop``, and what it holds after the edits, without space behind.

    Raises:
        LimitError: it is too much to be written anew.
    """
    start = edits[0][0].start
    if stop - start > PADDED_BYTES_MAX:
        raise LimitError(
            f"Padding would write {stop - start:,} bytes anew, more than {PADDED_BYTES_MAX:,}; "
            "nothing was changed.",
            hint="Edit without padding.",
        )
    moved = [(span.moved(-start), new) for span, new in edits]
    return Span(start, stop), applied(reader.read(start, stop - start), moved).rstrip(b" \t\r\n")


def _no_source(path: str) -> Reader:
    raise InternalError(f"Nothing is copied from {path}.")
