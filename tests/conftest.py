"""Settings that all tests share: Hypothesis profiles and the rights some tests need."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Some thousand processes are started: each would compile all of insitu, which takes as long as its work.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No deadlines: shared machines are slow by turns. Every profile prints the blob that replays a failure.
_SLOW_MACHINE = [HealthCheck.too_slow]
settings.register_profile("dev", deadline=None, print_blob=True, suppress_health_check=_SLOW_MACHINE)
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=False, max_examples=200)
settings.register_profile("proof", parent=settings.get_profile("ci"), max_examples=5_000)


def _profile() -> str:
    """The profile named by the environment: ``make proof`` sets INSITU_LONG, machines that test set CI."""
    if os.environ.get("INSITU_LONG"):
        return "proof"
    return "ci" if os.environ.get("CI") else "dev"


settings.load_profile(_profile())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests marked ``root`` where the rights are missing."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs the rights of root; run the tests as root to include it")


@pytest.fixture(scope="module", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What insitu keeps for its user is kept in a folder of the test module, and not in that of who tests."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
