"""``insitu delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from insitu.cli.addresses import Address, address_options
from insitu.cli.editing import check_expected, edit
from insitu.cli.options import EditOptions, edit_options, file_argument, verb
from insitu.cli.output import Output, byte_size, counted

if TYPE_CHECKING:
    import insitu


@verb("delete")
@file_argument
@address_options(required=True)
@edit_options(expect=True)
def delete(file: str, address: Address, options: EditOptions, output: Output) -> None:
    """Remove the bytes or lines at an address.

    Lines go with their endings. What follows moves up; the plan (--dry-run) shows what that costs.

        insitu delete orders.log --lines 1-1000000 --dry-run

        insitu delete orders.log --match "DEBUG: remove me" --atomic

    A crash leaves the old file or the new one: until the edit is safely noted the old one; from then on,
    the next command that may write finishes it.
    """

    def change(doc: insitu.Document) -> str:
        span = address.locate(doc)
        check_expected(doc, span, options.expect, by_lines=address.by_lines)
        doc.replace_span(span, b"")
        what = f"{address} ({byte_size(span.size)})" if address.by_lines else counted(span.size, "byte")
        return f"deleted {what}"

    edit(file, options, output, change, label="Deleting")
