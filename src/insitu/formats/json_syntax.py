"""What is JSON and what is not: the grammar, byte for byte.

``Grammar`` is fed a text in any number of parts and holds one byte for each open bracket; it decides
everything, and says where the text breaks the rules. ``fault_in`` asks a fast parser first.

JSON is what RFC 8259 says, in UTF-8: numbers of any size, keys that occur twice and escapes of lone
surrogates are JSON; ``NaN``, comments and trailing commas are not.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_PLAIN: Final = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+')
_DIGITS: Final = re.compile(rb"[0-9]*")
_ESCAPES: Final = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_ESCAPE_START: Final = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?")
_WORDS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}

# What may follow each part of a number, by class of byte (any digit counts as "1", E as "e").
_NUMBER: Final = {
    "-": {"0": "0", "1": "1"},
    "0": {".": ".", "e": "e"},
    "1": {"0": "1", "1": "1", ".": ".", "e": "e"},
    ".": {"0": "f", "1": "f"},
    "f": {"0": "f", "1": "f", "e": "e"},
    "e": {"+": "s", "-": "s", "0": "x", "1": "x"},
    "s": {"0": "x", "1": "x"},
    "x": {"0": "x", "1": "x"},
}
_NUMBER_ENDS: Final = frozenset("01fx")
_IN_DIGITS: Final = frozenset("1fx")


class Fault(NamedTuple):
    """Where a text stops being JSON, and what is wrong there."""

    offset: int
    reason: str


class Invalid(Exception):
    """A text is not JSON; the caller, who knows which text it was, says so in an error of its own."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def fault_in(data: bytes) -> Fault | None:
    """Where a whole text breaks the rules of JSON; None where it keeps them.

    Cost: about 1 GB/s where the text is JSON and not nested deeply; else that of ``Grammar``.
    """
    import msgspec

    try:
        data.decode()
        # What is skipped is checked, and no number is too large to be skipped.
        _decode()(data)
        return None
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        pass  # Grammar says where, or that it is JSON after all
    grammar = Grammar()
    return grammar.feed(data) or grammar.close()


@cache
def _decode() -> Callable[[bytes], object]:
    import msgspec

    return msgspec.json.Decoder(msgspec.Raw).decode


