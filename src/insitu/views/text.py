"""The encoding of a file's text, told from samples and never from the whole file."""

from __future__ import annotations

import codecs

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


def encoding_of(reader: Reader) -> str:
    """Name of the codec: by the byte order mark, UTF-8 if samples are valid, else detected.

    Text that fits no encoding (binary data) counts as UTF-8, whose undecodable bytes survive reading and
    writing through surrogate escapes.
    """
    first = reader.read(0, min(SAMPLE_BYTES, reader.size))
    for mark, name in _MARKS:
        if first.startswith(mark):
            return name
    samples = [first, *_further(reader)]
    if all(_is_utf8(sample) for sample in samples):
        return "utf-8"
    from charset_normalizer import from_bytes

    best = from_bytes(b"\n".join(samples)).best()
    return best.encoding.replace("_", "-") if best is not None else "utf-8"


def encoded(text: str, encoding: str) -> bytes:
    """The bytes of a text, undecodable ones restored.

    Raises:
        TextError: the encoding lacks a character of it.
    """
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError as error:
        raise TextError(
            f"The character {text[error.start]!a} cannot be written in {encoding}; nothing was changed.",
            hint="Give the text in other words, or as bytes.",
            encoding=encoding,
        ) from error


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
