"""``file_edit_json``: values in JSON documents and JSON Lines records, by JSON Pointer."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from insitu.errors import ArgumentsError, NoMatchError
from insitu.views.json import Json
from insitu.views.jsonl import Jsonl
from insitu.workspace.changing import Edit, Made, Work, made_in
from insitu.workspace.expecting import check_seen
from insitu.workspace.request import Number, Tool

Operation = Literal["set", "insert", "append", "delete", "rename", "merge"]


class JsonEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One edit of a value, or of a whole record."""

    op: Operation = "set"
    pointer: Annotated[str, Meta(description='"/users/0"; "" is all.')] = ""
    value: Annotated[Any, Meta(description="For rename the new key.")] = msgspec.UNSET
    record: Annotated[Number | None, Meta(description="JSON Lines.")] = None


class EditJson(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_edit_json``."""

    tool: ClassVar[Tool] = Tool(
        "file_edit_json",
        "Edit JSON values",
        "Edit values of a JSON document, or (with record) of a JSON Lines file, in order, as one change. "
        "Everything else stays as written.",
        "edit",
    )

    edits: Annotated[list[JsonEdit], Meta(min_length=1)]

    def make(self, work: Work) -> Made:
        """Makes the edits in order; each sees those before."""
        document = work.document
        lines = any(edit.record is not None for edit in self.edits) or _is_jsonl(work)
        for number, edit in enumerate(self.edits, 1):
            if edit.op != "delete" and edit.value is msgspec.UNSET:
                raise ArgumentsError(
                    f"Edit {number} has no value to {edit.op}; nothing was changed.", hint="As value=42."
                )
            _check_seen(work, edit, lines=lines)
            if lines:
                _in_record(document.jsonl(), edit, number)
            else:
                _in_document(document.json(), edit)
        if not lines and document.changed:
            document.json().check()
        return made_in(document, len(self.edits))


def _check_seen(work: Work, edit: JsonEdit, *, lines: bool) -> None:
    """Refuses what would change another value than the caller saw; what is only added harms none."""
    if not work.moved_on or edit.op == "append":
        return
    what = edit.pointer if edit.record is None else f"record {edit.record} {edit.pointer}".rstrip()
    document, span = work.document, None
    if edit.op != "insert":
        try:
            if not lines:
                span = document.json().span_of(edit.pointer)
            elif edit.record is not None:
                span = document.jsonl().span_of(edit.record - 1, edit.pointer)
        except NoMatchError:
            return  # a new member
    check_seen(work, span, what or "the value")


def _is_jsonl(work: Work) -> bool:
    from insitu.formats.detection import detect
    from insitu.views.inspection import SAMPLE_BYTES

    document = work.document
    sample = document.read(0, min(SAMPLE_BYTES, document.size))
    return detect(document.path, sample, more=len(sample) < document.size).format == "jsonl"


def _in_document(document: Json, edit: JsonEdit) -> None:
    match edit.op:
        case "set":
            document.set(edit.pointer, edit.value)
        case "insert":
            document.insert(edit.pointer, edit.value)
        case "append":
            document.append(edit.pointer, edit.value)
        case "delete":
            document.delete(edit.pointer)
        case "rename":
            document.rename(edit.pointer, _key(edit))
        case "merge":
            document.merge(edit.value, edit.pointer)


def _in_record(table: Jsonl, edit: JsonEdit, number: int) -> None:
    if edit.op == "append" and edit.record is None and not edit.pointer:
        table.append(edit.value)
        return
    if edit.record is None:
        raise ArgumentsError(
            f"Edit {number} does not say which record; nothing was changed.",
            hint="The file is JSON Lines: give record=N, from 1; op=append without one adds a record.",
        )
    index = edit.record - 1
    match edit.op:
        case "set":
            table.set(index, edit.pointer, edit.value)
        case "insert" if not edit.pointer:
            table.insert(index, edit.value)
        case "delete" if not edit.pointer:
            table.delete(index)
        case "delete":
            table.delete_value(index, edit.pointer)
        case "rename":
            table.rename(index, edit.pointer, _key(edit))
        case "merge":
            table.merge(index, edit.value, edit.pointer)
        case "insert":
            table.patch(index, [{"op": "add", "path": edit.pointer, "value": edit.value}])
        case "append":
            table.patch(index, [{"op": "add", "path": f"{edit.pointer}/-", "value": edit.value}])


def _key(edit: JsonEdit) -> str:
    if not isinstance(edit.value, str):
        raise ArgumentsError(
            "To rename a key, value is the new key, a text; nothing was changed.", hint='As value="name".'
        )
    return edit.value
