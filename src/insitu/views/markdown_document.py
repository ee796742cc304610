"""What Markdown needs of its document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from insitu.core.protocols import Reader
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.engine.snapshot import Generation
from insitu.views.text import Encoding


class Edited(Protocol):
    """A reader of the current content that can be edited. Parameters may have any names."""

    @property
    def path(self) -> str:
        """For messages."""
        ...

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    @property
    def text(self) -> Encoding:
        """The codec of its text."""
        ...

    @property
    def base(self) -> Reader:
        """The bytes under the pending edits."""
        ...

    @property
    def generation(self) -> Generation:
        """Which contents the base is."""
        ...

    @property
    def sequence(self) -> Sequence:
        """The pending edits; another one after a commit."""
        ...

    def read(self, offset: int, size: int, /) -> bytes:
        """Exactly these bytes of the current content."""
        ...

    def read_into(self, offset: int, buffer: memoryview, /) -> None:
        """Fills a buffer from an offset."""
        ...

    def replace_span(self, span: Span, data: bytes, /) -> None:
        """Replaces a span, as one pending edit."""
        ...

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]], /) -> None:
        """Makes sorted, disjoint replacements as one pending edit."""
        ...

    def replace_padded(self, span: Span, head: bytes, tail: bytes = b"", *, filler: bytes = b" ") -> int:
        """Replaces a span by so much filler more that the size changes by whole blocks."""
        ...
