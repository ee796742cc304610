"""Search and replace as a mass edit: any number of matches, flat memory, one commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, filled
from insitu.errors import RequestError
from insitu.views.streaming import Source, check_expected
from insitu.views.text import Encoding

Engine = Literal["auto", "re2", "re"]


@dataclass(frozen=True, slots=True)
class Replace:
    """What to replace by what, and how often: a mass edit.

    Args:
        count: how many at most; None means all.
        expect: exactly so many matches there must be; None means any number.
    """

    old: bytes | str
    new: bytes | str
    count: int | None = None
    expect: int | None = None
    regex: bool = False
    engine: Engine = "auto"

    def __post_init__(self) -> None:
        check_count(self.count)

    def unit(self, text: Encoding) -> bytes | None:
        """What each splice replaces, where that is the same for all."""
        return None if self.regex else _bytes_of(self.old, text)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the replacements, by one scan on every core.

        Raises:
            NoMatchError, ExpectationError: not as many matches as expected.
        """
        from insitu.scan.search import compile_literal, compile_regex, locate

        new = _bytes_of(self.new, source.text)
        if self.regex:
            pattern = compile_regex(self.old, engine=self.engine)
        else:
            pattern = compile_literal(_bytes_of(self.old, source.text))
        template = pattern.template(new)
        count = 0
        for matches in locate(source.reader, pattern, progress=progress, cancel=cancel):
            taken = len(matches)
            if self.count is not None and self.expect is None:
                taken = min(taken, self.count - count)
            starts, stops = matches.starts[:taken], matches.stops[:taken]
            if (constant := template.constant) is not None:
                yield Uniform(starts, stops, constant)
            else:
                yield filled(starts, stops, list(islice(matches.replacements(template), taken)))
            count += taken
            if self.expect is None and count == self.count:
                break
        check_expected(
            self.expect,
            count,
            f"{count:,} matches",
            source.path,
            "List them with: insitu find FILE PATTERN",
        )


def _bytes_of(text: bytes | str, encoding: Encoding) -> bytes:
    return encoding.encode(text) if isinstance(text, str) else bytes(text)


def check_count(count: int | None) -> None:
    """Refuses a number of replacements below 0.

    Raises:
        RequestError: it is; None, for all, is fine.
    """
    if count is not None and count < 0:
        raise RequestError(f"{count} matches cannot be replaced.", hint="Leave count out to replace all.")
