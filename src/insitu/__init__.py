"""Edit parts of huge files in place: crash-safe, undoable, in bounded memory."""

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
