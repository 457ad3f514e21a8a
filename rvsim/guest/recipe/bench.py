"""``/bin/bench``, our own CPU benchmark."""

from __future__ import annotations

import os

from rvsim.guest.recipe import toolchain
from rvsim.guest.step import Step, Work

FILES = ("bench/kernels.c", "bench/main.c", "bench/kernels.h")


def build(work: Work) -> None:
    """Compile it, static and stripped; the output is ``bench``."""
    toolchain.use(work)
    sources = [work.file(name) for name in FILES if name.endswith(".c")]
    output = os.path.join(work.output, "bench")
    work.run("guest-cc", "-O2", "-static", "-s", "-Wall", "-o", output, *sources)


BENCH = Step(
    name="bench",
    title="CPU benchmark",
    files=("bench.py", *(f"files/{name}" for name in FILES)),
    needs=(toolchain.TOOLCHAIN,),
    build=build,
    lines=2,
)
