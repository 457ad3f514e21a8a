"""The self-test: a bare-metal program, assembled from source by :mod:`rvsim.isa` when it is first needed."""

from __future__ import annotations

from rvsim.soc.selftest.image import ORIGIN, program, program_path

__all__ = ["ORIGIN", "program", "program_path"]
