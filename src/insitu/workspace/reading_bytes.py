"""Bytes as ``file_read`` shows them: as text where they are text, else as hexadecimal digits."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final, Literal

from insitu.core.spans import Span
from insitu.document import Document
from insitu.workspace.excerpts import Shown, fitting, visible
from insitu.workspace.seen import part_digest

Form = Literal["auto", "text", "hex", "base64"]

_HEX_ROW_BYTES: Final = 16
_HEX_ROW_CHARS: Final = 8 + 2 + 3 * _HEX_ROW_BYTES + 1 + _HEX_ROW_BYTES + 1
_UNTOLD: Final = re.compile("[\ud800-\udfff\0]")
_CHARACTER_BYTES_MAX: Final = 4


def shown_bytes(
    document: Document, span: Span, form: Form, chars_max: int, again: Callable[..., str]
) -> Shown:
    """A span of bytes, up to so many characters.

    Args:
        again: makes the call that goes on, from an address.
    """
    if form == "auto":
        form = "text" if _is_text(document, span) else "hex"
    body, size = _FORMS[form](document, span, chars_max)
    stop = span.start + size
    footer = "[end of file]" if stop == document.size else ""
    if stop < span.stop:
        call = again(bytes=f"{stop}:{span.stop}", form=form)
        footer = f"[cut at {chars_max:,} characters; go on with {call}]"
    part = part_digest(document, span) if stop == span.stop else None
    return Shown(
        what=f"bytes {span.start}:{stop} as {form}",
        body=body,
        footer=footer,
        parts=() if part is None else (part,),
    )


def text_of(document: Document, span: Span, chars_max: int) -> tuple[str, int]:
    """The text at the start of a span as it is shown, and how many bytes that is; no character is cut.

    What is no text is spelled out byte by byte.
    """
    encoding = document.text
    data = document.read(span.start, min(span.size, _CHARACTER_BYTES_MAX * chars_max))
    decoder = codecs.getincrementaldecoder(encoding.name)(encoding.errors)
    try:
        text = decoder.decode(data, final=len(data) == span.size)
    except UnicodeDecodeError:
        encoding = encoding._replace(name="utf-8")  # as any bytes are shown
        text = encoding.decode(data)
    raw = fitting(text, chars_max)
    return visible(raw), len(raw.encode(encoding.name, encoding.errors))


def _is_text(document: Document, span: Span) -> bool:
    """Whether bytes are text but for a character cut at each end, and hold no NUL."""
    data = document.read(span.start, min(span.size, 8 << 10))
    decoder = codecs.getincrementaldecoder(document.text.name)(document.text.errors)
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return False
    return not _UNTOLD.search(text, 0 if span.start == 0 else _CHARACTER_BYTES_MAX - 1)


def _hex(document: Document, span: Span, chars_max: int) -> tuple[str, int]:
    size = min(span.size, chars_max // _HEX_ROW_CHARS * _HEX_ROW_BYTES)
    data = document.read(span.start, size)
    rows = []
    for at in range(0, size, _HEX_ROW_BYTES):
        row = data[at : at + _HEX_ROW_BYTES]
        readable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        rows.append(f"{span.start + at:08x}  {row.hex(' '):<{3 * _HEX_ROW_BYTES}} {readable}")
    return "\n".join(rows), size


def _base64(document: Document, span: Span, chars_max: int) -> tuple[str, int]:
    import base64

    size = min(span.size, chars_max // 4 * 3)
    return base64.b64encode(document.read(span.start, size)).decode(), size


_FORMS: Final[dict[str, Callable[[Document, Span, int], tuple[str, int]]]] = {
    "text": text_of,
    "hex": _hex,
    "base64": _base64,
}
