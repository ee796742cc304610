"""Link reference definitions, told line by line: a paragraph that is nothing else makes no heading.

The state is a small tuple, so that a paragraph of any length needs no memory in proportion to it.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

Phase = Literal["start", "label", "destination", "after", "title", "text"]

LABEL_CHARACTERS_MAX: Final = 999
"""Source: CommonMark 0.31.2, section 6.3: a label has at most 999 characters."""

_PUNCTUATION: Final = rb"[!-/:-@\[-`{-~]"
_LABEL: Final = re.compile(rb"(?:\\" + _PUNCTUATION + rb"|[^\[\]])*+")
_POINTED: Final = re.compile(rb"<(?:\\" + _PUNCTUATION + rb"|[^<>])*+>")
_BARE: Final = re.compile(rb"[^\x00-\x20\x7f]++")
_ESCAPE: Final = re.compile(rb"\\" + _PUNCTUATION)
_TITLES: Final = {
    b'"': re.compile(rb"(?:\\" + _PUNCTUATION + rb'|[^"])*+'),
    b"'": re.compile(rb"(?:\\" + _PUNCTUATION + rb"|[^'])*+"),
    b"(": re.compile(rb"(?:\\" + _PUNCTUATION + rb"|[^()])*+"),
}
_CLOSERS: Final = {b'"': b'"', b"'": b"'", b"(": b")"}
_BLANKS: Final = b" \t"


class Definitions(NamedTuple):
    """How far the definitions at the start of a paragraph reach.

    Invariant: ``text`` is where the paragraph's text would start if what is open now came to nothing.
    """

    phase: Phase = "start"
    text: int = 0
    """Offset of the line from which on nothing is a definition."""
    characters: int = 0
    """Of the label so far."""
    named: bool = False
    """Whether the label holds more than white space."""
    quote: bytes = b""
    """What the title began with."""

    @property
    def text_start(self) -> int | None:
        """Where the text starts if the paragraph ends here; None where it has none."""
        return None if self.phase in ("start", "after") else self.text

    def with_line(self, line: bytes, offset: int) -> Definitions:
        """The state behind one more line.

        Args:
            line: without its indentation and ending.
            offset: where the line starts.
        """
        match self.phase:
            case "text":
                return self
            case "label":
                return _label(self, line, 0)
            case "destination":
                return _destination(self, line, 0)
            case "title":
                return _title(self, line, 0)
            case "after" if line[:1] in _TITLES:
                # A definition without this title stands already: at worst the text starts here.
                return _title(Definitions("title", offset, quote=line[:1]), line, 1)
        if line[:1] != b"[":
            return Definitions("text", offset)
        return _label(Definitions("label", offset), line, 1)


def _text(state: Definitions) -> Definitions:
    return Definitions("text", state.text)


def _label(state: Definitions, line: bytes, at: int) -> Definitions:
    found = _LABEL.match(line, at)
    assert found is not None
    part = found[0]
    stop = found.end()
    characters = state.characters + sum(byte & 0xC0 != 0x80 for byte in part[: 4 * LABEL_CHARACTERS_MAX + 4])
    named = state.named or bool(part.strip())
    if stop == len(line):
        characters += 1
    if characters > LABEL_CHARACTERS_MAX:
        return _text(state)
    if stop == len(line):
        return state._replace(characters=characters, named=named)
    if not named or line[stop : stop + 2] != b"]:":
        return _text(state)
    return _destination(state._replace(phase="destination"), line, stop + 2)


def _destination(state: Definitions, line: bytes, at: int) -> Definitions:
    at = _past_blanks(line, at)
    if at == len(line):
        # The line end between colon and destination; a second one would be a blank line.
        return state
    if line[at : at + 1] == b"<":
        found = _POINTED.match(line, at)
    else:
        found = _BARE.match(line, at)
        if found is not None and not _balanced(found[0]):
            return _text(state)
    if found is None:
        return _text(state)
    stop = _past_blanks(line, found.end())
    if stop == len(line):
        return state._replace(phase="after")
    quote = line[stop : stop + 1]
    if stop == found.end() or quote not in _TITLES:
        return _text(state)
    return _title(state._replace(phase="title", quote=quote), line, stop + 1)


def _title(state: Definitions, line: bytes, at: int) -> Definitions:
    found = _TITLES[state.quote].match(line, at)
    assert found is not None
    stop = found.end()
    if stop == len(line):
        return state
    if line[stop : stop + 1] != _CLOSERS[state.quote] or line[stop + 1 :].strip(_BLANKS):
        return _text(state)
    return Definitions("start")


def _balanced(destination: bytes) -> bool:
    depth = 0
    for byte in _ESCAPE.sub(b"", destination):
        depth += (byte == 0x28) - (byte == 0x29)
        if depth < 0:
            return False
    return depth == 0


def _past_blanks(line: bytes, at: int) -> int:
    while line[at : at + 1] in (b" ", b"\t"):
        at += 1
    return at
