"""Running a machine for a person or a script: terminal, signals, limits, results, exit status."""

from __future__ import annotations

import os
import sys
import time

from rvsim.errors import UserError
from rvsim.soc.outside import InputSource
from rvsim.soc.terminal import Escapes, Interrupted, RawMode, Signals, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments
    from rvsim.soc.config import SocConfig
    from rvsim.soc.machine import Machine
    from rvsim.soc.outcome import Outcome

LEVELS = ("error", "warning", "info", "debug")

_STDIN, _STDOUT = 0, 1

_ESCAPES = """
Ctrl-A x       leave rvsim
Ctrl-A h       this list
Ctrl-A s       how far the guest is
Ctrl-A z       suspend rvsim (as Ctrl-Z does elsewhere)
Ctrl-A Ctrl-A  send Ctrl-A to the guest
"""


def configuration(arguments: Arguments) -> SocConfig:
    """The machine that the command line describes.

    Raises
    ------
    UserError
        A machine that cannot be built.
    """
    from rvsim.soc.config import SocConfig

    if arguments.fidelity == "cycle":
        raise UserError("--cycle is not yet available: this version has no hardware CPU; leave it out or use --fast")
    fields = {}
    if arguments.isa is not None:
        from rvsim.isa.config import IsaConfig

        try:
            fields["isa"] = IsaConfig.parse(arguments.isa)
        except ValueError as error:
            raise UserError(f"--isa {arguments.isa}: {error}") from None
    return SocConfig(
        memory=arguments.memory,
        icount=arguments.icount,
        seed=arguments.seed,
        reboot=arguments.reboot,
        verbose_firmware=arguments.log_level == "debug",
        **fields,
    )


def make_machine(config: SocConfig, arguments: Arguments) -> Machine:
    """The machine; says so if its core has to be compiled first.

    Raises
    ------
    UserError
        The host cannot give it its memory.
    """
    from rvsim.soc.machine import FunctionalCore, Machine

    def announce() -> None:
        from importlib.util import find_spec

        if find_spec("llvmlite") is None:
            # Not after having said that it works on it.
            raise ModuleNotFoundError("No module named 'llvmlite'", name="llvmlite")
        say(arguments, "info", "compiling the functional core, once: about a second ...")

    def core(*positional: object, **named: object) -> FunctionalCore:
        return FunctionalCore(*positional, on_build=announce, **named)

    try:
        return Machine(config, core=core)
    except MemoryError as error:
        raise UserError(f"--memory: {error or 'the host has not that much'}; give less") from None


