"""Records of one size changed by a function on arrays of them: a mass edit in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Varied
from insitu.errors import FunctionError, InsituError, RequestError
from insitu.formats.record_layout import RecordLayout, layout_of
from insitu.formats.record_values import array_of, differences, packed, rewritten
from insitu.scan.windows import WINDOW_BYTES, Window, parallel
from insitu.views.streaming import Source
from insitu.views.text import Encoding

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

# Differences closer than this are one place: an edit that bridges a short gap costs no writing, since a
# commit writes whole atoms, and is cheaper to keep than two (see also ``insitu.views.map``).
BRIDGED_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """Passes all records through a function, in order: a mass edit.

    Args:
        dtype: the layout of a record, as for ``Records``.
        function: gets an array of some thousand records (about 1 MiB; at least one record) that it may
            keep no longer than the call; changes it and returns None, or returns as many records.
        offset: where the first record starts.
        first: index of the first record to pass through.
        stop: index behind the last; None means all.
    """

    dtype: Any
    function: Callable[[Array], Array | None]
    offset: int = 0
    first: int = 0
    stop: int | None = None

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what changes: only bytes that differ, those close to each other as one place.

        Raises:
            FunctionError: the function raised; the message names the records it was given.
            RequestError: the file is no whole number of records; the function returned other than as many.
            SpanError: there are not as many records.
        """
        layout = layout_of(self.dtype)
        span = layout.checked_span(self.first, self.stop, source.reader.size, self.offset)
        window_bytes = max(1, WINDOW_BYTES // layout.record_bytes) * layout.record_bytes

        def work(window: Window) -> Varied:
            old = bytes(window.own)
            first = (window.span.start - self.offset) // layout.record_bytes
            return changed(window.span.start, old, self._passed(old, layout, first, source.text), layout)

        # One thread: the function is a caller's, and need not be safe on several.
        yield from parallel(
            source.reader,
            work,
            *span,
            window_bytes=window_bytes,
            threads=1,
            progress=progress,
            cancel=cancel,
        )

    def _passed(self, old: bytes, layout: RecordLayout, first: int, text: Encoding) -> Array:
        """What the function makes of some records."""
        records = array_of(bytearray(old), layout.dtype)
        count = len(records)
        try:
            result = self.function(records)
        except InsituError:
            raise
        except Exception as error:
            raise FunctionError(
                f"The function failed on the records {first}:{first + count}: "
                f"{type(error).__name__}: {error}; nothing was changed.",
                hint="Indexes count from 0; the function was given these records as one array.",
                first=first,
                stop=first + count,
                traceback="".join(format_exception(error)),
            ) from error
        if result is None:
            return records
        new = packed(result, layout.dtype, text.encode)
        if len(new) != count:
            raise RequestError(
                f"The function returned {len(new):,} records for the {count:,} records "
                f"{first}:{first + count}; nothing was changed.",
                hint="Records are inserted and deleted through doc.records(dtype).",
            )
        return new


def changed(offset: int, old: bytes, records: Array, layout: RecordLayout) -> Varied:
    """What records put in the place of as many others change, as columns."""
    import numpy as np

    new = rewritten(old, records, layout.dtype)
    starts, stops = differences(old, new, BRIDGED_BYTES)
    bounds = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(stops - starts, out=bounds[1:])
    data = b"".join(new[a:b] for a, b in zip(starts.tolist(), stops.tolist(), strict=True))
    return Varied(starts + offset, stops + offset, bounds, data)
