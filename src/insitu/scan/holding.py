"""Which stretches of a file hold one of some texts: a search that leaves each as soon as one is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.scan.windows import WINDOW_BYTES, Window, parallel

StopOf = Callable[[int], int]


def first_in_stretches(
    reader: Reader,
    texts: tuple[bytes, ...],
    span: Span,
    stop_of: StopOf,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[int]:
    """Yields where the first text begins in each stretch of a span in which one begins, in file order.

    A text that begins in a stretch may end behind it, but not behind the span.

    Args:
        texts: what is searched for, byte by byte; none is empty.
        stop_of: where the stretch stops that holds the byte at an offset; called by several threads.
        progress, cancel: as for ``parallel``.

    Cost: one read of the span, and a search for each text; memory as ``parallel``.
    """
    import stringzilla

    find = stringzilla.find

    def work(window: Window) -> list[int]:
        start, found = window.span.start, []
        for text in texts:
            view = window.view[: window.span.size + len(text) - 1]
            at = find(view, text)
            while at >= 0:
                found.append(start + at)
                behind = stop_of(start + at) - start
                at = find(view, text, behind) if behind < len(view) else -1
        return sorted(found)

    after = max(map(len, texts)) - 1
    passes = parallel(
        reader, work, *span, window_bytes=window_bytes, after=after, progress=progress, cancel=cancel
    )
    stop = span.start
    # A stretch that lies in two windows is found in each.
    for offset in chain.from_iterable(passes):
        if offset >= stop:
            yield offset
            stop = stop_of(offset)