def say(arguments: Arguments, level: str, text: str) -> None:
    """rvsim's own words, on standard error, as far as ``--log-level`` wants to hear them."""
    if LEVELS.index(level) <= LEVELS.index(arguments.log_level):
        try:
            sys.stderr.write(f"rvsim: {text}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            # Nobody listens; that is no reason to end the run.
            return


def check_outputs(arguments: Arguments, inputs: dict[str, str | None]) -> None:
    """Make sure before the run that its results can be written and overwrite nothing that it reads.

    Raises
    ------
    UserError
        They cannot, or would.
    """
    names = {"--trace": arguments.trace, "--signature": arguments.signature, "--stats-json": arguments.stats_json}
    if any(names.values()):
        from rvsim.soc.output import check_writable, protect_inputs

        protect_inputs(names.items(), {**inputs, "standard input": "/dev/stdin"}.items())
        for option, path in names.items():
            if path:
                check_writable(path, option)


class Session:
    """One run of a machine on this process's standard streams.

    Parameters
    ----------
    machine
        Loaded already.
    arguments
        Limits and results.
    interactive_signals
        In a terminal, Ctrl-C still ends the run until the guest reads its console: a bare-metal program that hangs
        can be stopped as any other program.
    """

    def __init__(self, machine: Machine, arguments: Arguments, *, interactive_signals: bool = False) -> None:
        self._machine = machine
        self._arguments = arguments
        self._left = False
        self._last = b"\n"
        self._raw = RawMode(_STDIN) if os.isatty(_STDIN) else None
        self._keep_signals = interactive_signals and self._raw is not None
        self._signals = Signals(machine.stop, self._raw)
        self._begin = time.monotonic()

    def run(self) -> int:
        """Run to the end and return the exit status.

        Raises
        ------
        UserError
            Standard output or a result cannot be written.
        BrokenPipeError
            Nobody reads standard output any more.
        """
        machine, arguments = self._machine, self._arguments
        machine.console.output = self._write
        machine.outside.attach(self._source())
        signal = 0
        outcome: Outcome | None = None
        with self._signals:
            try:
                if self._raw is not None:
                    self._raw.enter(keep_signals=self._keep_signals)
                outcome = self._drive()
            except Interrupted as interrupted:
                signal = interrupted.signal
            finally:
                if self._raw is not None:
                    self._raw.leave()
        seconds = time.monotonic() - self._begin
        if self._raw is not None and self._last != b"\n" and os.isatty(2):
            # The guest's prompt has no end: what follows is to begin on a line of its own.
            os.write(2, b"\n")
        self._report(outcome, signal)
        if arguments.stats or arguments.stats_json:
            self._stats(seconds)
        if signal:
            return 128 + signal
        if arguments.signature and outcome is not None:
            self._signature()
        return 0 if outcome is None else outcome.status

    def _drive(self) -> Outcome | None:
        machine, arguments = self._machine, self._arguments
        if arguments.trace:
            from rvsim.soc.trace import CommitLog

            with CommitLog(machine.hart[0], machine.config.isa, arguments.trace) as log:
                machine.step_through(log.step)
                return self._until_the_end()
        return self._until_the_end()

    def _until_the_end(self) -> Outcome | None:
        """Run; an outcome of None: the user left."""
        machine, arguments = self._machine, self._arguments
        goal = None if arguments.max_instructions is None else machine.hart[0].instret + arguments.max_instructions
        deadline = None if arguments.timeout is None else self._begin + arguments.timeout
        while True:
            outcome = machine.run(
                instructions=None if goal is None else goal - machine.hart[0].instret,
                seconds=None if deadline is None else max(0.0, deadline - time.monotonic()),
            )
            self._signals.check()
            if self._left:
                return None
            if outcome is not None:
                return outcome

    # -- streams -----------------------------------------------------------------------------------------------
    def _source(self) -> InputSource:
        if self._raw is None:
            return InputSource(_STDIN)
        actions = {"x": self._leave, "h": self._help, "s": self._status, "z": self._suspend}
        return _Keyboard(_STDIN, Escapes(actions, self._help))

    def _write(self, data: bytes) -> None:
        if self._keep_signals:
            uart = self._machine.bus.built("uart")
            if uart is not None and uart.receiver_enabled:
                # The guest reads its console: from now on Ctrl-C is for it.
                self._keep_signals = False
                self._raw.enter(keep_signals=False)
        try:
            with self._signals.waiting():
                write_all(_STDOUT, data)
            self._last = data[-1:]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"standard output: {error.strerror}") from None

    # -- escapes -----------------------------------------------------------------------------------------------
    def _leave(self) -> None:
        self._left = True
        self._machine.stop()

    def _help(self) -> None:
        sys.stderr.write(_ESCAPES)
        sys.stderr.flush()

    def _status(self) -> None:
        hart = self._machine.hart[0]
        seconds = time.monotonic() - self._begin
        sys.stderr.write(
            f"\nrvsim: {hart.instret:,} instructions in {seconds:.1f} s, pc {hart.pc:#010x},"
            f" privilege {'US?M'[hart.privilege]}\n"
        )
        sys.stderr.flush()

    def _suspend(self) -> None:
        self._signals.suspend()

    # -- the end -----------------------------------------------------------------------------------------------
    def _report(self, outcome: Outcome | None, signal: int) -> None:
        if signal:
            import signal as names

            say(self._arguments, "info", f"ended by {names.Signals(signal).name}")
        elif outcome is not None and outcome.kind in ("stuck", "panic", "limit", "timeout"):
            say(self._arguments, "error", self._ending(outcome))
            if outcome.detail:
                sys.stderr.write(outcome.detail.rstrip("\n") + "\n")
        elif outcome is not None and outcome.message:
            say(self._arguments, "debug", outcome.message)

    def _ending(self, outcome: Outcome) -> str:
        # The machine knows only what was left of a limit when it was last set going.
        if outcome.kind == "timeout":
            return f"the time limit of {self._arguments.timeout:g} s was reached"
        if outcome.kind == "limit":
            return f"the limit of {self._arguments.max_instructions:,} instructions was reached"
        return outcome.message

    def _stats(self, seconds: float) -> None:
        from rvsim.soc import stats

        figures = stats.collect(self._machine, seconds)
        if self._arguments.stats:
            stats.print_table(figures, sys.stderr)
        if self._arguments.stats_json:
            from rvsim.soc.output import write_whole

            write_whole(self._arguments.stats_json, "--stats-json", stats.to_json(figures))

    def _signature(self) -> None:
        from rvsim.soc.conform import signature
        from rvsim.soc.output import write_whole

        write_whole(self._arguments.signature, "--signature", signature(self._machine).encode())


class _Keyboard(InputSource):
    """A terminal in raw mode, without what is meant for rvsim itself."""

    interactive = True

    def __init__(self, fd: int, escapes: Escapes) -> None:
        super().__init__(fd)
        self._escapes = escapes

    def read(self, limit: int) -> bytes | None:
        typed = super().read(limit)
        if not typed:
            return typed
        # Not b"", which would mean the end, if all of it was an escape.
        return self._escapes.filter(typed) or None
