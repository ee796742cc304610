"""What begins and ends the blocks of Markdown: the patterns of CommonMark 0.31.2, on bytes.

All of them look at a line from its first byte that is no blank, without its ending. Where the specification
and its reference implementation (cmark) differ, the latter is followed, as every renderer in use does.
"""

from __future__ import annotations

import re
from typing import Final

HEADINGS_MAX: Final = 6

TAB_COLUMNS: Final = 4

ATX: Final = re.compile(rb"(#{1,6})(?=[ \t]|\Z)")
SETEXT: Final = re.compile(rb"(?:=++|-++)[ \t]*+\Z")
THEMATIC: Final = re.compile(rb"(?:(?:\*[ \t]*+){3,}+|(?:_[ \t]*+){3,}+|(?:-[ \t]*+){3,}+)\Z")
FENCE: Final = re.compile(rb"(`{3,}+)[^`]*+\Z|(~{3,}+)", re.DOTALL)
BULLET: Final = re.compile(rb"[*+-](?=[ \t]|\Z)")
ORDERED: Final = re.compile(rb"(\d{1,9})[.)](?=[ \t]|\Z)")

_NAMES: Final = (
    rb"address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|"
    rb"dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|"
    rb"iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|"
    rb"summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
_ATTRIBUTE: Final = (
    rb"[ \t]++[A-Za-z_:][A-Za-z0-9:._-]*+"
    rb"(?:[ \t]*+=[ \t]*+(?:[^\x00-\x20\"'=<>`]++|'[^']*+'|\"[^\"]*+\"))?+"
)

# Possessive all through, so that a line of any content is matched in linear time.
HTML_STARTS: Final = (
    re.compile(rb"<(?:script|pre|textarea|style)(?=[ \t>]|\Z)", re.IGNORECASE),
    re.compile(rb"<!--"),
    re.compile(rb"<\?"),
    re.compile(rb"<![A-Za-z]"),
    re.compile(rb"<!\[CDATA\["),
    re.compile(rb"</?(?:" + _NAMES + rb")(?=[ \t>]|/>|\Z)", re.IGNORECASE),
    re.compile(
        rb"(?:<[A-Za-z][A-Za-z0-9-]*+(?:" + _ATTRIBUTE + rb")*+[ \t]*+/?+>|</[A-Za-z][A-Za-z0-9-]*+[ \t]*+>)"
        rb"[ \t]*+\Z"
    ),
)
"""The start conditions 1 to 7."""

HTML_ENDS: Final = (
    re.compile(rb"</(?:script|pre|textarea|style)>", re.IGNORECASE),
    re.compile(rb"-->"),
    re.compile(rb"\?>"),
    re.compile(rb">"),
    re.compile(rb"\]\]>"),
)
"""What ends, anywhere in a line, the kinds 1 to 5; a blank line ends the others."""

HTML_END_BYTES_MAX: Final = len(b"</textarea>")


def html_kind(line: bytes) -> int:
    """Which of the seven kinds of HTML block a line would start; 0: none."""
    if line[:1] != b"<":
        return 0
    for kind, start in enumerate(HTML_STARTS, 1):
        if start.match(line):
            return kind
    return 0


def list_marker(line: bytes) -> tuple[int, bool]:
    """How many bytes the list marker has that a line starts with, 0: none.

    Returns:
        With it, whether it could interrupt a paragraph, were it not for an empty item.
    """
    if BULLET.match(line):
        return 1, True
    if found := ORDERED.match(line):
        return found.end(), int(found[1]) == 1
    return 0, False
