"""``doc.json()``: one JSON document of any size, its values addressed by JSON Pointer.

    value = doc.json()
    value.get("/rows/1000000/id")
    value.set("/rows/1000000/status", "done")

Every other byte stays: the order of keys, white space, how numbers are written. What is looked up is found
by one scan, and remembered until the document changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from insitu.core import sequence
from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.errors import NoMatchError
from insitu.formats import json_edits
from insitu.formats.json_edits import Change
from insitu.formats.json_patch import changes_of
from insitu.formats.json_pointer import parse_pointer
from insitu.formats.json_tree import ARRAY, OBJECT, decoded, described, kind_of, locate, subject
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.json_large import BOM
from insitu.views.json_text import JsonText, check_encoding, padded_region
from insitu.views.text import Encoding


class Edited(Reader, Protocol):
    """What the views of JSON need of their document."""

    @property
    def path(self) -> str:
        """What the file is called."""
        ...

    @property
    def text(self) -> Encoding:
        """The codec of its text."""
        ...

    @property
    def sequence(self) -> sequence.Sequence:
        """The pending edits."""
        ...

    # Parameters without names: documents may call them what they like.
    def replace_spans(self, edits: Any, /) -> None:
        """Replaces many spans at once, as one pending edit."""
        ...

    def replace_padded(self, span: Span, head: bytes, tail: bytes = ..., *, filler: bytes = ...) -> int:
        """Replaces a span, its size changed by whole blocks."""
        ...


class Json:
    """The current content of a document as one JSON value.

    Pointers are those of RFC 6901: ``/rows/0/id``, ``""`` for the whole value, ``-`` for the element behind
    the last. Values are Python's, or ``msgspec.Raw``, which is written as it stands. Every edit is pending
    until the document is committed, and one for ``doc.undo()``.

    Raises:
        FormatError: from any call: the file is not JSON, where it was looked at.
        NoMatchError: the value is not there; the message says how far the pointer leads.
        AmbiguousError: an object on the way has the key more than once.
        TextError: the file is UTF-16 or UTF-32.
    Cost: one scan up to the value (of an object on the way: to its end, since a later key would count), some
        hundred MB/s, in bounded memory; a second look near the same place takes no scan.
    """

    def __init__(self, document: Edited) -> None:
        self._document = document
        self._known: tuple[object, object, JsonText] | None = None

    def get(self, pointer: str = "") -> Any:
        """The Python value at a pointer; of keys that occur twice inside it, the last counts."""
        return self._text().get(pointer)

    def raw(self, pointer: str = "") -> bytes:
        """The bytes of the value at a pointer, as they are written."""
        return self._text().raw(pointer)

    def span_of(self, pointer: str = "") -> Span:
        """Where the value at a pointer is."""
        return self._text().find(pointer)

    def keys(self, pointer: str = "") -> Iterator[str]:
        """Yields the keys of the object at a pointer, in order, lazily.

        Raises:
            NoMatchError: it is no object.
        """
        tree = self._text().tree
        child = locate(tree, parse_pointer(pointer))[-1]
        if kind_of(tree, child.value) != OBJECT:
            raise NoMatchError(
                f"{subject(parse_pointer(pointer))} is {described(tree, child)}, which has no keys.",
                pointer=pointer,
            )
        return (decoded(key) for key in tree.keys(child.value))

    def count(self, pointer: str = "") -> int:
        """How many members or elements the value at a pointer has.

        Raises:
            NoMatchError: it is neither an object nor an array.
        """
        tree = self._text().tree
        child = locate(tree, parse_pointer(pointer))[-1]
        if kind_of(tree, child.value) not in (OBJECT, ARRAY):
            raise NoMatchError(
                f"{subject(parse_pointer(pointer))} is {described(tree, child)}, which has nothing inside.",
                pointer=pointer,
            )
        return tree.survey(child.value).child_count

    def check(self) -> None:
        """Checks the whole document against the grammar of JSON, byte for byte, in bounded memory.

        Raises:
            FormatError: it is not JSON; the message has the first place.
        """
        self._text().check()

    def set(self, pointer: str, value: Any, *, padding: bool = False) -> None:
        """Gives the value at a pointer another one; a missing member is added to its object.

        Only what differs is written: members of an object that stay equal keep their bytes.

        Args:
            padding: white space is put behind what changes, so that the size changes by whole blocks and the
                disk can make room without moving what follows.
        """
        self._change([lambda tree: json_edits.set_value(tree, parse_pointer(pointer), value)], padding)

    def insert(self, pointer: str, value: Any, *, padding: bool = False) -> None:
        """Inserts before the element at a pointer, or adds a member that is not there yet.

        Raises:
            ExpectationError: the object has the key already.
        """
        self._change([lambda tree: json_edits.insert_value(tree, parse_pointer(pointer), value)], padding)

    def append(self, pointer: str, *values: Any, padding: bool = False) -> None:
        """Appends elements to the array at a pointer."""
        new = list(values)
        self._change([lambda tree: json_edits.append_values(tree, parse_pointer(pointer), new)], padding)

    def delete(self, pointer: str, *, padding: bool = False) -> None:
        """Deletes the member or element at a pointer, with one comma."""
        self._change([lambda tree: json_edits.delete_value(tree, parse_pointer(pointer))], padding)

    def rename(self, pointer: str, key: str, *, padding: bool = False) -> None:
        """Gives the member at a pointer another key, in its place.

        Raises:
            ExpectationError: the object has that key already.
        """
        self._change([lambda tree: json_edits.rename_key(tree, parse_pointer(pointer), key)], padding)

    def merge(self, patch: Any, pointer: str = "", *, padding: bool = False) -> None:
        """Merges a patch into the value at a pointer: null deletes a member, objects merge (RFC 7386)."""
        self._change([lambda tree: json_edits.merge(tree, parse_pointer(pointer), patch)], padding)

    def patch(self, operations: Sequence[Mapping[str, Any]], *, padding: bool = False) -> None:
        """Makes the operations of a JSON Patch, all or none (RFC 6902).

        Raises:
            ExpectationError: a ``test`` fails.
        """
        self._change(changes_of(operations), padding)

    def _change(self, changes: list[Change], padding: bool) -> None:
        edits = self._text().edits(changes)
        if not edits:
            return
        if not padding:
            self._document.replace_spans(edits)
            return
        stop = edits[-1][0].stop
        if len(edits) == 1:
            region, head = edits[0]
        else:
            region, head = padded_region(self._document, edits, stop)
        # Spaces behind are what an earlier edit padded with, or mean as little.
        self._document.replace_padded(Span(region.start, self._spaces_end(stop)), head)

    def _spaces_end(self, offset: int) -> int:
        data = self._document.read(offset, min(WINDOW_BYTES, self._document.size - offset))
        return offset + len(data) - len(data.lstrip(b" "))

    def _text(self) -> JsonText:
        """The content as it is now; what is known of it is kept while nothing changes."""
        document = self._document
        pending = document.sequence
        # The list of changes is made anew after every edit.
        if self._known is None or self._known[0] is not pending or self._known[1] is not pending.changes():
            check_encoding(document.text, document.path)
            start = len(BOM) if document.size >= len(BOM) and document.read(0, len(BOM)) == BOM else 0
            text = JsonText(document, Span(start, document.size), document.path)
            self._known = pending, pending.changes(), text
        return self._known[2]
