"""What a policy may demand: a word that nobody knows is not taken for the weaker promise."""

from __future__ import annotations

from typing import Any

import pytest

from insitu.core.policy import Policy
from insitu.errors import RequestError


@pytest.mark.parametrize(
    "demand",
    [
        {"visibility": "Atomic"},
        {"durability": "ful"},
        {"unleased": "Refuse"},
        {"visibility": None},
        {"history": -1},
    ],
)
def test_what_nobody_knows_is_refused(demand: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        Policy(**demand)
