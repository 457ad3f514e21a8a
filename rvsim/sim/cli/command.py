"""The command line: reads it, finds the design, prints a report. Exit status 2 is a user's mistake."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Sequence

from amaranth.hdl import UnusedElaboratable

from rvsim.errors import UserError

from ..clocks import is_input, triggers
from ..explain import explain
from ..explain import text as explain_text
from ..private import ir
from ..runner import Runner
from . import bench as benchmark
from . import target as targets

_TARGET = """
MODULE:CLASS   a module's name or the path of its file; a class, a function or a design in it.
               Arguments are Python, in the module's own names: 'cpu.py:Cpu(width=32)'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 2 after a mistake, which standard error explains."""
    options = _parser().parse_args(arguments)
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    columns = _width()
    warnings.simplefilter("ignore", UnusedElaboratable)  # one design of a file is meant, not all
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the design prints is not the report
            report, shown = _COMMANDS[options.command](options, columns)
    except (UserError, AssertionError) as error:
        print(f"rvsim.sim {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    try:
        print(json.dumps(report, indent=1) if options.json else shown, flush=True)
    except BrokenPipeError:  # a pager was closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError) as error:  # full, or closed
        print(f"rvsim.sim {options.command}: the report cannot be written: {error}", file=sys.stderr)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rvsim.sim",
        description="How fast a design in Amaranth runs when it is compiled, and where its time goes.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, said in (
        ("bench", "cycles a second, and how long it takes until the first"),
        ("explain", "what the engine made of the design, and where the time of a cycle goes"),
    ):
        command = commands.add_parser(
            name, help=said, description=f"{said[0].upper()}{said[1:]}.", epilog=_TARGET,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.add_argument("target", metavar="MODULE:CLASS", help="the design; see below")
        command.add_argument(
            "--clocks", action="append", default=[], metavar="DOMAIN=N", type=_clocks,
            help="periods of a clock domain in one cycle (default 1); several with commas",
        )  # fmt: skip
        command.add_argument(
            "--cycles", type=_amount, metavar="N",
            help="measure so many cycles" + (" (default 100000)" if name == "explain" else ", each time"),
        )  # fmt: skip
        command.add_argument(
            "--skip", type=_count, default=1000, metavar="N", help="run so many cycles before (default 1000)"
        )
        command.add_argument(
            "--drive", metavar="FILE.py:FUNCTION",
            help="call it with the Runner before anything is run: it may set inputs, fill memories, run",
        )  # fmt: skip
        command.add_argument("--json", action="store_true", help="everything as data")
        if name == "bench":
            command.add_argument("--pysim", action="store_true", help="Amaranth's own simulator beside it")
    return parser


def _count(text: str) -> int:
    try:
        value = int(text.replace("_", ""), 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cycles") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} cycles cannot be run")
    return value


def _amount(text: str) -> int:
    value = _count(text)
    if not value:
        raise argparse.ArgumentTypeError("at least one cycle must be measured")
    return value


def _clocks(text: str) -> dict[str, int]:
    found = {}
    for part in text.split(","):
        name, equals, count = part.partition("=")
        if not (equals and name and count.isdigit() and int(count)):
            raise argparse.ArgumentTypeError(f"{part!r} is not DOMAIN=N with N at least 1")
        found[name] = int(count)
    return found


# -- the design


class Prepared:
    """A design, elaborated and compiled as the options say.

    Attributes
    ----------
    run
        The runner, after what is to be skipped.
    elaboration, seconds
        Of Amaranth's elaboration, and until everything was compiled.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        place, self.expression = targets.split(options.target)
        self.module = targets.load(place)
        drive = targets.function(options.drive) if options.drive else None
        self.clocks = {name: count for given in options.clocks for name, count in given.items()}
        found = targets.make(self.module, self.expression)
        started = time.perf_counter()
        with targets.in_the_design(self.expression):
            design = ir.Fragment.get(found, None).prepare(ports=(), hierarchy=("top",))
            self.elaboration = time.perf_counter() - started
            self.run = self._runner(design)
        self.seconds = time.perf_counter() - started
        self.inputs = _said_of_inputs(self.run, options.drive)
        if drive is not None:
            try:
                drive(self.run)
            except Exception as error:
                raise UserError(f"--drive {options.drive}: {targets.describe(error)}") from None
        self.run(options.skip)

    def _runner(self, design: object) -> Runner:
        try:
            return Runner(design, clocks=self.clocks)
        except (KeyError, ValueError) as error:
            if not self.clocks:
                raise
            raise UserError(f"--clocks: {error.args[0]}") from None

    def domains(self) -> dict[str, int]:
        """Clock domains of the design that are inputs, with their periods in a cycle."""
        domains = self.run.model.netlist.design.fragment.domains
        used = triggers(self.run.model.design)
        found = {}
        for name, domain in domains.items():
            if domain.clk not in self.run.model.netlist.signals:
                continue
            (bit,) = self.run.model.bits(domain.clk)
            if bit in used and is_input(self.run.model.design, bit):
                found[name] = self.clocks.get(name, 1)
        return found


def _said_of_inputs(run: Runner, drive: str | None) -> str:
    if drive:
        return f"inputs as {drive} left them"
    clocks = set(triggers(run.model.design))
    return "inputs held at their initial values" if set(run.model.layout.states) - {c >> 16 for c in clocks} else ""


def _explain(options: argparse.Namespace, columns: int) -> tuple[dict, str]:
    prepared = Prepared(options)
    report = {"target": options.target, "inputs": prepared.inputs}
    report |= explain(prepared.run, options.cycles or 100_000)
    return report, explain_text(report, columns)


def _bench(options: argparse.Namespace, columns: int) -> tuple[dict, str]:
    prepared = Prepared(options)
    run, spent = prepared.run, prepared.run.model.spent
    report = {
        "target": options.target,
        "inputs": prepared.inputs,
        "made": {
            "seconds": prepared.seconds,
            "elaboration": prepared.elaboration,
            "netlist": spent["netlist"],
            "translation": spent["graph"] + spent["text"],
            "code": spent["llvm"] + spent["cache"],
            "from_cache": not spent["compiled"],
        },
        "code_bytes": spent["code"],
        "state_bytes": run.model.layout.size,
        "speed": benchmark.bench(run, options.cycles),
    }
    if options.pysim:
        if not prepared.domains():
            raise UserError("--pysim: the design has no clock of its own to be run with")
        again = targets.make(prepared.module, prepared.expression)
        with targets.in_the_design(prepared.expression):
            report["pysim"] = benchmark.bench_pysim(again, prepared.domains())
    return report, benchmark.text(report)


def _width() -> int:
    """Columns of the terminal within reason; a hundred for a file."""
    return max(80, min(160, shutil.get_terminal_size((100, 40)).columns)) if sys.stdout.isatty() else 100


_COMMANDS = {"bench": _bench, "explain": _explain}
