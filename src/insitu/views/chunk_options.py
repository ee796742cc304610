"""The budget of chunks: what they are measured in, and how much they may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from insitu.errors import LimitError, RequestError, UnsupportedError
from insitu.formats.chunk_measures import (
    Measure,
    counted,
    in_bytes,
    in_characters,
    in_estimated_tokens,
    in_tokens_at_most,
)

# Chroma's and others' evaluations of retrieval find 200 to 400 tokens best.
TOKENS_DEFAULT: Final = 400

# A chunk, and the window of some budgets in which it is chosen, are held in memory.
BUDGET_MAX: Final = 1 << 18

Tokens = str | Callable[[str], int]

COUNTS: Final = ("estimate", "bound", "o200k_base", "cl100k_base")
"""How tokens can be counted by name."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How large chunks may be.

    Args:
        measure: what sizes are counted in.
        most: how many of them a chunk may have.
        counting: how tokens are counted; None where something else is.
    """

    measure: Measure
    most: int
    counting: str | None = None

    @property
    def shares(self) -> int:
        """The budget in shares of the measure."""
        return self.most * self.measure.shares

    @property
    def units(self) -> int:
        """The budget in code units of usual text, about."""
        return self.most * self.measure.usual_units

    def checked_overlap(self, overlap: int) -> int:
        """An overlap that fits the budget.

        Raises:
            RequestError: it is negative or larger than the budget.
        """
        if not isinstance(overlap, int) or not 0 <= overlap <= self.most:
            raise RequestError(
                f"An overlap of {overlap!r} {self.measure.name} does not fit a budget of {self.most:,}.",
                hint="Give a number from 0 to the budget.",
            )
        return overlap


def budget_of(
    max_tokens: int | None = None,
    max_chars: int | None = None,
    max_bytes: int | None = None,
    tokens: Tokens = "estimate",
) -> Budget:
    """The budget that was asked for; without any, 400 tokens.

    Raises:
        RequestError: several budgets were given, or one that is no positive number, or no known way to count.
        LimitError: the budget is larger than chunks can be.
        UnsupportedError: counting needs the extra ``tokens``, which is not installed.
    """
    given = {"max_tokens": max_tokens, "max_chars": max_chars, "max_bytes": max_bytes}
    said = {name: value for name, value in given.items() if value is not None}
    if len(said) > 1:
        raise RequestError(
            f"Chunks have one budget, not {' and '.join(said)}.",
            hint="Give one of max_tokens, max_chars, max_bytes.",
        )
    name, most = next(iter(said.items()), ("max_tokens", TOKENS_DEFAULT))
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise RequestError(f"{name} cannot be {most!r}.", hint="Give a number from 1 on.")
    if most > BUDGET_MAX:
        raise LimitError(
            f"{name} is {most:,}; chunks have at most {BUDGET_MAX:,}.",
            hint="Read larger pieces by their address: doc.read(...), doc.lines[...].",
            limit=BUDGET_MAX,
        )
    if name == "max_chars":
        return Budget(in_characters(), most)
    if name == "max_bytes":
        return Budget(in_bytes(), most)
    return Budget(_measure(tokens), most, tokens if isinstance(tokens, str) else "counted")


def _measure(tokens: Tokens) -> Measure:
    if callable(tokens):
        return counted(tokens)
    if tokens == "estimate":
        return in_estimated_tokens()
    if tokens == "bound":
        return in_tokens_at_most()
    if tokens not in COUNTS:
        raise RequestError(
            f"Tokens cannot be counted by {tokens!r}.",
            hint=f"One of {', '.join(COUNTS)}, or a function from a text to a number.",
        )
    try:
        from bpe_openai import get_encoding
    except ImportError:
        raise UnsupportedError(
            f"Counting tokens by {tokens} needs an extra that is not installed.",
            hint="Install it: pip install 'insitu[tokens]'. Or let them be estimated: tokens='estimate'.",
        ) from None
    encode = get_encoding(tokens).encode_ordinary
    return counted(lambda text: len(encode(text)))
