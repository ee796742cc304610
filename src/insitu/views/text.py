"""The encoding of a file's text, told from samples and never from the whole file."""

from __future__ import annotations

import codecs
from typing import NamedTuple

from insitu.core.protocols import Reader
from insitu.errors import TextError

# Windows sampled: the first, and some in between. Source: charset detection settles within some kilobytes.
SAMPLE_BYTES = 64 << 10
SAMPLES = 8

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Encoding(NamedTuple):
    """A codec, and the others that fit the file as well."""

    name: str
    others: tuple[str, ...] = ()

    def encode(self, text: str) -> bytes:
        """The bytes of a text, undecodable ones restored.

        Raises:
            TextError: the codec cannot hold a character; or which codec it is, is a guess, and another
                that fits the file as well would write other bytes.
        """
        try:
            data = text.encode(self.name, "surrogateescape")
        except UnicodeEncodeError as error:
            character = text[error.start]
            raise TextError(
                f"The character {character!a} (U+{ord(character):04X}) cannot be written in {self.name}; "
                "nothing was changed.",
                hint="Write it in other words, or give the bytes.",
                encoding=self.name,
                character=character,
            ) from error
        for other in self.others:
            if _encoded(text, other) != data:
                raise TextError(
                    f"The file's encoding is a guess: {self.name}, or {other}, which writes "
                    f"{text[:40]!a} in other bytes; nothing was changed.",
                    hint="Name the encoding: insitu.open(path, encoding=...), or --encoding.",
                    encoding=self.name,
                )
        return data


def _encoded(text: str, encoding: str) -> bytes | None:
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return None


def encoding_of(reader: Reader) -> Encoding:
    """The codec of a file's text: by the byte order mark, UTF-8 if samples are valid, else detected.

    Text that fits no encoding (binary data) counts as UTF-8, whose undecodable bytes survive reading and
    writing through surrogate escapes.
    """
    first = reader.read(0, min(SAMPLE_BYTES, reader.size))
    for mark, name in _MARKS:
        if first.startswith(mark):
            return Encoding(name)
    samples = [first, *_further(reader)]
    if all(_is_utf8(sample) for sample in samples):
        return Encoding("utf-8")
    from charset_normalizer import from_bytes

    matches = from_bytes(b"\n".join(samples))
    best = matches.best()
    if best is None:
        return Encoding("utf-8")
    found = [codecs.lookup(match.encoding).name for match in (best, *matches)]
    return Encoding(found[0], tuple(name for name in dict.fromkeys(found) if name != found[0]))


def checked_codec(encoding: str) -> str:
    """The codec's own name.

    Raises:
        TextError: there is none of that name.
    """
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise TextError(
            f"There is no encoding named {encoding!r}.", hint="For example: utf-8, latin-1, cp1252."
        ) from None


def _further(reader: Reader) -> list[bytes]:
    stride = (reader.size - SAMPLE_BYTES) // SAMPLES
    if stride <= SAMPLE_BYTES:
        return []
    return [reader.read(stride * number, SAMPLE_BYTES) for number in range(1, SAMPLES + 1)]


def _is_utf8(sample: bytes) -> bool:
    """Whether a stretch of text is UTF-8; a character cut at either end is forgiven."""
    start = next((i for i in range(min(3, len(sample))) if sample[i] & 0xC0 != 0x80), 0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample[start:])
    except UnicodeDecodeError:
        return False
    return True
