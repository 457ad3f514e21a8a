"""Fixtures of the suites, and runs of hypothesis that repeat exactly: a failure here is a failure everywhere."""

import pytest
from hypothesis import settings

from rvsim.isa import IsaConfig
from tests.isa.engines import ENGINES

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(params=list(ENGINES))
def make_hart(request):
    """Make a hart of each engine: called with the fields of the configuration that differ from the default."""

    def make(without=(), **fields):
        config = IsaConfig()
        return ENGINES[request.param](
            config.replace(extensions=config.extensions - set(without), **fields),
        )

    return make


@pytest.fixture
def hart(make_hart):
    """A hart of each engine in the default configuration, with handlers set up and memory open to all modes."""
    driver = make_hart()
    driver.set_up()
    return driver
