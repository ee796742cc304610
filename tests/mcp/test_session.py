"""A whole session, in both eras of the protocol and over every transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp import session
from tests.mcp.hosts import ERAS, listening, over_http, piped, run, within


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
def test_in_this_process(tmp_path: Path, era: str) -> None:
    session.make(tmp_path)

    async def main() -> None:
        async with within(tmp_path, era) as client:
            await session.whole(client, tmp_path)

    run(main)


@pytest.mark.slow
@pytest.mark.parametrize(("revision", "era"), ERAS.items(), ids=ERAS)
def test_over_pipes(tmp_path: Path, revision: str, era: str) -> None:
    session.make(tmp_path)

    async def main() -> None:
        async with piped(tmp_path, era=era) as client:
            assert client.protocol_version == revision
            await session.whole(client, tmp_path)

    run(main)


@pytest.mark.slow
@pytest.mark.parametrize(("revision", "era"), ERAS.items(), ids=ERAS)
def test_over_http(tmp_path: Path, revision: str, era: str) -> None:
    session.make(tmp_path)

    async def main() -> None:
        with listening(tmp_path) as server:
            async with over_http(server, era=era) as client:
                assert client.protocol_version == revision
                await session.whole(client, tmp_path)

    run(main)
