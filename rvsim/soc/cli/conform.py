"""``conform DIR…``: every test program below some folders, in parallel, as a table."""

from __future__ import annotations

import os
import sys
import time

from rvsim.errors import UserError
from rvsim.soc import conform
from rvsim.soc.cli.session import configuration, make_machine
from rvsim.soc.conform import FAIL, PASS, SKIP, TIMED_OUT, Result
from rvsim.soc.forkpool import Died, map_forked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rvsim.soc.cli.grammar import Arguments
    from rvsim.soc.config import SocConfig

# What of a failing program's console is kept.
_CONSOLE = 4096
# Beyond its own time limit, which the machine watches itself, a test may start and end.
_GRACE = 20.0
_HEAD = f"{'result':<8} {'test':>6} {'seconds':>8}  program"
_COLOURS = {PASS: "32", FAIL: "31", TIMED_OUT: "33", SKIP: "2"}


def run(arguments: Arguments) -> int:
    """Run all tests and print the table: 0 all passed, 1 some did not, 2 there were none.

    Raises
    ------
    UserError
        A folder does not exist, or an option cannot be used.
    """
    config = configuration(arguments)
    programs = conform.find_programs(arguments.operands)
    if arguments.junit:
        from rvsim.soc.output import check_writable, protect_inputs

        references = [reference for path in programs if (reference := conform.reference_of(path))]
        protect_inputs([("--junit", arguments.junit)], [("test", path) for path in (*programs, *references)])
        check_writable(arguments.junit, "--junit")
    if not programs:
        raise UserError(f"conform: no ELF file below {', '.join(arguments.operands)}; name folders that hold tests")
    begin = time.monotonic()
    results = []
    # A suite may take minutes: whoever watches a pipe or a log sees each result when it is there.
    print(_HEAD, flush=True)
    for result in run_all(programs, config, arguments):
        results.append(result)
        print(_row(result), flush=True)
    seconds = time.monotonic() - begin
    print(_summary(results, seconds))
    if arguments.junit:
        from rvsim.soc.output import write_whole

        text = conform.junit(results, " ".join(arguments.operands), seconds)
        write_whole(arguments.junit, "--junit", text.encode("utf-8"))
    if all(result.verdict == SKIP for result in results):
        return 2
    return 0 if all(result.verdict in (PASS, SKIP) for result in results) else 1


def run_all(programs: list[str], config: SocConfig, arguments: Arguments) -> Iterator[Result]:
    """The results in the order of the programs, each as soon as those before it are there."""
    limit = arguments.timeout or conform.TIMEOUT
    ready: dict[int, Result] = {}
    runnable: list[str] = []
    places: list[int] = []
    for place, path in enumerate(programs):
        reason = conform.unsupported(path)
        if reason:
            ready[place] = Result(path=path, verdict=SKIP, detail=reason)
        else:
            runnable.append(path)
            places.append(place)
    if runnable:
        warm_up(config, arguments)
    done = map_forked(
        lambda path: run_one(path, config, limit).carried(),
        runnable,
        workers=len(os.sched_getaffinity(0)),
        limit=limit + _GRACE,
    )
    upto = 0
    for index, values in done:
        if isinstance(values, Died):
            ready[places[index]] = Result(path=runnable[index], verdict=FAIL, detail=str(values))
        else:
            ready[places[index]] = Result.restored(values)
        while upto in ready:
            yield ready.pop(upto)
            upto += 1
    while upto in ready:
        yield ready.pop(upto)
        upto += 1


def warm_up(config: SocConfig, arguments: Arguments) -> None:
    """Have everything loaded, and the core's machine code built, before the children are made."""
    from rvsim.soc.config import MINIMUM_MEMORY

    machine = make_machine(config.replace(memory=MINIMUM_MEMORY), arguments)
    machine.bus.twin("uart")
    machine.bus.twin("finisher")


def run_one(path: str, config: SocConfig, limit: float) -> Result:
    """Run one test in this process."""
    from rvsim.soc.machine import Machine

    begin = time.monotonic()
    console = b""
    try:
        machine = Machine(config)
        machine.load_elf(path)
        outcome = machine.run(seconds=limit)
        verdict, number, detail = conform.judge(outcome)
        reference = conform.reference_of(path)
        if verdict == PASS and reference is not None:
            with open(reference, encoding="ascii", errors="replace") as file:
                detail = conform.compare_signature(conform.signature(machine), file.read())
            verdict = FAIL if detail else PASS
        if verdict != PASS:
            console = machine.console.transcript.encode("utf-8", "replace")[-_CONSOLE:]
    except (UserError, OSError) as error:
        verdict, number, detail = FAIL, 0, str(error)
    return Result(
        path=path,
        verdict=verdict,
        number=number,
        detail=detail,
        seconds=time.monotonic() - begin,
        console=console,
    )


def _row(result: Result) -> str:
    verdict = f"{result.verdict:<8}"
    if sys.stdout.isatty():
        verdict = f"\x1b[{_COLOURS[result.verdict]}m{verdict}\x1b[0m"
    number = result.number or "-"
    seconds = "-" if result.verdict == SKIP else f"{result.seconds:.3f}"
    detail = f"  ({result.detail})" if result.detail and not result.number else ""
    return f"{verdict} {number:>6} {seconds:>8}  {result.path}{detail}"


def _summary(results: list[Result], seconds: float) -> str:
    words = {PASS: "passed", FAIL: "failed", TIMED_OUT: "timed out", SKIP: "skipped"}
    counts = [
        f"{count} {word}"
        for verdict, word in words.items()
        if (count := sum(result.verdict == verdict for result in results)) or verdict in (PASS, FAIL)
    ]
    return f"{', '.join(counts)} of {len(results)} in {seconds:.1f} s"
