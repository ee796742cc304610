"""Lines as text: every byte comes back, and what an encoding cannot hold is refused by name."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Final

from insitu.errors import TextError
from insitu.formats.lines import NEWLINES
from insitu.views.text import Encoding

# No character takes more, the escape sequences of ISO 2022 around it included.
CHARACTER_BYTES: Final = 8


class LineText:
    """Decodes and encodes lines; bytes that are no text travel as surrogate escapes.

    Args:
        encoding: a codec whose line ends are single bytes.

    Raises:
        TextError: there is no such codec, or it is of another kind (UTF-16, UTF-32).
    """

    def __init__(self, encoding: Encoding) -> None:
        self._codec = _line_codec(encoding.name)
        self._encoding = encoding._replace(name=self._codec)

    def decode(self, line: bytes) -> str:
        """The text of a line.

        Raises:
            TextError: the codec has no text for it, nor escapes: bytes below 128 in ISO 2022, say.
        """
        try:
            return line.decode(self._codec, "surrogateescape")
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
            if line.decode(self._codec, "surrogateescape") == text:
                return line
        return self.encode(text)


def _line_codec(encoding: str) -> str:
    """The codec's name, once it is clear that its line ends are single bytes.

    A byte order mark is text of the first line, else every line would be written with one.
    """
    try:
        codec = codecs.lookup(encoding).name.removesuffix("-sig")
        single = all(mark.decode("ascii").encode(codec) == mark for mark in NEWLINES)
    except (LookupError, UnicodeError):
        raise TextError(f"There is no encoding named {encoding!r} for text.", encoding=encoding) from None
    if not single:
        raise TextError(
            f"Lines of {encoding} text cannot be edited: its line ends are not single bytes.",
            hint="Edit by bytes: find the text encoded, and replace its span.",
            encoding=encoding,
        )
    return codec
