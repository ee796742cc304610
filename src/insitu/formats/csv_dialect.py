"""The dialect of a CSV file: which bytes delimit, quote and escape, and what ends a row.

Everything is bytes: the rules hold in every encoding in which those bytes are never part of a character.
What a dialect says of a file is exact and total: every byte behind the header belongs to one row.

    rows     end with LF (a CR just before belongs to the end); with ``newline="any"`` a lone CR ends one,
             too; with ``newline="\\r"`` CR does and nothing else. A blank line is a row with one empty cell.
    quotes   mean something at the start of a cell only; there they open. In an open cell, two are one quote
             character, and a single one closes. An escape takes the next byte for what it is, anywhere.
    strict   a quote inside an unquoted cell, and text behind a closing quote, are errors.
    lenient  both are text: such a cell is read as it is written, its quotes included.

Source: RFC 4180; Python's csv module, whose default is lenient in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from insitu.errors import RequestError

Newline = Literal["\n", "\r", "any"]

NEWLINES: Final[tuple[Newline, ...]] = ("\n", "\r", "any")

LF: Final = 0x0A
CR: Final = 0x0D

# Multi-byte codecs whose second bytes can be ASCII characters: from "@" on, in Johab from "1" on. (The
# four-byte forms of GB18030 have digits, which no dialect uses.)
_TRAILING_FROM: Final = 0x40
_JOHAB_FROM: Final = 0x31
_MIXED_CODECS: Final = frozenset(
    (
        *("shift_jis", "shift_jisx0213", "shift_jis_2004", "cp932", "gbk", "gb18030", "cp936"),
        *("big5", "big5hkscs", "cp949", "cp950", "johab"),
    )
)
# Codecs in which an ASCII byte need not be an ASCII character.
_WIDE_CODECS: Final = ("utf-16", "utf-32", "utf-7", "utf_16", "utf_32", "utf_7", "iso2022", "iso-2022", "hz")
_EBCDIC_CODECS: Final = frozenset(("cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140"))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Args:
        delimiter: the byte between cells.
        quote: the byte around cells; None: cells are never quoted.
        escape: the byte that takes the next one for what it is; None: none does.
        lenient: whether misplaced quotes are text; else they are errors.
        header: whether the first row names the columns.
        newline: ``"\\n"``: LF and CR LF end rows; ``"any"``: a lone CR, too; ``"\\r"``: only CR.
        bom: the byte order mark in front of the first row, empty for none.

    Raises:
        RequestError: a special byte is not one ASCII character, or is another one, too.
    """

    delimiter: bytes = b","
    quote: bytes | None = b'"'
    escape: bytes | None = None
    lenient: bool = False
    header: bool = True
    newline: Newline = "\n"
    bom: bytes = b""

    def __post_init__(self) -> None:
        named = {"delimiter": self.delimiter, "quote": self.quote, "escape": self.escape}
        given = {name: byte for name, byte in named.items() if byte is not None}
        for name, byte in given.items():
            if len(byte) != 1 or byte in b"\r\n" or not byte.isascii() or byte.isalnum():
                raise RequestError(
                    f"{byte!r} cannot be the {name} of a CSV file.",
                    hint="Give one ASCII character that is neither a letter, a digit nor a line end.",
                    **{name: byte},
                )
        if len(set(given.values())) < len(given):
            raise RequestError(
                f"Delimiter, quote and escape have to differ: {self}.",
                hint="Doubled quotes need no escape.",
            )
        if self.newline not in NEWLINES:
            raise RequestError(
                f"{self.newline!r} cannot end rows.", hint=r"Give '\n' (LF, CR LF), '\r' or 'any'."
            )

    def __str__(self) -> str:
        parts = [f"delimiter {_shown(self.delimiter)}"]
        parts.append("no quotes" if self.quote is None else f"quote {_shown(self.quote)}")
        parts += [] if self.escape is None else [f"escape {_shown(self.escape)}"]
        parts.append("lenient" if self.lenient else "strict")
        parts.append("header" if self.header else "no header")
        parts += {"\n": [], "\r": ["rows end with CR"], "any": ["rows end with LF, CR LF or CR"]}[
            self.newline
        ]
        return ", ".join(parts)

    def check_encoding(self, name: str) -> None:
        """Raises RequestError where the special bytes can be parts of characters of that codec.

        Args:
            name: of a Python codec.
        """
        codec = name.lower()
        plain = codec.replace("_", "-")
        if codec.startswith(_WIDE_CODECS) or plain.startswith(_WIDE_CODECS) or plain in _EBCDIC_CODECS:
            raise RequestError(
                f"The text is in {name}, in which CSV cannot be scanned byte by byte; nothing was changed.",
                hint=f"Convert it to UTF-8 first, for example: iconv -f {name.upper()} -t UTF-8 FILE > NEW.",
                encoding=name,
            )
        if plain.replace("-", "_") in _MIXED_CODECS or codec in _MIXED_CODECS:
            low = _JOHAB_FROM if codec == "johab" else _TRAILING_FROM
            for part in (self.delimiter, self.quote, self.escape):
                if part is not None and part[0] >= low:
                    raise RequestError(
                        f"{_shown(part)} can be half of a character in {name}, so that nothing can be split "
                        "at it; nothing was changed.",
                        hint="Name the encoding if it is another one, or convert the file to UTF-8 first.",
                        encoding=name,
                    )


def _shown(byte: bytes) -> str:
    return "TAB" if byte == b"\t" else repr(byte.decode("ascii"))
