"""What can be wrong with CSV, in words: which row, at which byte, and what to do."""

from __future__ import annotations

from insitu.errors import FormatError, LimitError

# So much of a row is to be looked at first.
_SHOWN_BYTES = 200


def misplaced(row: int | None, start: int, offset: int) -> FormatError:
    """The error for a quote, or text behind one, where a strict dialect has none.

    Args:
        row: index of the data row, from 0; -1 for the header, None where it is not known.
        start: offset of the row.
        offset: of the byte.
    """
    return FormatError(
        f"{_named(row, start)} has a misplaced quote, or text behind a closing one, at byte {offset:,}; "
        "nothing was changed.",
        hint="Take such cells as they are written with lenient=True (--lenient), or correct the row: "
        f"insitu read FILE --bytes {start}:{offset + 1}",
        row=row,
        row_start=start,
        offset=offset,
    )


def unclosed(row: int | None, start: int) -> FormatError:
    """The error for a quote that swallows the rest of the file.

    Args:
        row: index of the data row in which it opens, -1 for the header; None where it is not known.
        start: offset of the row.
    """
    return FormatError(
        f"{_named(row, start)} opens a quote that is never closed, so that the rest of the file would be one "
        "cell; nothing was changed.",
        hint=f"Look at it: insitu read FILE --bytes {start}: | head -c {_SHOWN_BYTES}; then close the quote, "
        "or read without quotes: quote='' (--quote none).",
        row=row,
        row_start=start,
    )


def too_long(row: int | None, start: int, limit_bytes: int) -> LimitError:
    """The error for a row that cannot be held in memory; arguments as ``unclosed``."""
    return LimitError(
        f"{_named(row, start)} is longer than {limit_bytes >> 20} MiB; nothing was changed.",
        hint="A quote in it may never be closed; look at it: "
        f"insitu read FILE --bytes {start}:{start + _SHOWN_BYTES}",
        row=row,
        row_start=start,
    )


def _named(row: int | None, start: int) -> str:
    if row is None:
        return f"The row at byte {start:,}"
    return f"The header, at byte {start:,}," if row < 0 else f"Row {row + 1:,}, at byte {start:,},"
