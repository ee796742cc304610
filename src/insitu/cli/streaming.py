"""How a mass edit runs: spooled and committed in flat memory, or shown (``--dry-run``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from insitu.cli.drafting import edit_draft
from insitu.cli.editing import show_receipt
from insitu.cli.options import EditOptions
from insitu.cli.output import Output, counted
from insitu.cli.progress import work
from insitu.core.spans import Span
from insitu.errors import ExpectationError

if TYPE_CHECKING:
    from insitu.core.protocols import Cancel, Progress
    from insitu.core.replacements import Replacements
    from insitu.engine.receipt import Receipt
    from insitu.views.streaming import MassEdit, Preview, Source

# So many places are named in a preview: as many as its diff shows.
_PLACES_MAX: Final = 20


def stream(
    file: str,
    edit: MassEdit,
    options: EditOptions,
    output: Output,
    *,
    label: str,
    done: Callable[[int], str],
    places: Callable[[list[Span]], list[dict[str, Any]]] | None = None,
) -> None:
    """Carries a mass edit out, or previews it, and says so.

    Args:
        label: what the progress bar calls it, as ``Updating``.
        done: says what was done from the number of places that changed, as ``updated 3 cells``.
        places: what a preview calls the first places that change, as ``{"row": 7, "column": "status"}``.

    Raises:
        ExpectationError: the file is not at the generation asked for.
    """
    import insitu

    if options.draft:
        edit_draft(file, options, output, lambda doc: done(doc.make(edit)))
        return
    first = _First(edit)
    result = streamed(file, first if places else edit, options, output, label=label)
    if isinstance(result, insitu.Preview):
        _show(file, result, places(first.spans) if places else None, output)
    else:
        show_receipt(result, file, done(result.splices), output)


def streamed(
    file: str, edit: MassEdit, options: EditOptions, output: Output, *, label: str
) -> Receipt | Preview:
    """Carries a mass edit out, or previews it; see ``stream``."""
    import insitu

    if options.dry_run:
        # For reading: refuses a file whose interrupted commit an opening for writing would finish.
        insitu.open(file, "r").close()
    if options.if_generation is not None:
        edit = _AtGeneration(edit, options.if_generation)
    call = insitu.preview if options.dry_run else insitu.carry_out
    with work(label, silent=output.quiet or output.as_json) as run:
        result: Receipt | Preview = call(
            file,
            edit,
            encoding=options.encoding,
            policy=options.policy(),
            lock_timeout_s=options.lock_timeout,
            progress=run.progress,
            cancel=run.cancel,
        )
    return result


def _show(file: str, preview: Preview, places: list[dict[str, Any]] | None, output: Output) -> None:
    """Shows what a mass edit would do."""
    choice = preview.choice
    for place in places or ():
        output.result(" ".join(f"{name} {value}" for name, value in place.items()) + "\n")
    if places and preview.splices > len(places):
        output.result(f"... and {counted(preview.splices - len(places), 'more place')}\n")
    output.result(preview.diff)
    output.result(f"{choice or 'plan: none, for nothing would change'}\n")
    output.message(f"{file}: dry run, nothing was changed")
    fields = {"path": file, "dry_run": True, "plan": choice.as_dict() if choice else None}
    named = {} if places is None else {"places": places}
    output.fields({**fields, "diff": preview.diff, "splices": preview.splices, **named})


class _First:
    """A mass edit that notes where its first places are."""

    def __init__(self, edit: MassEdit) -> None:
        self._edit = edit
        self.spans: list[Span] = []

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """As the edit's own."""
        from insitu.core.replacements import listed

        for batch in self._edit.batches(source, progress, cancel):
            if left := _PLACES_MAX - len(self.spans):
                self.spans += (span for span, _ in islice(listed(batch), left))
            yield batch


@dataclass(frozen=True, slots=True)
class _AtGeneration:
    """A mass edit that refuses a file which is not at the generation the caller saw."""

    edit: MassEdit
    token: str

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """As the edit's own, once the generation was checked under the lock."""
        from insitu.engine.snapshot import Snapshot

        assert isinstance(source.reader, Snapshot)
        found = source.reader.generation.token
        if found != self.token:
            raise ExpectationError(
                f"{source.path} is at generation {found}, not {self.token}; nothing was changed.",
                hint="Look at it again: insitu info FILE",
                expected=self.token,
                found=found,
            )
        yield from self.edit.batches(source, progress, cancel)
