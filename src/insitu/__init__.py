"""Edit parts of huge files in place: crash-safe, undoable, in bounded memory.

The public names are loaded when they are first used, so that a program (and the command line's help) pays
only for what it calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from insitu.api.editing import (
        append,
        apply,
        delete,
        editing,
        insert,
        preview_apply,
        write,
    )
    from insitu.api.mass import (
        preview_replace,
        replace,
    )
    from insitu.api.opening import (
        build_index,
        create,
        doctor,
        extent,
        info,
        open,
        pending_below,
        read,
    )
    from insitu.api.operations import (
        diff,
        history,
        recover,
        redo,
        undo,
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
    from insitu.views.streaming import (
        Preview,
    )

_HOMES = {
    "append": "insitu.api.editing",
    "apply": "insitu.api.editing",
    "build_index": "insitu.api.opening",
    "create": "insitu.api.opening",
    "delete": "insitu.api.editing",
    "diff": "insitu.api.operations",
    "doctor": "insitu.api.opening",
    "editing": "insitu.api.editing",
    "extent": "insitu.api.opening",
    "history": "insitu.api.operations",
    "info": "insitu.api.opening",
    "insert": "insitu.api.editing",
    "open": "insitu.api.opening",
    "pending_below": "insitu.api.opening",
    "preview_apply": "insitu.api.editing",
    "preview_replace": "insitu.api.mass",
    "read": "insitu.api.opening",
    "recover": "insitu.api.operations",
    "redo": "insitu.api.operations",
    "replace": "insitu.api.mass",
    "undo": "insitu.api.operations",
    "write": "insitu.api.editing",
    "Policy": "insitu.core.policy",
    "Span": "insitu.core.spans",
    "Document": "insitu.document",
    "Receipt": "insitu.engine.commit",
    "Operation": "insitu.engine.history",
    "Recovered": "insitu.engine.recover",
    "InsituError": "insitu.errors",
    "Preview": "insitu.views.streaming",
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
