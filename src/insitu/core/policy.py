"""What the caller demands of a commit: the floor no planner may go below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from insitu.errors import RequestError

Visibility = Literal["committed", "atomic"]
Durability = Literal["full", "fast"]
Unleased = Literal["proceed", "rewrite", "refuse"]

HISTORY_OPERATIONS = 100

_KNOWN: Final = {
    "visibility": get_args(Visibility),
    "durability": get_args(Durability),
    "unleased": get_args(Unleased),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a commit may be carried out.

    Args:
        visibility: ``"committed"`` takes the cheapest plan; an opening through insitu never sees a mixture,
            a file that is open already may while an in-place commit runs. ``"atomic"`` lets any reader see
            old or new only: the file is rewritten beside itself and swapped.
        durability: ``"full"``: what commit returned for survives a power cut. ``"fast"``: a power cut may
            undo the last commits, but never mixes old and new.
        history: how many operations stay undoable; 0 keeps nothing beside the file.
        history_bytes: how much disk they may take; None means a quarter of the free space.
        space_bytes: extra disk space a plan may use while it runs; None means what is free.
        state_folder: where journal and history live; None means ``.insitu`` beside the file.
        planner: the only planner to use, by name, for tests and experts; None lets cost decide.
        unleased: what to do where programs that know nothing of insitu cannot be kept waiting, by a lease,
            while an in-place plan runs: ``"proceed"``, and they may see old and new mixed; ``"rewrite"``, as
            ``visibility="atomic"`` does; ``"refuse"``.
        unlocked: write even where locks do not work. Dangerous: parallel writers lose edits.
    """

    visibility: Visibility = "committed"
    durability: Durability = "full"
    history: int = HISTORY_OPERATIONS
    history_bytes: int | None = None
    space_bytes: int | None = None
    state_folder: str | None = None
    planner: str | None = None
    unleased: Unleased = "proceed"
    unlocked: bool = False

    def __post_init__(self) -> None:
        for name, known in _KNOWN.items():
            if (value := getattr(self, name)) not in known:  # else the weaker one would be taken for it
                raise RequestError(
                    f"There is no {name} {value!r}.", hint=f"It is one of: {', '.join(map(repr, known))}."
                )
        if self.history < 0:
            raise RequestError(f"{self.history} operations cannot be kept.", hint="history=0 keeps none.")
