"""``insitu write``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from insitu.cli.addresses import Address, address_options
from insitu.cli.editing import check_expected, edit
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, counted
from insitu.cli.texts import Text, text_options

if TYPE_CHECKING:
    import insitu


@verb("write")
@file_argument
@address_options(required=True)
@text_options
@edit_options(expect=True)
def write(file: str, address: Address, text: Text, options: EditOptions, output: Output) -> None:
    """Put new text in the place of the bytes or lines at an address.

    The text may be longer or shorter than what it replaces. Lines take the line ending of those they
    replace, unless --exact.

        insitu write orders.log --lines 1200-1201 --text "2026-03-14 ok" --expect "2026-03-14 failed"

        insitu write disk.img --bytes 512:516 --hex "de ad be ef" --dry-run

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """

    def change(doc: insitu.Document) -> str:
        span = address.locate(doc)
        check_expected(doc, span, options.expect, by_lines=address.by_lines)
        if not address.by_lines or text.exact:
            text.put(doc, span)
            return f"wrote new content over {counted(span.size, 'byte')}"
        first, stop = address.line_indexes(doc)
        doc.lines[first:stop] = text.split_lines(doc)
        return f"wrote {address} anew"

    edit(file, options, output, change, label="Writing")
