"""The engine itself, and Amaranth's own simulator: both in this process."""

from __future__ import annotations

import time
from pathlib import Path

from .common import Built, Measurement, Peer, Subject, digest


class Ours(Peer):
    """:class:`rvsim.sim.Runner`."""

    name = "rvsim.sim"

    def build(self, subject: Subject, folder: Path) -> Built:
        """See :class:`Peer`."""
        from rvsim.sim import Runner

        begin = time.perf_counter()
        runner = Runner(subject.make())
        reset = runner.save()
        runner(0)

        def run(cycles: int) -> Measurement:
            runner.restore(reset)
            start = time.perf_counter()
            done = runner(cycles)
            spent = time.perf_counter() - start
            if done != cycles:
                raise SystemExit(f"rvsim.sim ran {done} cycles of {subject.name} instead of {cycles}")
            outputs = [runner[name] for name in subject.outputs]
            return Measurement(spent, (*outputs, *(digest(runner.memory(n).tolist()) for n in subject.memories)))

        return Built(run, {"translation": time.perf_counter() - begin})


class Pysim(Peer):
    """:class:`amaranth.sim.Simulator`."""

    name = "pysim"
    slow = True

    def build(self, subject: Subject, folder: Path) -> Built:
        """See :class:`Peer`."""
        from amaranth.sim import Simulator

        def run(cycles: int) -> Measurement:
            design, state, spent = subject.make(), [], 0.0

            async def bench(ctx: object) -> None:
                nonlocal spent
                start = time.perf_counter()
                await ctx.tick().repeat(cycles)
                spent = time.perf_counter() - start
                state.extend(ctx.get(getattr(design, name)) for name in subject.outputs)
                for name in subject.memories:
                    memory = design.memories[name]
                    state.append(digest(ctx.get(memory.data[row]) for row in range(memory.depth)))

            simulator = Simulator(design)
            simulator.add_clock(1e-6)
            simulator.add_testbench(bench)
            simulator.run()
            return Measurement(spent, tuple(state))

        return Built(run)
