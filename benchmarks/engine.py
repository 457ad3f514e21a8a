"""The simulation engine beside Verilator, CXXRTL and Amaranth's own simulator: same designs, same cycles, same run.

    python benchmarks/engine.py [--quick] [--only NAME] [--repeat N] [--json FILE]

Prints Markdown tables of medians and ratios. Peers come with `pip install -e '.[bench]'`; one that is not there is said
to be missing. Whatever runs must end in the state that ours ends in, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.designs import cpu, idle, many  # noqa: E402
from benchmarks.peers.common import Built, Missing, Peer, Subject  # noqa: E402
from benchmarks.peers.native import Cxxrtl, Verilator, warm_up  # noqa: E402
from benchmarks.peers.python import Ours, Pysim  # noqa: E402

WALKERS = (0, 4, 8)


def subject(walkers: int) -> Subject:
    """The core with so many mostly idle bus masters."""
    memories = {"cpu.dmem": 4096, "cpu.regs": 32, **({"shared": 16 * idle.AREA} if walkers else {})}
    name = "busy core" if not walkers else f"the same and {walkers} mostly idle masters"
    return Subject(name, partial(idle.make, walkers), ("pc", "retired", "jobs"), memories)


@dataclass
class Options:
    """How thoroughly to measure, and what has been found: ``results`` is what goes to a file."""

    quick: bool = False
    repeat: int = 5
    results: dict = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Of a run of a fast simulator."""
        return 400_000 if self.quick else 4_000_000

    @property
    def slow_cycles(self) -> int:
        """Of a run of pysim."""
        return 1_000 if self.quick else 4_000


