"""Titles of headings: where they stand, what they say without markup, and the names made of them."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final, NamedTuple

from insitu.formats.markdown_rules import ATX

TITLE_BYTES_MAX: Final = 4 << 10
"""Of longer titles only so much is read."""

_ENDING: Final = re.compile(rb"\r\n?|\n")
_CLOSING: Final = re.compile(rb"(?:\A|[ \t])#+\Z")

_PROTECTED: Final = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|<(?P<link>[A-Za-z][A-Za-z0-9+.\-]{1,31}:[^\s<>]*|[\w.+\-]+@[\w.\-]+)>"
    r"|(?P<tag><!--.*?-->|</?[A-Za-z][^<>]*>)"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])?")
_STARRED: Final = re.compile(r"(\*{1,3})(?=\S)(.+?)(?<=\S)\1")
_UNDERLINED: Final = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_STRUCK: Final = re.compile(r"(~~)(?=\S)(.+?)(?<=\S)~~")

# Code points for private use: they stand for what was protected while the rest is looked at.
_PRIVATE: Final = 0xF0000


class TitlePlace(NamedTuple):
    """Where the title stands in the bytes of a heading."""

    start: int
    stop: int
    setext: bool


def title_place(heading: bytes) -> TitlePlace:
    """Where the title stands in the bytes of a heading; both ends are equal where there is none.

    Args:
        heading: all its lines, endings included; or, of an ATX heading, the beginning.
    """
    first = _ENDING.search(heading)
    line = heading[: first.start()] if first else heading
    indent = len(line) - len(line.lstrip(b" "))
    atx = ATX.match(line, indent)
    if atx is None:
        lines = heading[: _underline_start(heading)]
        return TitlePlace(len(lines) - len(lines.lstrip(b" \t")), len(lines.rstrip(b" \t\r\n")), True)
    stop = len(line.rstrip(b" \t"))
    start = min(stop, len(line) - len(line[atx.end() :].lstrip(b" \t")))
    if closing := _CLOSING.search(line[start:stop]):
        stop = start + len(line[start : start + closing.start()].rstrip(b" \t"))
    return TitlePlace(start, stop, False)


def _underline_start(heading: bytes) -> int:
    """Where the last line starts."""
    text = heading.removesuffix(b"\n").removesuffix(b"\r")
    return max(text.rfind(b"\n"), text.rfind(b"\r")) + 1


def capped_title(heading: bytes, size: int) -> bytes:
    """The title of a heading as one line, at most ``TITLE_BYTES_MAX`` of it.

    Args:
        heading: the heading's bytes, or of a longer one the beginning.
        size: how many there are.
    """
    place = title_place(heading)
    if len(heading) == size or not place.setext:
        return joined(heading[place.start : place.stop])[:TITLE_BYTES_MAX]
    return joined(heading.lstrip(b" "))[:TITLE_BYTES_MAX]


def joined(title: bytes) -> bytes:
    """A title of several lines as one."""
    return b" ".join(line.strip(b" \t") for line in _ENDING.split(title))


def plain_text(title: str) -> str:
    """What a title says: emphasis, links, code marks, tags, entities and escapes taken off.

    By simple rules, not by those of inline Markdown, which need the whole document: brackets always count
    as a link's.
    """
    kept: list[str] = []

    def protect(found: re.Match[str]) -> str:
        if found["tag"]:
            return ""
        text = found["code"] or found["escaped"] or found["link"]
        kept.append(text.strip() if text else html.unescape(found["entity"]))
        return chr(_PRIVATE + len(kept) - 1)

    text = _PROTECTED.sub(protect, title)
    for pattern, group in ((_LINK, r"\1"), (_STARRED, r"\2"), (_UNDERLINED, r"\2"), (_STRUCK, r"\2")):
        # From the inside out: an image in a link, emphasis in emphasis.
        while (bare := pattern.sub(group, text)) != text:
            text = bare
    # From the last to the first: what was protected may itself hold a character for private use.
    for number in range(len(kept) - 1, -1, -1):
        text = text.replace(chr(_PRIVATE + number), kept[number], 1)
    return " ".join(text.split())


def normalized(title: str) -> str:
    """The form in which titles are compared: plain text, case folded, white space as single blanks."""
    return unicodedata.normalize("NFC", plain_text(title)).casefold()


def slug(title: str) -> str:
    """The name by which GitHub links to a heading, but for the number that tells equal ones apart."""
    kept = (
        character
        for character in plain_text(title).lower()
        if character.isalnum() or character in "_- " or unicodedata.category(character)[0] == "M"
    )
    return "".join(kept).replace(" ", "-")
