"""What tests of all rooms share."""

import signal

import pytest
import vcdvcd  # noqa: F401 - the first import lets a closed pipe end the process, which is not what we test

from rvsim.sim import CompiledEngine

signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@pytest.fixture(params=["pysim", CompiledEngine], ids=["pysim", "compiled"])
def engine(request):
    """What ``Simulator(..., engine=engine)`` runs on: Amaranth's own engine, and the compiled one."""
    return request.param
