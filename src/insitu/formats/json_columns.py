"""Single values out of many records: one column per name, parsed no further than asked.

A name that starts with a slash is a JSON Pointer; any other is a key of the record. Of a key that occurs
twice the last counts, as for every reader of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from insitu.formats.cells import Cells
from insitu.formats.json_pointer import Tokens, index_of, parse_pointer, pointer_of
from insitu.formats.json_tree import SmallTree

if TYPE_CHECKING:
    import msgspec

    # What a parser leaves as it is written; bytes where it was found in another way. Empty: missing.
    Value = msgspec.Raw | bytes


_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')


class Columns:
    """Reads the values of columns out of records.

    Args:
        names: as a condition names them.
        tops: further keys of the record whose values ``top`` tells.

    Raises:
        RequestError: a name that starts with a slash is no pointer.
    """

    def __init__(self, names: Iterable[str], tops: Iterable[str] = ()) -> None:
        import msgspec

        self.names = tuple(names)
        self._paths = [parse_pointer(name) if name.startswith("/") else (name,) for name in self.names]
        self.pointers = tuple(map(pointer_of, self._paths))
        keys = list(dict.fromkeys((*(path[0] for path in self._paths if path), *tops)))
        # The parser finds no key that JSON writes with escapes.
        self.parsable = all(map(is_plain, keys))
        keys = list(filter(is_plain, keys))
        fields: list[Any] = [(f"f{number}", msgspec.Raw, msgspec.Raw()) for number in range(len(keys))]
        renamed = {f"f{number}": key for number, key in enumerate(keys)}
        record = msgspec.defstruct("Record", fields, rename=renamed, gc=False)
        decoder = msgspec.json.Decoder(record)
        self._decode, self._decode_lines = decoder.decode, decoder.decode_lines
        self._fields = {key: f"f{number}" for number, key in enumerate(keys)}
        self._inner = [Columns([pointer_of(path[1:])]) if len(path) > 1 else None for path in self._paths]

    def parsed(self, lines: bytes) -> list[Any]:
        """The records of whole lines, in order.

        It checks them, except that strings may hold any bytes above 0x7F, and that a record may stand on
        several lines and a line hold several.

        Raises:
            ValueError, RecursionError: one is no object, no JSON, or such that it takes ``read_one``.
        """
        found: list[Any] = self._decode_lines(lines)
        return found

    def top(self, record: Any, key: str) -> msgspec.Raw:
        """The value of a member of a record, as it is written; empty where it is missing."""
        value: msgspec.Raw = getattr(record, self._fields[key])
        return value

    def cells(self, records: Sequence[Any]) -> dict[str, Cells]:
        """The columns of records, as conditions take them."""
        found = {}
        for name, path, inner in zip(self.names, self._paths, self._inner, strict=True):
            field = self._fields[path[0]]
            column: list[Value] = list(map(attrgetter(field), records))
            found[name] = _cells(column if inner is None else list(map(inner.read_inside, column)))
        return found

    def cells_of(self, rows: Sequence[Sequence[bytes]]) -> dict[str, Cells]:
        """The columns of rows, as conditions take them."""
        return {
            name: _cells(column) for name, column in zip(self.names, zip(*rows, strict=True), strict=True)
        }

    def read_inside(self, value: Value) -> bytes:
        """The value of the one column in a value; none in one that is missing."""
        data = bytes(value)
        return self.read_one(data)[0] if data else b""

    def read_one(self, line: bytes) -> tuple[bytes, ...]:
        """The row of any record that is JSON; empty where a value is missing."""
        try:
            record = self._decode(line) if self.parsable else None
        except (ValueError, RecursionError):
            record = None
        if record is None:
            return tuple(_found(line, path) for path in self._paths)
        return tuple(
            bytes(self.top(record, path[0]))
            if inner is None
            else inner.read_inside(self.top(record, path[0]))
            for path, inner in zip(self._paths, self._inner, strict=True)
        )


def is_plain(key: str) -> bool:
    """Whether JSON can write a key without escapes."""
    return not _ESCAPED.search(key)


def _found(line: bytes, path: Tokens) -> bytes:
    """The bytes of the value at a path; none where there is no such value."""
    tree = SmallTree(line, last_wins=True)
    child = tree.root
    for token in path:
        kind = line[child.value.start : child.value.start + 1]
        if kind not in (b"{", b"[") or (kind == b"[" and index_of(token) is None):
            return b""
        found = tree.find(child.value, token)
        if not found:
            return b""
        child = found[0]
    return tree.read(child.value)


def _cells(values: Sequence[Value]) -> Cells:
    import numpy as np

    # No value of a record on one line holds a line feed.
    data = np.frombuffer(b"\n".join((*values, b"")), np.uint8)
    stops = np.flatnonzero(data == ord("\n"))
    starts = np.empty_like(stops)
    starts[:1], starts[1:] = 0, stops[:-1] + 1
    quoted = data[starts] == ord('"')
    return Cells(data, starts + quoted, stops - quoted, quoted, starts == stops, "json")
