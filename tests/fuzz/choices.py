"""Bytes read as a row of decisions, so that any fuzzer of bytes drives what is mutated, and how."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    16,
    255,
    4096,
    1 << 26,
    1 << 31,
    (1 << 62) + 1,
    (1 << 63) - 1,
    -(1 << 63),
    1 << 64,
    10**30,
)
OTHERS: tuple[Any, ...] = (
    None, True, False, 1.5, float("nan"), float("inf"), "", "x", [], {}, [0], [1, 1, 1, 1], {"size": 1},
    "overwrite", "shift", "blocks", "rewrite", "atoms", "right", "left", "gap", "detour", "range", "swap",
    "pool", "covers", "none", "undo", "redo", "..", ".", "/", "../../../c", "../../../c/.insitu/f.d", "/c",
    "/d/f", "a\0b", "\ud800", "0" * 32, "../" * 6 + "0" * 32, "x" * 5000,
)  # fmt: skip


class Choices:
    """Takes decisions off the front of some bytes; once they are used up, always the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        """A number from 0 up to ``count``, which is at most 65,536."""
        size = 1 if count <= 256 else 2
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little") % count if taken else 0

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def rest(self) -> bytes:
        return self._data[self._at :]

    def number(self, near: int) -> int:
        """One that is close to ``near``, or far from anything."""
        return near + self.below(33) - 16 if self.below(2) else self.one_of(NUMBERS)


def mutated_bytes(choices: Choices, data: bytes) -> bytes:
    """The bytes with some of them changed, put in, or taken out; or others altogether."""
    if choices.below(8) == 7:
        return choices.rest()
    changed = bytearray(data)
    for _ in range(1 + choices.below(4)):
        at = choices.below(len(changed) + 1)
        match choices.below(5):
            case 0:
                changed[at : at + 1] = bytes([choices.below(256)])
            case 1:
                changed[at:at] = bytes(choices.below(64))
            case 2:
                del changed[at : at + 1 + choices.below(64)]
            case 3:
                del changed[at:]
            case 4:
                number = choices.number(int.from_bytes(changed[at : at + 8], "little"))
                changed[at : at + 8] = (number % (1 << 64)).to_bytes(8, "little")
    return bytes(changed)


def mutated_json(choices: Choices, payload: bytes) -> bytes:
    """A JSON text with some of its fields changed; or no JSON at all."""
    if choices.below(16) == 15:
        return choices.one_of((choices.rest(), b"[" * 100_000, b"9" * 5_000, b'{"a":' * 50_000, b"\xff", b""))
    root = [json.loads(payload)]
    for _ in range(1 + choices.below(3)):
        _change(choices, root)
    return json.dumps(root[0]).encode()


def _change(choices: Choices, root: list[Any]) -> None:
    holder: Any = root
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and choices.below(8):
        holder = holder[key]
        key = choices.one_of(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
    was = holder[key]
    actions: list[Callable[[], Any]] = [
        lambda: choices.number(was) if isinstance(was, int) else choices.one_of(NUMBERS),
        lambda: copy.deepcopy(choices.one_of(OTHERS)),
        lambda: _Gone,
    ]
    value = choices.one_of(actions)()
    if value is not _Gone:
        holder[key] = value
    elif holder is not root:
        del holder[key]


class _Gone:
    """Stands for a field that is taken away."""