def row(*cells: object) -> None:
    """A row of a Markdown table."""
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def header(*cells: str) -> None:
    """The first two rows."""
    print()
    row(*cells)
    print("|" + "---|" * len(cells))


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of theirs / ours, turn by turn: what disturbs one turn disturbs both."""
    return statistics.median(b / a for a, b in zip(ours, theirs))


# -- cycles per second, and what building takes


def build_all(folder: Path, peers: list[Peer], counts: tuple[int, ...]) -> dict[tuple[int, str], Built]:
    """Everything that is installed."""
    built: dict[tuple[int, str], Built] = {}
    for peer in peers:
        try:
            if not isinstance(peer, Ours | Pysim) and not (folder / "warm").exists():
                warm_up(folder / "warm")
            for walkers in counts:
                place = folder / f"{peer.name}{walkers}"
                place.mkdir()
                built[walkers, peer.name] = peer.build(subject(walkers), place)
        except Missing as missing:
            print(f"{peer.name}: {missing}", file=sys.stderr)
    return built


def measure_speed(options: Options, folder: Path) -> None:
    """Cycles per second of every peer on the same designs, turn by turn."""
    counts = WALKERS[:2] if options.quick else WALKERS
    peers = [Ours(), Verilator(), Cxxrtl(), Pysim()]
    built = build_all(folder, peers, counts)
    times: dict[tuple[int, str], list[float]] = {key: [] for key in built}
    expected: dict[tuple[int, int], tuple] = {}
    for turn in range(options.repeat + 1):
        for walkers in counts:
            for peer in peers:
                if (walkers, peer.name) not in built or (peer.slow and turn > 1):
                    continue
                cycles = options.slow_cycles if peer.slow else options.cycles
                if (walkers, cycles) not in expected:
                    expected[walkers, cycles] = built[walkers, Ours.name].run(cycles).state
                found = built[walkers, peer.name].run(cycles)
                if found.state != expected[walkers, cycles]:
                    raise SystemExit(
                        f"{peer.name} ends {cycles} cycles of {subject(walkers).name} in another state: "
                        f"{found.state}, not {expected[walkers, cycles]}"
                    )
                if turn or peer.slow:  # the first turn warms caches
                    times[walkers, peer.name].append(found.seconds / cycles)
    speed_table(options, counts, peers, times)
    idle_table(options, counts, peers, times)
    build_table(options, counts, built)


def speed_table(options: Options, counts: tuple[int, ...], peers: list[Peer], times: dict) -> None:
    """Millions of cycles per second."""
    header("M cycles/s", *(peer.name for peer in peers), "× Verilator", "× CXXRTL", "goal")
    for walkers in counts:
        found = {peer.name: times.get((walkers, peer.name)) for peer in peers}
        ours = found[Ours.name]
        cells = ["not installed" if t is None else f"{1e-6 / statistics.median(t):.3g}" for t in found.values()]
        ratios = [median_ratio(ours, found[n]) if found[n] else None for n in ("Verilator", "CXXRTL")]
        goal = {0: "≥ 4 × Verilator", 8: "≥ 5 × Verilator"}.get(walkers, "")
        row(subject(walkers).name, *cells, *("" if r is None else f"{r:.1f}" for r in ratios), goal)
        options.results[f"speed, {walkers} masters"] = {name: t for name, t in found.items() if t}


def idle_table(options: Options, counts: tuple[int, ...], peers: list[Peer], times: dict) -> None:
    """Nanoseconds per cycle of one more master that mostly waits."""
    few, most = counts[-2:]
    header("one more mostly idle master, ns a cycle", "ns", "ours / theirs", "goal")
    costs = {}
    for peer in peers:
        if (most, peer.name) in times:
            costs[peer.name] = [
                (b - a) * 1e9 / (most - few) for a, b in zip(times[few, peer.name], times[most, peer.name])
            ]
    for name, found in costs.items():
        ratio = statistics.median(costs[Ours.name]) / statistics.median(found)
        shown = "" if name == Ours.name else f"{ratio:.3f}" if ratio < 0.01 else f"{ratio:.2f}"
        row(name, f"{statistics.median(found):.1f}", shown, "≤ 0.2" if name == "Verilator" else "")
    options.results["one more idle master"] = costs


def build_table(options: Options, counts: tuple[int, ...], built: dict[tuple[int, str], Built]) -> None:
    """From Python object to first cycle; ours in processes of their own, without and with the object cache."""
    header("Python object → first cycle", "rvsim.sim", "from cache", "Verilator", "ours / Verilator", "goal")
    for walkers in counts:
        empty, cached = [], []
        for _ in range(options.repeat):
            with tempfile.TemporaryDirectory() as cache:
                empty.append(in_process(cache, "start", "walkers", walkers)["seconds"])
                cached.append(in_process(cache, "start", "walkers", walkers)["seconds"])
        ours, again = statistics.median(empty), statistics.median(cached)
        stages = built[walkers, "Verilator"].stages if (walkers, "Verilator") in built else None
        theirs = f"{sum(stages.values()):.1f} s" if stages else "not installed"
        ratio = f"{ours / sum(stages.values()):.3f}" if stages else ""
        goal = "≤ 0.1; from cache ≤ 0.5 s"
        row(subject(walkers).name, f"{ours:.2f} s", f"{again:.2f} s", theirs, ratio, goal)
        options.results[f"start, {walkers} masters"] = {"empty": empty, "cached": cached, "Verilator": stages}


# -- work in processes of their own


def in_process(cache: str, *words: object) -> dict:
    """What a fresh Python process with that cache directory measures."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")}
    command = [sys.executable, __file__, "--child", *(str(word) for word in words)]
    done = subprocess.run(command, env={**environment, "XDG_CACHE_HOME": cache}, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return json.loads(done.stdout)


def child(what: str, kind: str, count: str) -> None:
    """The other side of :func:`in_process`."""
    from rvsim.sim import Runner

    design = {"walkers": idle.make, "cores": many.make}[kind](int(count))
    begin = time.perf_counter()
    Runner(design)(1)
    found = {"seconds": time.perf_counter() - begin}
    if what == "lines":
        from amaranth.back import rtlil

        design = many.make(int(count))
        found["lines"] = rtlil.convert(design, ports=[design.mixed]).count("\n")
    print(json.dumps(found))


def measure_scaling(options: Options, folder: Path) -> None:
    """How translation grows with the design."""
    sizes = (1, 2, 4) if options.quick else (1, 2, 4, 7, 10)
    times: dict[int, list[float]] = {n: [] for n in sizes}
    lines: dict[int, int] = {}
    for _ in range(options.repeat):
        for n in sizes:
            with tempfile.TemporaryDirectory() as cache:
                found = in_process(cache, "lines", "cores", n)
            times[n].append(found["seconds"])
            lines[n] = found["lines"]
    header("cores side by side", "lines of RTLIL", "Python object → first cycle", "ms per 1000 lines")
    points = []
    for n in sizes:
        seconds = statistics.median(times[n])
        points.append((math.log(lines[n]), math.log(seconds)))
        row(n, lines[n], f"{seconds:.2f} s", f"{seconds * 1e6 / lines[n]:.1f}")
    exponent = statistics.linear_regression(*zip(*points)).slope
    print(f"\nTranslation time grows with size to the power of {exponent:.2f} (goal: near 1).")
    options.results["scaling"] = {"seconds": times, "lines": lines, "exponent": exponent}


# -- test benches


def measure_testbench(options: Options, folder: Path) -> None:
    """A test bench that looks at the design every cycle, on both engines."""
    from amaranth.sim import Simulator

    from rvsim.sim import CompiledEngine

    def run(engine: object, cycles: int) -> tuple[float, int]:
        design, found = cpu.make(), []

        async def bench(ctx: object) -> None:
            await ctx.tick().repeat(50)
            seen, start = 0, time.perf_counter()
            for _ in range(cycles):
                await ctx.tick()
                seen = (seen * 31 + ctx.get(design.pc) + ctx.get(design.retired)) % (1 << 64)
            found.append((time.perf_counter() - start, seen))

        simulator = Simulator(design, engine=engine)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        return found[0]

    cycles, times = options.slow_cycles, {"pysim": [], CompiledEngine: []}
    for _ in range(options.repeat):
        results = {}
        for engine, measured in times.items():
            seconds, results[engine] = run(engine, cycles)
            measured.append(seconds / cycles)
        if len(set(results.values())) != 1:
            raise SystemExit("a test bench sees other values on the compiled engine than on pysim")
    theirs, ours = times.values()
    header("test bench that touches the core every cycle", "pysim", "CompiledEngine", "ratio", "goal")
    speeds = (f"{1e-3 / statistics.median(t):.1f} k cycles/s" for t in (theirs, ours))
    row("two signals read", *speeds, f"{median_ratio(ours, theirs):.1f}", "≥ 10")
    options.results["test bench"] = {"pysim": theirs, "CompiledEngine": ours}


# -- recording and waves


def measure_recorder(options: Options, folder: Path) -> None:
    """What the flight recorder costs."""
    from rvsim.sim import Runner

    header("flight recorder", "plain", "recording", "ratio", "goal")
    if not hasattr(Runner, "record"):
        row("busy core", "", "not there yet", "", "≤ 1.25")
        return
    runner, kept, plain, recording = Runner(idle.make(0)), 100_000, [], []
    for turn in range(options.repeat + 1):
        alone = seconds_of(lambda: runner(options.cycles))
        with runner.record(last=kept) as recorder:
            recorded = seconds_of(lambda: runner(options.cycles))
            if turn:  # the first one compiles
                plain.append(alone)
                recording.append(recorded)
                continue
            runner.write_vcd(folder / "recorded.vcd", last=100)
            if recorder.cycles != kept or last_value(folder / "recorded.vcd", "retired") != runner["retired"]:
                raise SystemExit("the flight recorder has not kept what it was to keep")
    speeds = (f"{options.cycles / 1e6 / statistics.median(t):.1f} M cycles/s" for t in (plain, recording))
    row("busy core, the last 100 k cycles", *speeds, f"{median_ratio(plain, recording):.2f}", "≤ 1.25")
    options.results["flight recorder"] = {"plain": plain, "recording": recording}


def measure_trace(options: Options, folder: Path) -> None:
    """All signals of the core to a VCD file, in memory if there is a RAM disk."""
    from rvsim.sim import Runner

    header("all signals to a VCD file", "k cycles/s", "bytes a cycle", "goal")
    if not hasattr(Runner, "trace"):
        row("busy core", "not there yet", "", "≥ 200 k cycles/s")
        return
    disk = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    cycles, times, size = options.cycles // 40, [], 0
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory(dir=disk) as place:
            path, runner = Path(place) / "all.vcd", Runner(idle.make(0))
            with runner.trace(path):
                runner(100)
                start = time.perf_counter()
                runner(cycles)
            # What is still to be written counts.
            times.append((time.perf_counter() - start) / cycles)
            size = path.stat().st_size
            if last_value(path, "retired") != runner["retired"]:
                raise SystemExit("the waveform does not end with what the core has retired")
    where = "busy core, RAM disk" if disk else "busy core, no RAM disk here"
    row(where, f"{1e-3 / statistics.median(times):.0f}", f"{size / cycles:.0f}", "≥ 200 k cycles/s")
    options.results["trace"] = times


def last_value(path: Path, name: str) -> int:
    """What a VCD file says last of the first variable of a name."""
    text = path.read_bytes()
    identifier = re.search(rb"\$var \w+ \d+ (\S+) " + name.encode() + rb"\b", text)[1]
    end = text.rfind(b" " + identifier + b"\n")
    return int(text[text.rfind(b"b", 0, end) + 1 : end], 2)


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


MEASUREMENTS = {
    "speed": measure_speed,
    "testbench": measure_testbench,
    "recorder": measure_recorder,
    "trace": measure_trace,
    "scaling": measure_scaling,
}


def count(text: str) -> int:
    """A number of repetitions."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cycles, designs and repetitions")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure this alone; may be repeated")
    parser.add_argument("--repeat", type=count, metavar="N", help="turns of each measurement (default 5, quick: 2)")
    parser.add_argument("--json", metavar="FILE", help="write all single measurements, in seconds, to a file too")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    if arguments.json:
        try:
            open(arguments.json, "a").close()  # an hour later would be too late to say so
        except OSError as error:
            parser.error(f"argument --json: {error.strerror}: {arguments.json}")
    options = Options(arguments.quick, arguments.repeat or (2 if arguments.quick else 5))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.machine()}, {os.cpu_count()} processors{load}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="rvsim-bench-") as folder:
        for name, measure in MEASUREMENTS.items():
            if not arguments.only or name in arguments.only:
                measure(options, Path(folder))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(options.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
