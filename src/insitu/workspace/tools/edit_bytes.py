"""``file_edit_bytes``: edits of any file, text or not, by offsets."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from insitu.core.spans import Span
from insitu.errors import ArgumentsError, SpanError, StaleError
from insitu.workspace.changing import Edit, Made, Pending, Place, Work, make_pending
from insitu.workspace.request import Tool

_SHOWN_BYTES: Final = 64

Form = Literal["hex", "base64", "utf8"]


class ByteEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One edit of bytes: ``length`` of them at ``offset`` become ``data``."""

    offset: Annotated[int, Meta(description="From 0; negative: from the end.")]
    length: Annotated[int, Meta(description="Bytes replaced; 0 inserts.", ge=0)] = 0
    data: str = ""
    expect: Annotated[str | None, Meta(description="What is there now.")] = None


class EditBytes(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_edit_bytes``."""

    tool: ClassVar[Tool] = Tool(
        "file_edit_bytes",
        "Edit bytes of a file",
        "Overwrite, insert or delete bytes in any file, also binary, as one atomic change.",
        "edit",
    )

    shows_lines: ClassVar[bool] = False

    edits: Annotated[list[ByteEdit], Meta(min_length=1)]
    form: Annotated[Form, Meta(description="Of data and expect.")] = "hex"

    def make(self, work: Work) -> Made:
        """Checks what each edit expects, and makes all of them pending at once."""
        document = work.document
        edits: list[Pending] = []
        for number, edit in enumerate(self.edits, 1):
            start = edit.offset + document.size if edit.offset < 0 else edit.offset
            span = Span(start, start + edit.length)
            if not 0 <= span.start <= span.stop <= document.size:
                raise SpanError(
                    f"Edit {number}: bytes {span.start}:{span.stop} lie outside the {document.size:,} of "
                    f"{work.path}; nothing was changed.",
                    hint=f"Offsets go from 0 to {document.size}, which appends.",
                    size=document.size,
                )
            self._check(work, edit, span, number)
            edits.append(Pending(span, _bytes_of(edit.data, self.form, f"Edit {number}: data")))
        places = [Place(f"bytes {edit.span.start}:{edit.span.stop}") for edit in edits]
        return Made(places, make_pending(document, edits, lines=False).count)

    def _check(self, work: Work, edit: ByteEdit, span: Span, number: int) -> None:
        if edit.expect is None:
            if work.moved_on:
                raise StaleError(
                    f"{work.path} changed since the version you saw, and edit {number} does not say what it "
                    "expects; nothing was changed.",
                    hint="Read the bytes again, or give expect.",
                    version=work.version,
                )
            return
        expected = _bytes_of(edit.expect, self.form, f"Edit {number}: expect")
        found = work.document.read(span.start, min(span.size, max(len(expected), _SHOWN_BYTES)))
        if span.size != len(expected) or found != expected:
            raise StaleError(
                f"Edit {number}: bytes {span.start}:{span.stop} of {work.path} are not what it expects; "
                "nothing was changed.",
                hint="If the edit still fits, send it again with expect as found.",
                found=_shown(found[:_SHOWN_BYTES], self.form),
                version=work.version,
            )


def _bytes_of(text: str, form: Form, name: str) -> bytes:
    try:
        match form:
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                return base64.b64decode(text, validate=True)
        return text.encode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error) as error:
        raise ArgumentsError(
            f"{name} is no {form}: {error}; nothing was changed.",
            hint='Set form to "hex", "base64" or "utf8".',
        ) from None


def _shown(data: bytes, form: Form) -> str:
    match form:
        case "hex":
            return data.hex(" ")
        case "base64":
            return base64.b64encode(data).decode()
    return data.decode("utf-8", "backslashreplace")
