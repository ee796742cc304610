"""Edit parts of huge files in place: crash-safe, undoable, in bounded memory.

The public names are loaded when they are first used, so that a program (and the command line's help) pays
only for what it calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from insitu.api import (
        Preview,
        append,
        apply,
        build_index,
        create,
        delete,
        diff,
        doctor,
        editing,
        extent,
        history,
        info,
        insert,
        open,
        pending_below,
        preview_apply,
        preview_replace,
        read,
        recover,
        redo,
        replace,
        undo,
        write,
    )
    from insitu.core.policy import (
        Policy,
    )
    from insitu.core.spans import (
        Span,
    )
    from insitu.document import (
        Document,
    )
    from insitu.engine.commit import (
        Receipt,
    )
    from insitu.engine.history import (
        Operation,
    )
    from insitu.engine.recover import (
        Recovered,
    )
    from insitu.errors import (
        InsituError,
    )
    from insitu.views.edits import (
        Edit,
        parse_edits,
    )

_HOMES = {
    "Preview": "insitu.api",
    "append": "insitu.api",
    "apply": "insitu.api",
    "build_index": "insitu.api",
    "create": "insitu.api",
    "delete": "insitu.api",
    "diff": "insitu.api",
    "doctor": "insitu.api",
    "editing": "insitu.api",
    "extent": "insitu.api",
    "history": "insitu.api",
    "info": "insitu.api",
    "insert": "insitu.api",
    "open": "insitu.api",
    "pending_below": "insitu.api",
    "preview_apply": "insitu.api",
    "preview_replace": "insitu.api",
    "read": "insitu.api",
    "recover": "insitu.api",
    "redo": "insitu.api",
    "replace": "insitu.api",
    "undo": "insitu.api",
    "write": "insitu.api",
    "Policy": "insitu.core.policy",
    "Span": "insitu.core.spans",
    "Document": "insitu.document",
    "Receipt": "insitu.engine.commit",
    "Operation": "insitu.engine.history",
    "Recovered": "insitu.engine.recover",
    "InsituError": "insitu.errors",
    "Edit": "insitu.views.edits",
    "parse_edits": "insitu.views.edits",
}

__all__ = [
    "Document",
    "Edit",
    "InsituError",
    "Operation",
    "Policy",
    "Preview",
    "Receipt",
    "Recovered",
    "Span",
    "append",
    "apply",
    "build_index",
    "create",
    "delete",
    "diff",
    "doctor",
    "editing",
    "extent",
    "history",
    "info",
    "insert",
    "open",
    "parse_edits",
    "pending_below",
    "preview_apply",
    "preview_replace",
    "read",
    "recover",
    "redo",
    "replace",
    "undo",
    "write",
]


def __getattr__(name: str) -> object:
    """Loads a public name on its first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'insitu' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
