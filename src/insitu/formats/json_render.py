"""New JSON values written as their neighbours are: white space, colons, indentation."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.formats.json_syntax import fault_in
from insitu.formats.json_tree import ARRAY, OBJECT, Child, Tree, kind_of

# White space longer than this is padding, not style.
_STYLE_BYTES_MAX = 256

_DEFAULT_UNIT = b"  "

# A neighbour larger than this is not looked into for how it is written.
_LOOKED_AT_BYTES_MAX = 64 << 10


class Style(NamedTuple):
    """How the children of a container are set."""

    gap: bytes = b" "
    """White space between a comma and the child behind it."""
    colon: bytes = b": "
    unit: bytes = _DEFAULT_UNIT
    """What each level is indented by, where children stand on lines of their own."""
    flat: tuple[bytes, bytes] | None = None
    """Gap and colon inside children, where they stand on lines but are themselves written on one."""

    @property
    def on_lines(self) -> bool:
        """Whether children stand on lines of their own."""
        return b"\n" in self.gap or b"\r" in self.gap

    @property
    def indent(self) -> bytes:
        """What stands before a child on its line."""
        return self.gap[len(self.gap.rstrip(b" \t")) :]

    @property
    def newline(self) -> bytes:
        """What ends a line."""
        return b"\r\n" if b"\r\n" in self.gap else b"\r" if b"\n" not in self.gap else b"\n"

    def inner(self) -> Style:
        """The style one level further in."""
        return self._replace(gap=self.gap + self.unit) if self.on_lines else self

    def outer(self) -> bytes:
        """The white space before the closing bracket of a container whose children are set so."""
        return self.gap.removesuffix(self.unit) if self.on_lines else b""


def written(value: Any, style: Style) -> bytes:
    """The bytes of a value: a Python value in the style, or JSON (``msgspec.Raw``) as it stands.

    Raises:
        RequestError: it is no value that JSON has, or text that is not JSON; nothing was changed.
    """
    import msgspec

    if isinstance(value, msgspec.Raw):
        data = bytes(value).strip(b" \t\r\n")
        if fault := fault_in(data):
            raise RequestError(
                f"The new value is not JSON: {fault.reason}, at its byte {fault.offset}; nothing changed.",
                hint="A text goes in double quotes: '\"text\"'.",
                offset=fault.offset,
            )
        return data
    gap, colon = style.flat or (b"" if style.on_lines else style.gap, style.colon)
    separators = ("," + gap.decode(), colon.decode())
    spread = style.on_lines and style.flat is None
    indent = style.unit.decode() if spread else None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        data = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON has it as an escape only
        data = json.dumps(value, allow_nan=False, indent=indent, separators=separators).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(
            f"The new value cannot be written as JSON: {error}; nothing was changed.",
            hint="JSON has texts, numbers (not NaN, not infinite), true, false, null, lists and dicts.",
        ) from error
    return data.replace(b"\n", style.newline + style.indent) if spread else data


def style_in(tree: Tree, path: list[Child], last: Child | None) -> Style:
    """The style that a new child of the last container on a path takes.

    Args:
        path: from the root to the container.
        last: the last child that the container has.
    """
    unit = _unit(tree, path)
    colon = _colon(tree, [*path, last] if last else path)
    if last is not None:
        gap = _gap(tree, last)
        if b"\n" in gap:
            indent, outer_indent = _indent(gap), _indent(_gap(tree, path[-1]))
            if indent.startswith(outer_indent) and indent != outer_indent:
                unit = indent[len(outer_indent) :]
            return Style(gap, colon or b": ", unit, _flat(tree, last))
        if last.ordinal:
            return Style(gap, colon or b":" + gap[:1], unit)
    elif b"\n" in (outer := _gap(tree, path[-1])):
        # Empty brackets on a line of their own: what comes into them is set on lines, too.
        return Style(outer + unit, colon or b": ", unit)
    gaps = [_gap(tree, child) for child in reversed(path) if child.ordinal]
    inline = next((gap for gap in gaps if b"\n" not in gap), None)
    colon = colon or (b": " if inline is None else b":" + inline[:1])
    if inline is None:
        inline = b" " if colon.endswith(b" ") else b""
    return Style(inline, colon, unit)


def _flat(tree: Tree, child: Child) -> tuple[bytes, bytes] | None:
    """Gap and colon inside a child that is written on one line; None for any other."""
    if child.value.size > _LOOKED_AT_BYTES_MAX or kind_of(tree, child.value) not in (OBJECT, ARRAY):
        return None
    last = tree.survey(child.value).last
    if last is None or b"\n" in (gap := _gap(tree, last)):
        return None
    colon = _colon(tree, [last]) or _colon(tree, [child]) or b": "
    return (gap if last.ordinal else colon.partition(b":")[2]), colon


def _indent(gap: bytes) -> bytes:
    """What a gap indents by; nothing where it has no line end."""
    return gap[len(gap.rstrip(b" \t")) :] if b"\n" in gap else b""


def _unit(tree: Tree, path: list[Child]) -> bytes:
    depths = [_indent(_gap(tree, child)) for child in path]
    for outer, inner in zip(reversed(depths[:-1]), reversed(depths[1:]), strict=True):
        if inner.startswith(outer) and inner != outer:
            return inner[len(outer) :]
    return _DEFAULT_UNIT


def _colon(tree: Tree, path: list[Child]) -> bytes | None:
    for child in reversed(path):
        if child.key is not None and child.value.start - child.key.stop <= _STYLE_BYTES_MAX:
            return tree.read(Span(child.key.stop, child.value.start))
    return None


def _gap(tree: Tree, child: Child) -> bytes:
    """The white space before a child; without what is padding in it."""
    if child.before < 0:
        return b""
    start = max(child.before + 1, child.start - _STYLE_BYTES_MAX)
    gap = tree.read(Span(start, child.start))
    if start == child.before + 1:
        return gap
    return gap[gap.rfind(b"\n") :] if b"\n" in gap else b" "
