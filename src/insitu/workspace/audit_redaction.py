"""Secrets taken out of what is written to the audit log, by what they look like and by what they are called.

Every expression runs on RE2, in time linear in the text, whoever chose the text. A secret that looks like
none of these, and stands behind no telling name, is not found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, Final, NamedTuple

TEXT_CHARACTERS_MAX: Final = 2_000
"""Longer texts are cut after their secrets were taken out."""

_SEARCHED_CHARACTERS: Final = 1 << 18  # of a text; what lies behind is cut, too, and so is never shown
_ITEMS_MAX: Final = 100  # of a list or mapping
_DEPTH_MAX: Final = 6

_KEY_BLOCK: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_TELLING: Final = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|authorization"
)


class Secret(NamedTuple):
    """A kind of secret: group 1 of the expression is what is taken out."""

    kind: str
    pattern: str


SECRETS: Final = (
    Secret("private key", rf"(?s)(-----BEGIN {_KEY_BLOCK}.*?(?:-----END {_KEY_BLOCK}|\z))"),
    Secret("AWS access key", r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b"),
    Secret("GitHub token", r"\b((?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}))"),
    Secret("GitLab token", r"\b(gl(?:pat|ptt|dt|rt|ft|cbt|soat|imt|agent|oas)-[A-Za-z0-9_.-]{20,})"),
    Secret("Slack token", r"\b((?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,})"),
    Secret("Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})"),
    Secret("Anthropic key", r"\b(sk-ant-[A-Za-z0-9_-]{16,})"),
    Secret("OpenAI key", r"\b(sk-[A-Za-z0-9_-]{20,})"),
    Secret("Google key", r"\b(AIza[A-Za-z0-9_-]{35})"),
    Secret("Stripe key", r"\b((?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,})"),
    Secret("npm token", r"\b(npm_[A-Za-z0-9]{36})\b"),
    Secret("PyPI token", r"\b(pypi-[A-Za-z0-9_-]{32,})"),
    Secret("Hugging Face token", r"\b(hf_[A-Za-z0-9]{30,})"),
    Secret("JWT", r"\b(eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*)"),
    Secret("bearer token", r"(?i)\b(?:bearer|proxy-authorization:\s*\w+)\s+([A-Za-z0-9._~+/=-]{8,})"),
    Secret("authorization", r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?([^\s\"',;]{4,})"),
    Secret("password in URL", r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:([^\s/@\"'<>]+)@"),
    Secret(
        "named secret",
        rf"(?i)(?:{_TELLING})[A-Za-z0-9_]*[\"']?\s*(?:=>|:=|[:=])\s*"
        r"(\"(?:[^\"\\\n]|\\.)+\"?|'(?:[^'\\\n]|\\.)+'?|[^\s\"',;&)\]}]+)",
    ),
)
"""What is taken out; where two overlap, both places go, by the name of the earlier one."""


def redacted(text: str) -> str:
    """The text with each secret replaced by its kind and length, and cut to ``TEXT_CHARACTERS_MAX``.

    Cost: linear in the text, of which no more than 256 Ki characters are looked at.
    """
    data = text[:_SEARCHED_CHARACTERS].encode("utf-8", "surrogatepass")
    parts, position = [], 0
    for start, stop, kind in _places(data):
        parts.append(data[position:start].decode("utf-8", "surrogatepass"))
        parts.append(_placeholder(kind, data[start:stop].decode("utf-8", "surrogatepass")))
        position = stop
    parts.append(data[position:].decode("utf-8", "surrogatepass"))
    shown = "".join(parts)
    if len(shown) <= TEXT_CHARACTERS_MAX and len(text) <= _SEARCHED_CHARACTERS:
        return shown
    return f"{shown[:TEXT_CHARACTERS_MAX]} [cut: {len(text):,} characters in all]"


def redacted_value(value: Any, depth: int = 0) -> Any:
    """A JSON value with the secrets in its texts taken out, and the values of members that are called so.

    Lists and mappings come shortened to 100 items, and what is nested deeper than six levels as its kind.
    """
    if isinstance(value, str):
        return redacted(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return redacted(bytes(value[:_SEARCHED_CHARACTERS]).decode("utf-8", "surrogateescape"))
    if depth >= _DEPTH_MAX or not isinstance(value, Mapping | Sequence):
        return f"[{type(value).__name__}]"
    if isinstance(value, Mapping):
        items = list(value.items())[:_ITEMS_MAX]
        shown = {redacted(str(name)): _member(str(name), item, depth) for name, item in items}
        return shown if len(value) <= _ITEMS_MAX else {**shown, "...": f"{len(value):,} members in all"}
    listed = [redacted_value(item, depth + 1) for item in value[:_ITEMS_MAX]]
    return listed if len(value) <= _ITEMS_MAX else [*listed, f"... {len(value):,} items in all"]


def _member(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, str) and value and _named(name):
        return _placeholder("named secret", value)
    return redacted_value(value, depth + 1)


def _placeholder(kind: str, secret: str) -> str:
    return f"[redacted {kind}, {len(secret)} characters]"


def _places(data: bytes) -> list[tuple[int, int, str]]:
    """Where secrets are: sorted, disjoint, each with its kind."""
    if not _any_pattern().search(data):  # one pass instead of one for each kind
        return []
    found = sorted(
        (*match.span(1), order)
        for order, pattern in enumerate(_patterns())
        for match in pattern.finditer(data)
    )
    merged: list[list[int]] = []
    for start, stop, order in found:
        if merged and start < merged[-1][1]:
            merged[-1][1:] = [max(stop, merged[-1][1]), min(order, merged[-1][2])]
        else:
            merged.append([start, stop, order])
    return [(start, stop, SECRETS[order].kind) for start, stop, order in merged]


@cache
def _patterns() -> tuple[Any, ...]:
    import re2

    return tuple(re2.compile(secret.pattern.encode("ascii")) for secret in SECRETS)


@cache
def _any_pattern() -> Any:
    import re2

    return re2.compile("|".join(f"(?:{secret.pattern})" for secret in SECRETS).encode("ascii"))


@cache
def _telling() -> Any:
    import re2

    return re2.compile(rf"(?i)(?:{_TELLING})$")


def _named(name: str) -> bool:
    return bool(_telling().search(name[-100:].encode("ascii", "replace").decode()))
