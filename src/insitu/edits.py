"""The mass edits, as values: hand one to ``insitu.carry_out``, ``insitu.preview`` or ``doc.make``.

    insitu.carry_out("huge.log", edits.Drop("DEBUG"))
    insitu.carry_out("orders.csv", edits.CsvUpdate({"status": "done"}, where="value > 1000", dialect=dialect))

Each is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from insitu.lazy_names import lazy_names

if TYPE_CHECKING:
    from insitu.views.csv_apply import (
        CsvApply,
    )
    from insitu.views.csv_columns import (
        CsvAddColumn,
        CsvDropColumn,
        CsvMoveColumn,
        CsvRenameColumn,
    )
    from insitu.views.csv_frames import (
        CsvFrames,
        FrameOptions,
    )
    from insitu.views.csv_mass import (
        CsvDelete,
        CsvUpdate,
    )
    from insitu.views.jsonl_mass import (
        JsonlCompact,
        JsonlDelete,
        JsonlUpdate,
    )
    from insitu.views.markdown_compact import (
        CompactMarkdown,
    )
    from insitu.views.record_update import (
        RecordUpdate,
    )
    from insitu.views.replacing import (
        Replace,
    )
    from insitu.views.transform_dedupe import (
        Dedupe,
    )
    from insitu.views.transform_ends import (
        LineEnds,
        Number,
        Trim,
    )
    from insitu.views.transform_patterns import (
        Drop,
        Keep,
        Redact,
        Substitute,
    )
    from insitu.views.transforming import (
        Transform,
    )

_HOMES = {
    "CsvApply": "insitu.views.csv_apply",
    "CsvAddColumn": "insitu.views.csv_columns",
    "CsvDropColumn": "insitu.views.csv_columns",
    "CsvMoveColumn": "insitu.views.csv_columns",
    "CsvRenameColumn": "insitu.views.csv_columns",
    "CsvFrames": "insitu.views.csv_frames",
    "FrameOptions": "insitu.views.csv_frames",
    "CsvDelete": "insitu.views.csv_mass",
    "CsvUpdate": "insitu.views.csv_mass",
    "JsonlCompact": "insitu.views.jsonl_mass",
    "JsonlDelete": "insitu.views.jsonl_mass",
    "JsonlUpdate": "insitu.views.jsonl_mass",
    "CompactMarkdown": "insitu.views.markdown_compact",
    "RecordUpdate": "insitu.views.record_update",
    "Replace": "insitu.views.replacing",
    "Dedupe": "insitu.views.transform_dedupe",
    "LineEnds": "insitu.views.transform_ends",
    "Number": "insitu.views.transform_ends",
    "Trim": "insitu.views.transform_ends",
    "Drop": "insitu.views.transform_patterns",
    "Keep": "insitu.views.transform_patterns",
    "Redact": "insitu.views.transform_patterns",
    "Substitute": "insitu.views.transform_patterns",
    "Transform": "insitu.views.transforming",
}

__all__ = [
    "CompactMarkdown",
    "CsvAddColumn",
    "CsvApply",
    "CsvDelete",
    "CsvDropColumn",
    "CsvFrames",
    "CsvMoveColumn",
    "CsvRenameColumn",
    "CsvUpdate",
    "Dedupe",
    "Drop",
    "FrameOptions",
    "JsonlCompact",
    "JsonlDelete",
    "JsonlUpdate",
    "Keep",
    "LineEnds",
    "Number",
    "RecordUpdate",
    "Redact",
    "Replace",
    "Substitute",
    "Transform",
    "Trim",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
