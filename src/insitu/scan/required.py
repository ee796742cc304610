r"""Which fixed bytes every match of an expression holds: ``(a|b)c\d`` matches none without ``ac`` or ``bc``.

Read off the tokens, from the inside out: of each part of the expression it is known how many bytes it
matches, which few strings it matches exactly, and which strings it cannot match without. Where that gets
unsure (letter case, too many strings), nothing is required.

Source: https://swtch.com/~rsc/regexp/regexp4.html, "Indexed Regular Expression Search"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from insitu.scan.syntax import Kind, Token

# Every string is searched for by itself, at 20 GB/s: eight take as long as Hyperscan does.
LITERALS_MAX: Final = 8

# More bytes make a string no rarer.
_TELLING_BYTES: Final = 8

# Repetitions of more than this are not written out.
_WRITTEN_OUT: Final = 8

_CHARACTER_BYTES: Final = 4


class Required(NamedTuple):
    """Strings of which every match holds one, beginning ``first`` to ``last`` bytes from its start.

    ``last`` is None where no bound is known. ``one_line``: no match of the expression holds a line end.
    """

    literals: tuple[bytes, ...]
    first: int
    last: int | None
    one_line: bool = False


class _Part(NamedTuple):
    """What is known of a part of an expression.

    It matches ``least`` to ``most`` bytes (None: no bound); nothing else than the strings in ``exact``,
    where there are a few only; and nothing without ``required``.
    """

    least: int
    most: int | None
    exact: frozenset[bytes] | None
    required: Required | None
    newline: bool


_EMPTY: Final = _Part(0, 0, frozenset({b""}), None, False)


def required(parts: Iterable[Token], encoding: str, newline_in: Callable[[str], bool]) -> Required | None:
    """What every match holds; None where nothing is known or an empty string matches.

    Args:
        parts: the tokens of an expression that RE2 accepts.
        encoding: of the text, "utf-8" or "latin-1".
        newline_in: whether a class, as RE2 reads it, holds the line feed.
    """
    tokens = list(parts)
    flags = "".join(_flags(token) for token in tokens)
    if "i" in flags:
        return None
    dot = "(?s)" if "s" in flags else ""
    open_groups: list[list[list[_Part]]] = [[[]]]
    for token in tokens:
        branches = open_groups[-1]
        if token.kind is Kind.OPEN:
            open_groups.append([[]])
        elif token.kind is Kind.EITHER:
            branches.append([])
        elif token.kind is Kind.CLOSE:
            open_groups.pop()
            open_groups[-1][-1].append(_either(branches))
        elif token.kind is Kind.REPEAT:
            branches[-1].append(_repeated(branches[-1].pop(), token.text))
        elif token.kind is Kind.ASSERTION:
            branches[-1].append(_EMPTY)
        elif token.kind is Kind.CLASS:
            most = _CHARACTER_BYTES if encoding == "utf-8" else 1
            branches[-1].append(_Part(1, most, None, None, newline_in(dot + token.text)))
        elif token.kind is Kind.LITERAL:
            try:
                branches[-1].append(_fixed(token.char.encode(encoding)))
            except UnicodeEncodeError:
                return None
    whole = _either(open_groups[0])
    return whole.required and whole.required._replace(one_line=not whole.newline)


def _flags(token: Token) -> str:
    """The flags a token sets or clears."""
    if token.kind not in (Kind.OPEN, Kind.FLAGS) or not token.text.startswith("(?") or "<" in token.text:
        return ""
    return token.text[2:-1]


def _fixed(string: bytes) -> _Part:
    size = len(string)
    return _Part(size, size, frozenset({string}), Required((string,), 0, 0), string == b"\n")


def _either(branches: list[list[_Part]]) -> _Part:
    parts = [_sequence(branch) for branch in branches]
    if len(parts) == 1:
        return parts[0]
    mosts = [part.most for part in parts if part.most is not None]
    strings = {string for part in parts for string in part.exact or ()}
    sure = len(strings) <= LITERALS_MAX and all(part.exact is not None for part in parts)
    return _Part(
        min(part.least for part in parts),
        max(mosts) if len(mosts) == len(parts) else None,
        frozenset(strings) if sure else None,
        _any_of([part.required for part in parts]),
        any(part.newline for part in parts),
    )


def _any_of(choices: Sequence[Required | None]) -> Required | None:
    """What alternatives require together: one string of any of them."""
    known = [choice for choice in choices if choice is not None]
    lasts = [choice.last for choice in known if choice.last is not None]
    literals = _shortest(string for choice in known for string in choice.literals)
    if len(known) < len(choices) or len(literals) > LITERALS_MAX:
        return None
    last = max(lasts) if len(lasts) == len(known) else None
    return Required(literals, min(choice.first for choice in known), last)


def _shortest(strings: Iterable[bytes]) -> tuple[bytes, ...]:
    """The strings without those that begin with another one."""
    kept: list[bytes] = []
    for string in sorted(set(strings)):
        if not (kept and string.startswith(kept[-1])):
            kept.append(string)
    return tuple(kept)


def _sequence(parts: list[_Part]) -> _Part:
    # Single strings are tried by themselves, too: to search for one is less work than for its variants.
    fixed, _ = _runs(parts, 1)
    choices, exact = _runs(parts, LITERALS_MAX)
    return _Part(
        sum(part.least for part in parts),
        _total(part.most for part in parts),
        exact,
        max((*fixed, *choices), key=_rarity, default=None),
        any(part.newline for part in parts),
    )


def _runs(parts: list[_Part], strings_max: int) -> tuple[list[Required], frozenset[bytes] | None]:
    """What parts in a row require, their strings joined to at most ``strings_max`` longer ones.

    Returns:
        The choices, and the strings that the parts match exactly where they are one such run.
    """
    choices: list[Required] = []
    least, most = 0, _total(())
    run, first, last = frozenset({b""}), least, most
    whole = True
    for part in parts:
        joined = {head + tail for head in run for tail in part.exact or ()}
        if 0 < len(joined) <= strings_max:
            run = frozenset(joined)
        else:
            whole = False
            choices += _as_required(run, first, last)
            if part.required:
                bounds = least + part.required.first, _total((most, part.required.last))
                choices.append(Required(part.required.literals, *bounds))
            run = frozenset({b""})
            first, last = least + part.least, _total((most, part.most))
            if part.exact and len(part.exact) <= strings_max:
                run, first, last = part.exact, least, most
        least, most = least + part.least, _total((most, part.most))
    return choices + _as_required(run, first, last), run if whole else None


def _as_required(run: frozenset[bytes], first: int, last: int | None) -> list[Required]:
    return [] if b"" in run else [Required(_shortest(run), first, last)]


def _rarity(choice: Required) -> float:
    """How much a choice promises: long strings are rare, each costs a search."""
    return min(*map(len, choice.literals), _TELLING_BYTES) ** 2 / len(choice.literals)


def _repeated(part: _Part, text: str) -> _Part:
    numbers = re.findall(r"\d+", text)
    least = int(numbers[0]) if numbers else int(text[0] == "+")
    most: int | None = 1 if text[0] == "?" else None
    if numbers and not ("," in text and len(numbers) == 1):
        most = int(numbers[-1])
    width = None if most is None or part.most is None else most * part.most
    if least == 0:
        exact = part.exact | {b""} if part.exact and most == 1 else None
        return _Part(0, width, exact, None, part.newline)
    written = _sequence([part] * least) if least <= _WRITTEN_OUT else part
    exact = written.exact if least == most and least <= _WRITTEN_OUT else None
    return written._replace(least=least * part.least, most=width, exact=exact)


def _total(sizes: Iterable[int | None]) -> int | None:
    """The sum; None where one has no bound."""
    known = list(sizes)
    return None if None in known else sum(size for size in known if size is not None)
