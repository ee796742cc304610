"""Lines as text: every byte comes back, and what an encoding cannot hold is refused by name."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Final

from insitu.errors import TextError
from insitu.formats.lines import CR, LF
from insitu.views.text import Encoding

# No character takes more, the escape sequences of ISO 2022 around it included.
CHARACTER_BYTES: Final = 8


class LineText:
    """Decodes and encodes lines; what is no text travels as surrogates.

    Args:
        encoding: a codec in which a line end is one code unit.

    Raises:
        TextError: there is no such codec, or it is of another kind (EBCDIC, UTF-16 without its order).
    """

    def __init__(self, encoding: Encoding) -> None:
        self._codec = _line_codec(encoding.name)
        self._encoding = encoding._replace(name=self._codec)
        self._errors = self._encoding.errors
        self.unit: Final = self._encoding.unit
        """Bytes to a code unit; every line starts at a multiple of it."""

    @property
    def encoding(self) -> Encoding:
        """The codec that lines are written in."""
        return self._encoding

    def newline(self, newline: bytes) -> bytes:
        """LF or CR as they stand in the file: one code unit."""
        return newline.decode("ascii").encode(self._codec)

    def decode(self, line: bytes) -> str:
        """The text of a line.

        Raises:
            TextError: the codec has no text for it, nor escapes: bytes below 128 in ISO 2022, say.
        """
        try:
            return line.decode(self._codec, self._errors)
        except UnicodeDecodeError as error:
            raise TextError(
                f"A line holds bytes that {self._codec} cannot show: {error.reason}.",
                hint="Open the document with its right encoding, or read its bytes.",
                encoding=self._codec,
            ) from error

    def encode(self, text: object) -> bytes:
        """The bytes of a text.

        Raises:
            TextError: the codec cannot hold a character, or ``text`` is no ``str``.
        """
        if not isinstance(text, str):
            raise TextError(
                f"A line is text, not {type(text).__name__}; nothing was changed.",
                hint="Decode it, or edit the bytes of span_of(...).",
            )
        return self._encoding.encode(text)

    def encode_over(self, text: object, line: bytes) -> bytes:
        """The bytes of a text that replaces a line: the line itself where the text is what it says.

        An encoding may write one text in several ways; the file's own is kept.
        """
        with suppress(UnicodeDecodeError):
            if line.decode(self._codec, self._errors) == text:
                return line
        return self.encode(text)


def _line_codec(encoding: str) -> str:
    """The codec's name, once it is clear that its line ends are single code units.

    A codec that writes a byte order mark would put one into every line: its plain one is taken.
    """
    try:
        codec = codecs.lookup(encoding).name.removesuffix("-sig")
        ends = {mark.decode("ascii").encode(codec).strip(b"\0") for mark in (LF, CR)}
    except (LookupError, UnicodeError):
        raise TextError(f"There is no encoding named {encoding!r} for text.", encoding=encoding) from None
    if codec in ("utf-16", "utf-32"):
        raise TextError(
            f"{codec} does not say in which order the bytes of a line end stand.",
            hint=f"Name the encoding {codec}-le or {codec}-be.",
            encoding=encoding,
        )
    if ends != {LF, CR}:
        raise TextError(
            f"Lines of {encoding} text cannot be edited: its line ends are not those of ASCII.",
            hint="Edit by bytes: find the text encoded, and replace its span.",
            encoding=encoding,
        )
    return codec


def narrow_text(encoding: Encoding) -> LineText:
    """Lines of an encoding in which a line end is one byte.

    Raises:
        TextError: it is of another kind, UTF-16 or UTF-32.
    """
    text = LineText(encoding)
    if text.unit > 1:
        raise TextError(
            f"Text in {encoding.name} is not read as Markdown, only such in which a line end is one byte.",
            hint="Convert the file first, or edit its lines.",
            encoding=encoding.name,
        )
    return text
