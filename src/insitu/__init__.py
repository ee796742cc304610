"""Edit parts of huge files in place: crash-safe, undoable, in bounded memory.

The public names are loaded when they are first used, so that a program (and the command line's help) pays
only for what it calls.
"""

from typing import TYPE_CHECKING

from insitu.lazy_names import lazy_names

if TYPE_CHECKING:
    from insitu.api.drafts import (
        commit_draft,
        draft_diff,
        draft_status,
        drop_draft,
        start_draft,
    )
    from insitu.api.editing import (
        append,
        apply,
        delete,
        editing,
        insert,
        preview_apply,
        write,
    )
    from insitu.api.formats import (
        csv_delete,
        csv_update,
        jsonl_delete,
        jsonl_update,
        transform,
    )
    from insitu.api.mass import (
        carry_out,
        preview,
        preview_replace,
        replace,
    )
    from insitu.api.opening import (
        build_index,
        create,
        doctor,
        extent,
        follow,
        info,
        open,
        pending_below,
        read,
    )
    from insitu.api.operations import (
        ReversalPreview,
        diff,
        history,
        preview_redo,
        preview_undo,
        recover,
        redo,
        undo,
    )
    from insitu.api.transactions import (
        Transaction,
        apply_together,
        preview_together,
        transaction,
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
    from insitu.engine.history import (
        Operation,
    )
    from insitu.engine.receipt import (
        Receipt,
    )
    from insitu.engine.recover import (
        Recovered,
    )
    from insitu.engine.together import (
        TransactionReceipt,
    )
    from insitu.errors import (
        InsituError,
    )
    from insitu.views.chunk import (
        Chunk,
    )
    from insitu.views.chunks import (
        Chunks,
    )
    from insitu.views.draft_status import (
        DraftStatus,
    )
    from insitu.views.edits import (
        Edit,
        parse_changes,
        parse_edits,
    )
    from insitu.views.streaming import (
        Preview,
    )
    from insitu.workspace.workspace import (
        Workspace,
    )

_HOMES = {
    "commit_draft": "insitu.api.drafts",
    "draft_diff": "insitu.api.drafts",
    "draft_status": "insitu.api.drafts",
    "drop_draft": "insitu.api.drafts",
    "start_draft": "insitu.api.drafts",
    "DraftStatus": "insitu.views.draft_status",
    "follow": "insitu.api.opening",
    "jsonl_delete": "insitu.api.formats",
    "jsonl_update": "insitu.api.formats",
    "csv_delete": "insitu.api.formats",
    "csv_update": "insitu.api.formats",
    "transform": "insitu.api.formats",
    "preview": "insitu.api.mass",
    "carry_out": "insitu.api.mass",
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
    "preview_redo": "insitu.api.operations",
    "preview_undo": "insitu.api.operations",
    "ReversalPreview": "insitu.api.operations",
    "recover": "insitu.api.operations",
    "redo": "insitu.api.operations",
    "replace": "insitu.api.mass",
    "undo": "insitu.api.operations",
    "apply_together": "insitu.api.transactions",
    "preview_together": "insitu.api.transactions",
    "transaction": "insitu.api.transactions",
    "Transaction": "insitu.api.transactions",
    "TransactionReceipt": "insitu.engine.together",
    "parse_changes": "insitu.views.edits",
    "write": "insitu.api.editing",
    "Workspace": "insitu.workspace.workspace",
    "Policy": "insitu.core.policy",
    "Span": "insitu.core.spans",
    "Document": "insitu.document",
    "Receipt": "insitu.engine.receipt",
    "Operation": "insitu.engine.history",
    "Recovered": "insitu.engine.recover",
    "InsituError": "insitu.errors",
    "Preview": "insitu.views.streaming",
    "Chunk": "insitu.views.chunk",
    "Chunks": "insitu.views.chunks",
    "Edit": "insitu.views.edits",
    "parse_edits": "insitu.views.edits",
}

__all__ = [
    "Chunk",
    "Chunks",
    "Document",
    "DraftStatus",
    "Edit",
    "InsituError",
    "Operation",
    "Policy",
    "Preview",
    "Receipt",
    "Recovered",
    "ReversalPreview",
    "Span",
    "Transaction",
    "TransactionReceipt",
    "Workspace",
    "append",
    "apply",
    "apply_together",
    "build_index",
    "carry_out",
    "commit_draft",
    "create",
    "csv_delete",
    "csv_update",
    "delete",
    "diff",
    "doctor",
    "draft_diff",
    "draft_status",
    "drop_draft",
    "editing",
    "extent",
    "follow",
    "history",
    "info",
    "insert",
    "jsonl_delete",
    "jsonl_update",
    "open",
    "parse_changes",
    "parse_edits",
    "pending_below",
    "preview",
    "preview_apply",
    "preview_redo",
    "preview_replace",
    "preview_together",
    "preview_undo",
    "read",
    "recover",
    "redo",
    "replace",
    "start_draft",
    "transaction",
    "transform",
    "undo",
    "write",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
