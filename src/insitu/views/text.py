"""The encoding of a file's text, told from samples and never from the whole file."""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple, Protocol

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

# Bytes to a code unit of the codecs in which a line end is not one byte.
_UNITS: Final = {
    "utf-16": 2,
    "utf-16-le": 2,
    "utf-16-be": 2,
    "utf-32": 4,
    "utf-32-le": 4,
    "utf-32-be": 4,
}

# Fewer bytes than this are not believed to be UTF-16 or UTF-32 without a mark: two letters and a NUL are.
WIDE_SAMPLE_BYTES: Final = 64


class Encoding(NamedTuple):
    """A codec, and the others that fit the file as well."""

    name: str
    others: tuple[str, ...] = ()

    @property
    def unit(self) -> int:
        """Bytes to a code unit: 2 in UTF-16, 4 in UTF-32, else 1."""
        return _UNITS.get(self.name, 1)

    @property
    def errors(self) -> str:
        """How what is no text travels: bytes as surrogate escapes; in UTF-16 and UTF-32 units as they are."""
        return "surrogateescape" if self.unit == 1 else "surrogatepass"

    @property
    def mark(self) -> bytes:
        """The byte order mark of a file of this codec; empty where it has none."""
        return next((mark for mark, name in _MARKS if name == self.name), b"")

    def decode(self, data: bytes) -> str:
        """The text of some bytes; what cannot be decoded comes back from ``encode`` as it was.

        Raises:
            UnicodeDecodeError: the codec has neither text nor escapes for them.
        """
        return data.decode(self.name, self.errors)

    def encode(self, text: str) -> bytes:
        """The bytes of a text, undecodable ones restored.

        Raises:
            TextError: the codec cannot hold a character; or which codec it is, is a guess, and another
                that fits the file as well would write other bytes.
        """
        if self.name in ("utf-16", "utf-32"):
            raise TextError(
                f"{self.name} does not say in which order bytes stand; nothing was changed.",
                hint=f"Name the encoding {self.name}-le or {self.name}-be.",
                encoding=self.name,
            )
        try:
            data = text.encode(self.name, self.errors)
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

    def check_size(self, size: int, path: str) -> None:
        """Refuses content that cannot be whole text of the codec.

        Raises:
            TextError: the size is no multiple of the code unit.
        """
        if over := size % self.unit:
            raise TextError(
                f"{path} has {size:,} bytes, {over} more than whole {self.name} units of {self.unit} bytes; "
                "nothing was changed.",
                hint=f"Look at bytes {size - over}:{size}: delete them, or name the right encoding.",
                path=path,
                encoding=self.name,
                offset=size - over,
            )


def _encoded(text: str, encoding: str) -> bytes | None:
    try:
        return text.encode(encoding, Encoding(encoding).errors)
    except UnicodeEncodeError:
        return None


class Marked(Protocol):
    """What may start with a byte order mark."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def read(self, offset: int, size: int, /) -> bytes:
        """Exactly these bytes."""
        ...


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
    wide = _wide(samples)
    if wide is not None and reader.size >= WIDE_SAMPLE_BYTES:
        return Encoding(wide)
    if all(_is_utf8(sample) for sample in samples):
        return Encoding("utf-8", () if wide is None else (wide,))
    found = [name for name in _detected(b"\n".join(samples)) if Encoding(name).unit == 1]
    if not found:
        return Encoding("utf-8")
    return Encoding(found[0], tuple(found[1:]))


def text_start(content: Marked, text: Encoding) -> int:
    """Where the text of some content starts: behind its byte order mark, which belongs to no line."""
    mark = text.mark
    return len(mark) if mark and content.read(0, min(len(mark), content.size)) == mark else 0


def named_encoding(reader: Reader, encoding: str) -> Encoding:
    """The encoding that a caller names; where the name leaves the byte order open, the file's mark tells.

    Raises:
        TextError: there is none of that name; or it leaves the order open, and the file has no mark.
    """
    name = checked_codec(encoding)
    if name not in ("utf-16", "utf-32"):
        return Encoding(name)
    first = reader.read(0, min(4, reader.size))
    found = next((known for mark, known in _MARKS if first.startswith(mark)), "")
    if not found.startswith(name):
        raise TextError(
            f"The file has no {name} byte order mark, so the name {encoding} leaves open how bytes stand.",
            hint=f"Name the encoding {name}-le or {name}-be.",
            encoding=name,
        )
    return Encoding(found)


def checked_codec(encoding: str) -> str:
    """The codec's own name; without a ``-sig``, for a mark is content, and no edit writes another.

    Raises:
        TextError: there is none of that name.
    """
    try:
        return codecs.lookup(encoding).name.removesuffix("-sig")
    except LookupError:
        raise TextError(
            f"There is no encoding named {encoding!r}.", hint="For example: utf-8, latin-1, cp1252."
        ) from None


def _detected(sample: bytes) -> list[str]:
    """The codecs that fit a sample, the likeliest first."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    found = [] if best is None else [codecs.lookup(match.encoding).name for match in (best, *matches)]
    return list(dict.fromkeys(found))


def _wide(samples: list[bytes]) -> str | None:
    """The UTF-16 or UTF-32 that text without a mark is in; None where it does not look like either.

    Samples begin at multiples of four bytes. Text that is mostly ASCII shows by a NUL in every unit;
    other is asked about where it is no UTF-8, and must be likelier than any other codec.
    """
    first = samples[0][: len(samples[0]) & -4 or len(samples[0]) & -2]
    every_other = max((first[side::2].count(0) for side in (0, 1)), default=0)
    if 4 * every_other < len(first) and _is_utf8(first):
        return None
    found = _detected(first)[:1]
    if not found or Encoding(found[0]).unit == 1:
        return None
    name = found[0]
    for sample in samples[1:]:
        try:
            sample.decode(name, "surrogatepass")
        except UnicodeDecodeError as error:
            # The last character of a sample may be cut.
            if len(sample) - error.start > 4:
                return None
    return name


def _further(reader: Reader) -> list[bytes]:
    # Whole units of UTF-32 lie at multiples of four bytes.
    stride = (reader.size - SAMPLE_BYTES) // SAMPLES & -4
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
