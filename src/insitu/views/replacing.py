"""Search and replace as a mass edit: any number of matches, flat memory, one commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, Literal

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Few, Replacements, Uniform, filled
from insitu.core.spans import Span
from insitu.errors import RequestError
from insitu.views.streaming import Source, check_expected
from insitu.views.text import Encoding

Engine = Literal["auto", "re2", "re"]

# So many, where they are all, are replaced one by one in some milliseconds; NumPy takes 90 ms to import.
FEW_MATCHES: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Replace:
    """What to replace by what, and how often: a mass edit.

    Args:
        count: how many at most; None means all.
        expect: exactly so many matches there must be; None means any number.
        within: where they lie; None means anywhere.
    """

    old: bytes | str
    new: bytes | str
    count: int | None = None
    expect: int | None = None
    regex: bool = False
    engine: Engine = "auto"
    within: Span | None = None

    def __post_init__(self) -> None:
        check_count(self.count)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the replacements, by one scan on every core.

        Raises:
            NoMatchError, ExpectationError: not as many matches as expected.
        """
        from insitu.scan.search import compile_literal, compile_regex, locate

        new = _bytes_of(self.new, source.text)
        old = None if self.regex else _bytes_of(self.old, source.text)
        if old is None:
            pattern = compile_regex(self.old, engine=self.engine)
        else:
            pattern = compile_literal(old, source.text.unit if isinstance(self.old, str) else 1)
        template = pattern.template(new)
        within = self.within or Span(0, source.reader.size)
        located = locate(source.reader, pattern, *within, progress=progress, cancel=cancel)
        head = list(islice(located, 1))
        if head and len(head[0]) <= FEW_MATCHES:
            head += islice(located, 1)
        few = len(head) == 1 and len(head[0]) <= FEW_MATCHES
        count = 0
        for matches in chain(head, located):
            taken = len(matches)
            if self.count is not None and self.expect is None:
                taken = min(taken, self.count - count)
            if few:
                edits = zip(matches.spans(), matches.replacements(template), strict=True)
                yield Few(list(islice(edits, taken)))
            elif (constant := template.constant) is not None:
                yield Uniform(matches.starts[:taken], matches.stops[:taken], constant, old)
            else:
                news = list(islice(matches.replacements(template), taken))
                yield filled(matches.starts[:taken], matches.stops[:taken], news)
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
