"""``file_replace_all``: every occurrence, previewed first and then applied exactly as shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from msgspec import Meta

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, listed
from insitu.core.spans import Span
from insitu.errors import (
    ArgumentsError,
    ExpectationError,
    LimitError,
    NoMatchError,
    StaleError,
    TextError,
)
from insitu.scan.search import compile_literal, compile_regex
from insitu.views.editable import PENDING_MAX
from insitu.views.replacing import Replace
from insitu.views.streaming import Source
from insitu.workspace.call import Call
from insitu.workspace.changing import Changed, Place
from insitu.workspace.described import line_ending, version_of
from insitu.workspace.locating import lines_span, shown_place
from insitu.workspace.plans import Plan
from insitu.workspace.ranges import numbers
from insitu.workspace.request import Number, OfFile, Tool
from insitu.workspace.scanning import OutOfTime, counted, matches, out_of_time

if TYPE_CHECKING:
    from insitu.scan.patterns import Pattern
    from insitu.workspace.desk import Desk, Opened

_SAMPLES: Final = 10


class Replaced(Changed):
    """What was, or would be, replaced.

    Args:
        plan: apply with it, within 15 minutes, exactly what was previewed.
        samples: the first places, as ``id line: text``.
    """

    plan: str = ""
    samples: tuple[str, ...] = ()

    def sentence(self) -> str:
        if self.plan:
            return (
                f"Nothing written yet: {self.count:,} places in {self.path} would be replaced. To do it, "
                f'call file_replace_all again with the same arguments and plan="{self.plan}".'
            )
        return Changed.sentence(self)


@dataclass(frozen=True)
class _Checked:
    """A mass edit, and what is to be checked once the file is locked for it."""

    edit: Replace
    check: Callable[[], None]

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """As of ``MassEdit``."""
        self.check()
        yield from self.edit.batches(source, progress, cancel)


class ReplaceAll(OfFile[Replaced], frozen=True, kw_only=True):
    """Arguments of ``file_replace_all``."""

    tool: ClassVar[Tool] = Tool(
        "file_replace_all",
        "Replace everywhere in a file",
        "Replace every occurrence of a text or RE2 expression. Without plan it only counts, shows samples "
        "and gives a plan; call again with that plan to apply it. A right expected_count applies at once.",
        "edit",
    )

    pattern: Annotated[str, Meta(min_length=1)]
    replacement: Annotated[str, Meta(description=r"\1 is a group of a regex.")]
    mode: Literal["literal", "regex"] = "literal"
    within: Annotated[str | None, Meta(description='Lines "10-90".')] = None
    expected_count: Number | None = None
    plan: str | None = None
    ids: Annotated[list[int] | None, Meta(description="Of the samples to apply.")] = None

    def run(self, desk: Desk, call: Call) -> Replaced:
        """Previews, or applies what was previewed."""
        if self.plan is None and self.expected_count is None:
            return self._previewed(desk, call)
        plan = None if self.plan is None else desk.plans.find(self.plan)
        if plan is not None and plan.arguments != self._arguments():
            raise ArgumentsError(
                "The plan is of other arguments; nothing was changed.",
                hint="Send the arguments of the preview with it, or preview again.",
            )
        if self.within is not None or self.ids is not None:
            return self._applied_to_places(desk, call, plan)
        return self._applied_to_all(desk, call, plan)

    def _arguments(self) -> tuple[object, ...]:
        return (self.path, self.pattern, self.replacement, self.mode, self.within)

    def _edit(self, opened: Opened, expected: int | None = None, within: Span | None = None) -> Replace:
        """The replacement; line endings of a literal text are those of the file."""
        pattern, replacement = self.pattern, self.replacement
        if self.mode == "literal" and "\r" not in pattern and line_ending(opened.document) == "CRLF":
            pattern, replacement = pattern.replace("\n", "\r\n"), replacement.replace("\n", "\r\n")
        return Replace(pattern, replacement, None, expected, self.mode == "regex", within=within)

    def _pattern(self, opened: Opened) -> Pattern:
        if self.mode == "regex" and opened.document.text.unit > 1:
            raise TextError(
                f"{opened.shown_path} is {opened.document.encoding}, in which only literal text is replaced; "
                "nothing was changed.",
                hint='Use mode="literal".',
            )
        edit = self._edit(opened)
        assert isinstance(edit.old, str)
        text = opened.document.text
        return compile_regex(edit.old) if edit.regex else compile_literal(text.encode(edit.old), text.unit)

    def _span(self, opened: Opened) -> Span:
        if self.within is None:
            return Span(0, opened.document.size)
        within = numbers(self.within, "lines")
        return lines_span(opened.document, within.first, within.last)

    def _previewed(self, desk: Desk, call: Call) -> Replaced:
        with desk.reading(self.path, call) as opened:
            document, pattern, span = opened.document, self._pattern(opened), self._span(opened)
            pattern.template(document.text.encode(self.replacement))  # refused now, not when it is applied
            found = islice(matches(document, pattern, span, call), _SAMPLES)
            try:
                samples = [
                    f"{number} {shown_place(document, match)}" for number, match in enumerate(found, 1)
                ]
                count = len(samples)
                if count == _SAMPLES:
                    hint = "Count within ranges of lines, or give expected_count to apply without a preview."
                    count = counted(document, pattern, span, opened.shown_path, call, hint)
            except OutOfTime as late:
                raise out_of_time(opened.shown_path, call, late, document.size) from None
            if not count:
                where = "" if self.within is None else f"lines {self.within} of "
                raise NoMatchError(
                    f"The {'text' if self.mode == 'literal' else 'expression'} occurs nowhere in "
                    f"{where}{opened.shown_path}; nothing was changed.",
                    hint="Search for a shorter part of it with file_search.",
                )
            version = version_of(document.generation)
            plan = desk.plans.keep(Plan(opened.shown_path, version, self._arguments(), count))
            return Replaced(
                path=opened.shown_path,
                edit_id=0,
                version=version,
                count=count,
                dry_run=True,
                plan=plan,
                samples=tuple(samples),
            )

    def _applied_to_all(self, desk: Desk, call: Call, plan: Plan | None) -> Replaced:
        """Streams any number of replacements in one commit."""
        expected = plan.count if plan is not None else self.expected_count

        def check() -> None:
            with desk.reading(self.path, call) as opened:
                self._check_version(opened, plan)

        with desk.reading(self.path, call) as opened:
            edit = self._edit(opened, expected)
        shown, receipt = desk.carry_out(self.path, _Checked(edit, check), call)
        return Replaced.made_by(shown, receipt, receipt.splices)

    def _applied_to_places(self, desk: Desk, call: Call, plan: Plan | None) -> Replaced:
        """Replaces the chosen places, or those of some lines."""
        with desk.editing(self.path, call) as opened:
            self._check_version(opened, plan)
            document = opened.document
            edits = self._edits(opened, call)
            expected = plan.count if plan is not None else self.expected_count
            if len(edits) != expected:
                raise ExpectationError(
                    f"{len(edits):,} places would be replaced, and {expected:,} are expected; nothing was "
                    "changed.",
                    hint="Preview again.",
                    found=len(edits),
                )
            if self.ids is not None:
                wanted = set(self.ids)
                if not wanted or wanted - set(range(1, len(edits) + 1)):
                    raise ArgumentsError(
                        f"ids name places from 1 to {len(edits)}; nothing was changed.",
                        hint="Take them from the samples of the preview.",
                    )
                edits = [edit for number, edit in enumerate(edits, 1) if number in wanted]
            document.replace_spans(edits)
            receipt = desk.commit(opened, call)
            if receipt is None:
                version = version_of(document.generation)
                return Replaced(path=opened.shown_path, edit_id=0, version=version, count=0)
            places = (Place(f"{len(edits):,} places"),)
            return Replaced.made_by(opened.shown_path, receipt, len(edits), changes=places)

    def _edits(self, opened: Opened, call: Call) -> list[tuple[Span, bytes]]:
        """Every replacement in the lines that are asked for."""
        document, span = opened.document, self._span(opened)
        source = Source(document, document.text, document.path)
        edits: list[tuple[Span, bytes]] = []
        for batch in self._edit(opened, within=span).batches(source, call.progress, call.cancelled):
            edits += listed(batch)
            if len(edits) > PENDING_MAX:
                raise LimitError(
                    f"More than {PENDING_MAX:,} places, too many to choose from; nothing was changed.",
                    hint="Replace all of them, without ids and within.",
                )
        return edits

    def _check_version(self, opened: Opened, plan: Plan | None) -> None:
        """A plan is of one version: what it would do to another was never shown."""
        version = version_of(opened.document.generation)
        if plan is not None and plan.version != version:
            raise StaleError(
                f"{opened.shown_path} changed since the plan was made; nothing was changed.",
                hint="Preview again without plan.",
                version=version,
            )
