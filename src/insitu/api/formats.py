"""The verbs over formats: many rows or records changed in one pass and one commit, in flat memory.

Each makes a mass edit (``insitu.edits``) and carries it out. Options are those of ``insitu.carry_out``; the
verbs for CSV also take what ``doc.csv()`` takes: delimiter, quote, escape, header, lenient, newline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from insitu.api.mass import carry_out
from insitu.api.opening import Path
from insitu.engine.receipt import Receipt

if TYPE_CHECKING:
    from insitu.formats.csv_dialect import Dialect
    from insitu.views.csv_mass import Short
    from insitu.views.streaming import MassEdit
    from insitu.views.transform_function import Function
    from insitu.views.transforming import By


def transform(
    path: Path,
    function: Function | str | MassEdit,
    *,
    by: By = "lines",
    context: int = 0,
    workers: int = 1,
    as_bytes: bool = False,
    **options: Any,
) -> Receipt:
    """Passes every item of a file through a function, or makes one of the built-in transforms.

    Arguments as ``insitu.edits.Transform``; or a mass edit, as ``insitu.edits.Drop("DEBUG")``, alone.

    Raises:
        FunctionError: the function raised; it names the item, and nothing was changed.
    """
    from insitu.views.transforming import Transform

    edit = function if hasattr(function, "batches") else Transform(function, by, context, workers, as_bytes)
    return carry_out(path, edit, **options)


def csv_update(
    path: Path,
    set: Mapping[str, str | None],
    where: str | None = None,
    *,
    null_empty: bool = False,
    short: Short = "refuse",
    expect: int | None = None,
    **options: Any,
) -> Receipt:
    """Sets cells in the rows that a condition is true of. Arguments as ``insitu.edits.CsvUpdate``.

    Raises:
        AmbiguousError: how the file is written is not certain; nothing was changed.
        ConditionError, FormatError, TextError, NoMatchError, ExpectationError: as the edit says.
    """
    from insitu.views.csv_mass import CsvUpdate

    return _csv(path, lambda dialect: CsvUpdate(set, where, dialect, null_empty, short, expect), options)


def csv_delete(
    path: Path, where: str, *, null_empty: bool = False, expect: int | None = None, **options: Any
) -> Receipt:
    """Deletes the rows that a condition is true of. Arguments and errors as ``csv_update``."""
    from insitu.views.csv_mass import CsvDelete

    return _csv(path, lambda dialect: CsvDelete(where, dialect, null_empty, expect), options)


def _csv(path: Path, edit: Callable[[Dialect], MassEdit], options: dict[str, Any]) -> Receipt:
    """Carries an edit out in the dialect that was given, and for the rest seems."""
    from insitu.views.csv_sniffing import Given, InDialect

    given = Given(**{name: options.pop(name) for name in Given._fields if name in options})
    return carry_out(path, InDialect(edit, given), **options)


def jsonl_update(
    path: Path,
    set: Mapping[str, object],
    where: str | None = None,
    *,
    key: Mapping[str, str | int] | None = None,
    **options: Any,
) -> Receipt:
    """Sets values, by JSON Pointer, in the records that a condition is true of.

    Arguments as ``insitu.edits.JsonlUpdate``.
    """
    from insitu.views.jsonl_mass import JsonlUpdate

    return carry_out(path, JsonlUpdate(dict(set), where, key), **options)


def jsonl_delete(
    path: Path, where: str | None = None, *, key: Mapping[str, str | int] | None = None, **options: Any
) -> Receipt:
    """Deletes the records that a condition is true of. Arguments as ``insitu.edits.JsonlDelete``."""
    from insitu.views.jsonl_mass import JsonlDelete

    return carry_out(path, JsonlDelete(where, key=key), **options)
