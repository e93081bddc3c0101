"""The whole program of infra/, for each of a few configurations."""

from collections.abc import Callable

import pytest

from tests.fakes.infra_program import CONFIGURATIONS, Program, build


@pytest.fixture(scope="session")
def built() -> Callable[[str], Program]:
    """Return `build`, whose results are kept."""
    return build


@pytest.fixture(params=sorted(CONFIGURATIONS))
def program(request: pytest.FixtureRequest) -> Program:
    """Each of the configurations in turn."""
    return build(request.param)


@pytest.fixture(scope="session")
def starter() -> Program:
    return build("starter")


@pytest.fixture(scope="session")
def everything() -> Program:
    return build("everything")
