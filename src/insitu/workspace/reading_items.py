"""Rows, records and values as ``file_read`` shows them: whole ones, one to a line, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from insitu.core.spans import Span
from insitu.document import Document
from insitu.errors import FormatError, NoMatchError, SpanError
from insitu.workspace.excerpts import LINE_CHARS_MAX, Shown, fitting, in_one_line, visible
from insitu.workspace.ranges import Numbers
from insitu.workspace.reading_bytes import text_of
from insitu.workspace.seen import part_digest

Again = Callable[..., str]


class _Item(NamedTuple):
    """A row or record to be shown.

    Args:
        text: all of it.
        rest: what of its bytes the text leaves out; None: nothing.
    """

    number: int
    text: str
    span: Span | None
    rest: Span | None = None


def shown_rows(document: Document, asked: Numbers, chars_max: int, again: Again) -> Shown:
    """Rows of a CSV file below the names of its columns, with a tab between cells."""
    table = document.csv()
    count = len(table)
    last = _last(asked, count, "rows behind its header", "row")
    names = "\t".join(("row", *map(in_one_line, table.header)))
    shown = fitting(names, min(LINE_CHARS_MAX, chars_max // 2))
    head = shown if shown == names else f"{shown} [... {len(table.header):,} columns: file_outline]"

    def rows() -> Iterator[_Item]:
        for index in range(asked.start, last):
            text = "\t".join((str(index + 1), *map(in_one_line, table[index].cells)))
            yield _Item(index + 1, text, table.span_of_row(index))

    return _listed(document, rows(), _Asked("rows", asked.first, last, count, {}), chars_max, again, head)


def shown_records(
    document: Document, path: str, asked: Numbers, pointer: str, chars_max: int, again: Again
) -> Shown:
    """Records of a JSON Lines file, or the value at a pointer in each.

    Args:
        path: the file, as answers name it.
    """
    table = document.jsonl()
    count = len(table)
    last = _last(asked, count, "records", "record")

    def records() -> Iterator[_Item]:
        for index in range(asked.start, last):
            label = f"{index + 1}\t"
            try:
                span = table.span_of(index, pointer)
            except (NoMatchError, FormatError) as error:
                if asked.first == last:
                    raise
                said = in_one_line(error.message.replace(document.path, path))
                yield _Item(index + 1, f"{label}[{said}]", None)
                continue
            text, size = text_of(document, span, chars_max)
            rest = Span(span.start + size, span.stop) if size < span.size else None
            yield _Item(index + 1, label + in_one_line(text), span, rest)

    kept = {"pointer": pointer} if pointer else {}
    return _listed(document, records(), _Asked("records", asked.first, last, count, kept), chars_max, again)


def shown_value(document: Document, pointer: str, chars_max: int, again: Again) -> Shown:
    """The value at a pointer in a JSON document, as it is written."""
    span = document.json().span_of(pointer)
    text, size = text_of(document, span, chars_max)
    footer = ""
    if size < span.size:
        call = again(bytes=f"{span.start + size}:{span.stop}", form="text")
        footer = f"[cut at {chars_max:,} characters of {span.size:,} bytes; go on with {call}]"
    part = part_digest(document, span) if size == span.size else None
    return Shown(
        what=f'pointer "{visible(pointer)}"', body=text, footer=footer, parts=() if part is None else (part,)
    )


class _Asked(NamedTuple):
    """What was asked for: ``what`` from ``first`` to ``last`` of ``count``, and what goes with it."""

    what: str
    first: int
    last: int
    total: int
    kept: dict[str, str]


def _listed(
    document: Document, items: Iterator[_Item], asked: _Asked, chars_max: int, again: Again, head: str = ""
) -> Shown:
    """As many items as fit; one that does not fit alone is cut, and its bytes are named."""
    texts = [head] if head else []
    left, last, parts, footer = chars_max - len(head), 0, [], ""
    for item in items:
        if last and len(item.text) >= left:
            address = {asked.what: f"{item.number}-{asked.last}", **asked.kept}
            footer = f"[cut at {chars_max:,} characters; go on with {again(**address)}]"
            break
        text, rest = item.text, item.rest
        if len(text) > left:
            text, rest = fitting(text, max(left, 0)), item.span
        if rest is not None:
            text += f" [... cut: {again(bytes=f'{rest.start}:{rest.stop}', form='text')}]"
        elif item.span is not None and (part := part_digest(document, item.span)) is not None:
            parts.append(part)
        texts.append(text)
        last, left = item.number, left - len(text) - 1
    return Shown(
        what=f"{asked.what} {asked.first}-{last} of {asked.total:,}" if last else f"no {asked.what}",
        body="\n".join(texts),
        footer=footer or (f"[end of {asked.what}]" if asked.last == asked.total else ""),
        parts=tuple(parts),
    )


def _last(asked: Numbers, count: int, what: str, one: str) -> int:
    """The last number to be shown.

    Raises:
        SpanError: there is not even the first one.
    """
    if asked.first > max(1, count):
        raise SpanError(
            f"The file has {count:,} {what}; there is no {one} {asked.first:,}.",
            hint=f'The last ones: {one}s="{max(1, count - 9)}-{count}".' if count else "",
        )
    return count if asked.last is None else min(asked.last, count)