class Grammar:
    """Checks a text that comes in parts, in memory for its open brackets only."""

    def __init__(self) -> None:
        self._offset = 0
        self._open = bytearray()
        self._state = "value"
        self._number = ""
        self._word = b""
        self._escape = b""
        self._is_key = False
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    @classmethod
    def within(cls, stack: bytes, offset: int) -> Grammar:
        """A grammar for what follows a comma at ``offset - 1`` inside open brackets, outermost first."""
        grammar = cls()
        grammar._open += stack
        grammar._state = "key" if stack[-1:] == b"{" else "value"
        grammar._offset = offset
        return grammar

    @property
    def stack(self) -> bytes:
        """The brackets that are open, outermost first."""
        return bytes(self._open)

    def feed(self, data: bytes) -> Fault | None:
        """Takes the next part; returns the first fault, after which nothing more may be fed."""
        fault = None
        try:
            # What an earlier part left undecided counts to the positions that the decoder names.
            left = len(self._utf8.getstate()[0])
            self._utf8.decode(data)
        except UnicodeDecodeError as error:
            at = error.start - left
            fault = Fault(self._offset + at, "bytes that are not UTF-8")
            data = data[: max(0, at)]
        at = 0
        while at < len(data):
            found = self._step(data, at)
            if isinstance(found, Fault):
                return Fault(self._offset + found.offset, found.reason)
            at = found
        self._offset += len(data)
        if fault and self._escape:
            return Fault(self._offset - len(self._escape), "an escape that is none")
        return fault

    def close(self) -> Fault | None:
        """Says that the text ends here; returns the fault that it ends too early."""
        if self._state == "number" and self._number in _NUMBER_ENDS:
            self._value_ended()
        if self._state == "done" and not self._utf8.getstate()[0]:
            return None
        if self._state == "value" and not self._open:
            return Fault(self._offset, "no value")
        inside = {ord("{"): " inside an object", ord("["): " inside an array"}
        where = " inside a string" if self._state == "string" else inside.get((self._open or b" ")[-1], "")
        return Fault(self._offset, f"the end{where or ' inside a value'}")

    def _step(self, data: bytes, at: int) -> int | Fault:
        """Passes over what starts at ``at``; returns where it stops, or the fault, as seen from ``data``."""
        if self._state == "string":
            return self._in_string(data, at)
        if self._state == "number":
            return self._in_number(data, at)
        if self._state == "word":
            return self._in_word(data, at)
        at_token = _end(_SPACE, data, at)
        if at_token > at:
            return at_token
        return self._at_token(data, at)

    def _at_token(self, data: bytes, at: int) -> int | Fault:
        byte, state = data[at], self._state
        shown = _shown(byte)
        if state == "done":
            return Fault(at, f"{shown} behind the value")
        if state == "colon":
            self._state = "value"
            return at + 1 if byte == ord(":") else Fault(at, f"{shown} in the place of a colon")
        if state == "comma":
            return self._at_comma(byte, at)
        if state in ("key", "first key"):
            if byte == ord('"'):
                self._state, self._is_key = "string", True
                return at + 1
            if byte == ord("}") and state == "first key":
                return self._closed(at)
            return Fault(at, f"{shown} in the place of a key in quotes")
        if byte == ord("]") and state == "first value":
            return self._closed(at)
        return self._at_value(data, at)

    def _at_comma(self, byte: int, at: int) -> int | Fault:
        kind = self._open[-1]
        if byte == ord(","):
            self._state = "key" if kind == ord("{") else "value"
            return at + 1
        if byte == kind + 2:  # the closing bracket of either kind is two behind the opening one in ASCII
            return self._closed(at)
        return Fault(at, f"{_shown(byte)} in the place of a comma or {chr(kind + 2)}")

    def _at_value(self, data: bytes, at: int) -> int | Fault:
        byte = data[at]
        if byte in b"{[":
            self._open.append(byte)
            self._state = "first key" if byte == ord("{") else "first value"
            return at + 1
        if byte == ord('"'):
            self._state, self._is_key = "string", False
            return at + 1
        if byte in _WORDS:
            self._state, self._word = "word", _WORDS[byte]
            return at
        if byte == ord("-") or (chr(byte).isdecimal() and byte < 128):
            self._state, self._number = "number", {ord("-"): "-", ord("0"): "0"}.get(byte, "1")
            return at + 1
        return Fault(at, f"{_shown(byte)} in the place of a value")

    def _in_string(self, data: bytes, at: int) -> int | Fault:
        if self._escape:
            taken = self._escape + data[at : at + 6 - len(self._escape)]
            return self._escaped(taken, at - len(self._escape), at)
        at = _end(_PLAIN, data, at)
        if at == len(data):
            return at
        if data[at] == ord('"'):
            self._state = "colon"
            if not self._is_key:
                self._value_ended()
            return at + 1
        if data[at] == ord("\\"):
            return self._escaped(data[at : at + 6], at, at)
        return Fault(at, f"{_shown(data[at])} inside a string, where it has to be escaped")

    def _escaped(self, taken: bytes, start: int, at: int) -> int | Fault:
        """Passes over the escape ``taken`` begins with, which started at ``start``."""
        if found := _ESCAPES.match(taken):
            self._escape = b""
            return start + found.end()
        if _ESCAPE_START.fullmatch(taken):
            self._escape = taken
            return start + len(taken)
        return Fault(start, "an escape that is none")

    def _in_number(self, data: bytes, at: int) -> int | Fault:
        if self._number in _IN_DIGITS and (end := _end(_DIGITS, data, at)) > at:
            return end
        byte = chr(data[at])
        kind = "1" if byte in "123456789" else byte.lower() if byte in "0.eE+-" else ""
        after = _NUMBER[self._number].get(kind)
        if after is not None:
            self._number = after
            return at + 1
        if self._number not in _NUMBER_ENDS or kind:
            return Fault(at, f"{_shown(data[at])} inside a number")
        self._value_ended()
        return at

    def _in_word(self, data: bytes, at: int) -> int | Fault:
        if data[at] != self._word[0]:
            return Fault(at, f"{_shown(data[at])} in the place of a value")
        self._word = self._word[1:]
        if not self._word:
            self._value_ended()
        return at + 1

    def _closed(self, at: int) -> int:
        self._open.pop()
        self._value_ended()
        return at + 1

    def _value_ended(self) -> None:
        self._state = "comma" if self._open else "done"


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    assert found is not None
    return found.end()


def _shown(byte: int) -> str:
    return chr(byte) if 0x20 < byte < 0x7F else f"the byte 0x{byte:02x}"
