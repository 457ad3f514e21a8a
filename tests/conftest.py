"""What tests of all rooms share."""

import pytest

from rvsim.sim import CompiledEngine


@pytest.fixture(params=["pysim", CompiledEngine], ids=["pysim", "compiled"])
def engine(request):
    """What ``Simulator(..., engine=engine)`` runs on: Amaranth's own engine, and the compiled one."""
    return request.param
