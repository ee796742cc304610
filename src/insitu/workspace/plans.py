"""Replacements that were previewed: a token that stands for exactly what was shown, for some minutes."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

from insitu.errors import StaleError

PLAN_SECONDS: Final = 15 * 60.0
_PLANS_MAX: Final = 256
_TOKEN_BYTES: Final = 6


@dataclass(frozen=True)
class Plan:
    """A previewed replacement.

    Args:
        path: the file.
        version: of the file when it was previewed.
        arguments: what was asked for, which applying it must repeat.
        count: how many places there were.
    """

    path: str
    version: str
    arguments: tuple[object, ...]
    count: int


class Plans:
    """Keeps the latest plans."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, tuple[float, Plan]] = OrderedDict()
        self._lock = Lock()

    def keep(self, plan: Plan) -> str:
        """Keeps a plan; returns its token."""
        token = secrets.token_hex(_TOKEN_BYTES)
        with self._lock:
            self._plans[token] = (time.monotonic() + PLAN_SECONDS, plan)
            while len(self._plans) > _PLANS_MAX:
                self._plans.popitem(last=False)
        return token

    def find(self, token: str) -> Plan:
        """The plan of a token.

        Raises:
            StaleError: there is none, or it has expired.
        """
        with self._lock:
            until, plan = self._plans.get(token, (0.0, None))
        if plan is None or until < time.monotonic():
            raise StaleError(
                f"The plan {token[:40]!r} is unknown or has expired; nothing was changed.",
                hint="Preview again without plan; a plan is good for 15 minutes, in the server that made it.",
            )
        return plan
