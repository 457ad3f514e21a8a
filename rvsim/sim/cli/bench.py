"""How many cycles a second: ours, and Amaranth's own simulator beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from amaranth.sim import Simulator

from ..runner import Runner

#: Seconds that a measurement lasts at least, and how many there are.
LONG_ENOUGH, REPEATS = 0.3, 5


def bench(run: Runner, cycles: int | None) -> dict:
    """Free running from the state that ``run`` is in.

    Parameters
    ----------
    cycles
        Of each repeat, which all start in the same state; by default as many as take a third of a second.
    """
    state, first = run.save(), run.cycle
    if cycles is None:
        cycles = 1000
        while _seconds(run, state, cycles) < LONG_ENOUGH and cycles < 1 << 40:
            cycles *= 2
    seconds = [_seconds(run, state, cycles) for _ in range(REPEATS)]
    rates = sorted(cycles / s for s in seconds)
    return {
        "first_cycle": first,
        "cycles": cycles,
        "repeats": REPEATS,
        "cycles_per_second": cycles / statistics.median(seconds),
        "slowest": rates[0],
        "fastest": rates[-1],
    }


def _seconds(run: Runner, state: bytes, cycles: int) -> float:
    run.restore(state)
    started = time.perf_counter()
    run(cycles)
    return max(time.perf_counter() - started, 1e-9)


def bench_pysim(design: object, domains: Mapping[str, int]) -> dict:
    """The same design in Amaranth's simulator, from reset, for about a second.

    Parameters
    ----------
    domains
        Clock domains with their periods in a cycle.
    """
    started = time.perf_counter()
    simulator = Simulator(design)
    for domain, count in domains.items():
        simulator.add_clock(1e-6 / count, domain=domain)
    simulator.run_until(1e-6)
    made = time.perf_counter() - started
    done, amount = 1, 10
    started = time.perf_counter()
    while (spent := time.perf_counter() - started) < 1.0:
        done += amount
        simulator.run_until(done * 1e-6)
        amount *= 2 if spent < 0.25 else 1
    return {"seconds_to_first_cycle": made, "cycles": done, "cycles_per_second": (done - 1) / spent}


def text(report: dict) -> str:
    """The figures for people."""
    made, speed = report["made"], report["speed"]
    rate, slowest, fastest = (_rate(speed[key]) for key in ("cycles_per_second", "slowest", "fastest"))
    state = report["state_bytes"]
    how = "loaded from the cache" if made["from_cache"] else "compiled"
    lines = [
        report["target"],
        f"ready in    {made['seconds']:.2f} s: elaboration {made['elaboration']:.2f}, netlist {made['netlist']:.2f}, "
        f"translation {made['translation']:.2f}, {how} {made['code']:.2f}",
        f"size        {report['code_bytes']:,} bytes of machine code, {state:,} of state with memories",
        f"speed       {rate} cycles a second, {1e9 / speed['cycles_per_second']:.1f} ns each",
        f"            median of {speed['repeats']} runs of {speed['cycles']:,} cycles "
        f"from cycle {speed['first_cycle']:,}; slowest {slowest}, fastest {fastest}",
    ]
    if report["inputs"]:
        lines.append(f"            {report['inputs']}")
    if report.get("pysim"):
        other = report["pysim"]
        ratio = speed["cycles_per_second"] / other["cycles_per_second"]
        lines.append(
            f"pysim       {_rate(other['cycles_per_second'])} cycles a second ({other['cycles']:,} cycles from reset, "
            f"ready in {other['seconds_to_first_cycle']:.2f} s): {ratio:,.0f} times slower"
        )
    return "\n".join(lines)


def _rate(rate: float) -> str:
    for size, name in ((1e6, " million"), (1e3, " thousand")):
        if rate >= size:
            return f"{rate / size:.2f}{name}"
    return f"{rate:.0f}"
