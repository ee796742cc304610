"""Reading: what can be asked of any bytes of a known size, as of ``bytes``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import SpanError
from insitu.views.text import Encoding

if TYPE_CHECKING:
    from insitu.views.chunks import Chunks


class Readable(ABC):
    """Indexes, slices and searches over a reader; belongs to one thread.

    Subclasses set ``_content`` and tell ``path`` and ``text``.

    Raises:
        SpanError: from any call: an offset lies outside the content.
        StaleError: from any call: the file was cut shorter.
    """

    _content: Reader

    @property
    @abstractmethod
    def path(self) -> str:
        """The file's path."""

    @property
    @abstractmethod
    def text(self) -> Encoding:
        """The encoding of its text."""

    @property
    def reader(self) -> Reader:
        """The current content as a plain reader of bytes."""
        return self._content

    @property
    def size(self) -> int:
        """Bytes of the current content."""
        return self._content.size

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def read(self, offset: int, size: int) -> bytes:
        """Exactly the bytes ``[offset, offset + size)`` of the current content."""
        self._check(Span(offset, offset + size))
        return self._content.read(offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills a writable buffer from ``offset``."""
        self._check(Span(offset, offset + len(buffer)))
        self._content.read_into(offset, buffer)

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            start, stop, step = key.indices(self.size)
            data = self._content.read(min(start, stop), max(0, stop - start)) if step > 0 else b""
            if step > 0:
                return data[::step]
            first = range(start, stop, step)
            return self._content.read(first[-1], start - first[-1] + 1)[::-1][::-step] if first else b""
        return self.read(self._index_of(key), 1)[0]

    def __iter__(self) -> Iterator[int]:
        from insitu.scan.windows import windows

        for window in windows(self._content):
            yield from bytes(window.own)

    def __contains__(self, item: int | bytes) -> bool:
        return self.find(bytes((item,)) if isinstance(item, int) else item) >= 0

    def find(
        self, pattern: bytes | str, start: int = 0, stop: int | None = None, *, regex: bool = False
    ) -> int:
        """Offset of the first match in ``[start, stop)``; -1 where there is none."""
        from insitu.scan.search import find

        found = find(self._content, self._pattern(pattern, regex), start, stop)
        return -1 if found is None else found.start

    def finditer(
        self, pattern: bytes | str, start: int = 0, stop: int | None = None, *, regex: bool = False
    ) -> Iterator[Span]:
        """Yields the spans of the matches in ``[start, stop)``, ascending, not overlapping, lazily."""
        from insitu.scan.search import finditer

        return finditer(self._content, self._pattern(pattern, regex), start, stop)

    def count(
        self,
        pattern: bytes | str,
        *,
        regex: bool = False,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> int:
        """How many matches there are, by a scan on every core."""
        from insitu.scan.search import count

        return count(self._content, self._pattern(pattern, regex), progress=progress, cancel=cancel)

    def chunks(
        self,
        *,
        max_tokens: int | None = None,
        max_chars: int | None = None,
        max_bytes: int | None = None,
        tokens: str | Callable[[str], int] = "estimate",
        **options: Any,
    ) -> Chunks:
        """The current content as pieces for a model, each an editable span. See ``insitu.views.chunks``.

        Args:
            max_tokens, max_chars, max_bytes: the budget, one of them; none: 400 tokens.
            tokens: how they are counted: ``"estimate"``, ``"bound"`` (never too few), ``"o200k_base"`` or
                ``"cl100k_base"`` (exactly; the extra ``tokens``), or a function from a text to a number.
            options: ``kind``, ``language``, ``overlap``, ``progress``, ``cancel`` as ``Chunks``.
        """
        from insitu.views.chunk_options import budget_of
        from insitu.views.chunks import Chunks

        return Chunks(self, budget_of(max_tokens, max_chars, max_bytes, tokens), **options)

    def _pattern(self, pattern: bytes | str, regex: bool) -> Any:
        from insitu.scan.search import compile_literal, compile_regex

        if regex:
            return compile_regex(pattern)
        if isinstance(pattern, str):
            return compile_literal(self.text.encode(pattern), self.text.unit)
        return compile_literal(bytes(pattern))

    def _index_of(self, key: int) -> int:
        index = key + self.size if key < 0 else key
        if not 0 <= index < self.size:
            raise SpanError(
                f"There is no byte {key}; the content has {self.size:,}.", index=key, size=self.size
            )
        return index

    def _check(self, span: Span) -> None:
        if not 0 <= span.start <= span.stop <= self.size:
            raise SpanError(
                f"Bytes {span.start}:{span.stop} do not lie in the {self.size:,} bytes of {self.path}.",
                span=span,
                size=self.size,
            )
