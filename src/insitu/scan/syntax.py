"""Reads RE2 syntax just far enough to rewrite a pattern atom by atom.

Only the outline matters here: groups, alternatives and repetitions are passed through, and every atom
(a character, a class, an escape, an assertion) is one token. RE2 itself has accepted the pattern
before, so nothing is checked again.

Source: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple


class Kind(Enum):
    """What a token of a pattern is."""

    LITERAL = auto()  # exactly one character, ``text`` as RE2 reads it
    CLASS = auto()  # one character of several
    ASSERTION = auto()  # matches no character
    REPEAT = auto()  # * + ? {n,m}, lazy or not
    OPEN = auto()  # an opening of a group
    CLOSE = auto()
    FLAGS = auto()  # (?i) and the like, up to the end of the group
    EITHER = auto()  # |


class Token(NamedTuple):
    """A piece of a pattern; ``char`` is the character that a LITERAL stands for."""

    kind: Kind
    text: str
    char: str = ""


_REPEAT: Final = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z-]*\)")
_OPEN: Final = re.compile(r"\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?")
# Inside a class: a leading ] is plain, an escape hides what it escapes, [:alpha:] holds its own ].
_CLASS: Final = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2})|[0-7]{1,3}|.)", re.DOTALL
)
_ASSERTIONS: Final = frozenset({"^", "$", r"\A", r"\z", r"\b", r"\B"})
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def tokens(pattern: str) -> Iterator[Token]:
    """Yields the tokens of a pattern that RE2 accepts; their texts join to an equal pattern."""
    offset = 0
    while offset < len(pattern):
        if pattern.startswith(r"\Q", offset):
            stop = pattern.find(r"\E", offset + 2)
            quoted = pattern[offset + 2 : None if stop < 0 else stop]
            yield from (Token(Kind.LITERAL, quote(char), char) for char in quoted)
            offset = len(pattern) if stop < 0 else stop + 2
        else:
            token = _token(pattern, offset)
            yield token
            offset += len(token.text)


def _token(pattern: str, offset: int) -> Token:
    for matcher, kind in ((_REPEAT, Kind.REPEAT), (_FLAGS, Kind.FLAGS), (_OPEN, Kind.OPEN)):
        if found := matcher.match(pattern, offset):
            return Token(kind, found[0])
    char = pattern[offset]
    if char == "\\" and (found := _ESCAPE.match(pattern, offset)):
        return _escaped(found[0])
    if char == "[" and (found := _CLASS.match(pattern, offset)):
        return Token(Kind.CLASS, found[0])
    if char == ".":
        return Token(Kind.CLASS, char)
    if char in _ASSERTIONS:
        return Token(Kind.ASSERTION, char)
    if char in "|)":
        return Token(Kind.EITHER if char == "|" else Kind.CLOSE, char)
    return Token(Kind.LITERAL, char, char)


def _escaped(text: str) -> Token:
    if text in _ASSERTIONS:
        return Token(Kind.ASSERTION, text)
    body = text[1:]
    if body[0] in "dDsSwWpPC":
        return Token(Kind.CLASS, text)
    if body[0] == "x":
        return Token(Kind.LITERAL, text, chr(int(body[1:].strip("{}"), 16)))
    if body[0] in "01234567":
        return Token(Kind.LITERAL, text, chr(int(body, 8)))
    return Token(Kind.LITERAL, text, _CONTROLS.get(body, body))


def quote(char: str) -> str:
    """The character as RE2 syntax for itself."""
    return char if char.isalnum() or char == "_" or ord(char) > 127 else f"\\x{{{ord(char):x}}}"


def open_ended(pattern: str) -> str:
    r"""The pattern, made to match also whatever more text behind the end could turn into a match.

    Every atom may also match the end of the text (``a`` becomes ``(?:a|\z)``). Inside the text that
    changes nothing. At its end, a way of matching that still waits for bytes is let through to a match
    that stops at the end, and keeps its priority among the other ways. So over text that was cut off, a
    match of the open-ended pattern that stops before the cut is the match over the whole text, and one
    that stops at the cut says: more text is needed to tell.
    """
    return "".join(
        rf"(?:{token.text}|\z)" if token.kind in (Kind.LITERAL, Kind.CLASS, Kind.ASSERTION) else token.text
        for token in tokens(pattern)
    )


def starts_with_literal(parts: list[Token]) -> bool:
    """Whether RE2 skips ahead to two or more fixed bytes by itself."""
    leading = [token.kind for token in parts[:3]]
    return (
        leading[:2] == [Kind.LITERAL, Kind.LITERAL]
        and leading[2:] != [Kind.REPEAT]
        and not any(token.kind is Kind.EITHER for token in parts)
    )
