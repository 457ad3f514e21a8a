"""The loop that lets the hart run and looks at the outside world in between."""

from __future__ import annotations

import time

from rvsim.cpu.functional import Exit
from rvsim.isa.interrupts import MEI, SEI
from rvsim.soc.outcome import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.soc.htif import Htif
    from rvsim.soc.machine import Machine

SLICE = 0.01
"""Seconds of host time after which a running guest is interrupted to look for input and signals."""

ICOUNT_SLICE = 1_000_000
"""The same in instructions: under ``icount`` input arrives at multiples of this, or while the guest waits."""

BUSY_SLICES = 10
"""A guest that never waits is given held input after so many slices."""

QUIET_SLICES = 20
"""A kernel that neither prints, waits nor runs user code for so many slices after its panic message is dead."""

IDLE_PATIENCE = 1.0
"""Seconds that :meth:`Machine.run` with nothing but an instruction limit lets an idle guest wait altogether."""

STEPS = 10_000
"""Instructions that are single-stepped at a time."""

STUCK_STEPS = 1000
"""So many traps in a row without an instruction in between lead nowhere."""

_USER = 0
_EXTERNAL = 1 << SEI | 1 << MEI
_FOREVER = 1e6


class Loop:
    """Drives one machine.

    Attributes
    ----------
    htif : Htif or None
        The host-target interface of the loaded program.
    watch_for_panic : bool
        End the run when a Linux kernel has panicked.
    stepper : Callable[[], None] or None
        Steps the hart by one instruction or trap, in place of the compiled run: for logs and debuggers.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._core = machine.core
        self._icount = machine.config.icount
        self.htif: Htif | None = None
        self.watch_for_panic = False
        self.stepper: Callable[[], None] | None = None
        self._event: Outcome | None = None
        self._stopped = False
        self._busy = 0
        self._settling = self._settle_at = 0
        self._quiet = 0
        self._patience: float | None = None

    def stop(self) -> None:
        """See :meth:`Machine.stop`."""
        self._stopped = True
        self._core.request_exit()
        self._machine.outside.wake()

    def end(self, event: Outcome) -> None:
        """The guest asked for it, in the middle of an instruction; the first wish counts."""
        if self._event is None:
            self._event = event
        self._core.stop()

    def reset(self) -> None:
        """The machine is reset."""
        self._event = None
        self._busy = self._quiet = 0
        self._machine.console.panicked = False
        if self.htif is not None:
            self.htif.reset()

    def run(
        self, condition: Callable[[], bool] | None, instructions: int | None, seconds: float | None
    ) -> Outcome | None:
        """See :meth:`Machine.run_until`."""
        machine, core = self._machine, self._core
        goal = None if instructions is None else core.instret + instructions
        deadline = None if seconds is None else time.monotonic() + seconds
        # With neither a source of input nor a time limit, a guest that waits for input would keep the caller for ever.
        self._patience = None
        if machine.outside.unattended:
            self._patience = IDLE_PATIENCE if goal is not None and seconds is None else _FOREVER
        while machine.outcome is None:
            if self._stopped:
                self._stopped = False
                return None
            left = None if goal is None else goal - core.instret
            if left is not None and left <= 0:
                return Outcome(kind="limit", message=f"the limit of {instructions} instructions was reached")
            if deadline is not None and time.monotonic() >= deadline:
                return Outcome(kind="timeout", message=f"the limit of {seconds:g} s was reached")
            reason = self._slice(left, deadline)
            printed = machine.console.flush()
            if self._event is not None:
                self._handle_event()
            elif reason == Exit.STUCK:
                self._stuck()
            elif self._panicked(reason, printed):
                machine.outcome = Outcome(kind="panic", message="the guest's kernel panicked")
            elif condition is not None and condition():
                return None
            elif reason == Exit.WFI:
                self._idle(deadline)
                if self._patience is not None and self._patience <= 0:
                    return Outcome(kind="idle", message="the guest waits for input")
            else:
                self._look(printed)
        return machine.outcome

    # -- while the hart runs -----------------------------------------------------------------------------------
    def _slice(self, left: int | None, deadline: float | None) -> int:
        """Let the hart run for a while, at most ``left`` instructions; why it came back."""
        core, htif = self._core, self.htif
        if htif is not None and htif.settling:
            return self._settle(htif, left)
        if self.stepper is not None:
            return self._step(STEPS if left is None else min(left, STEPS))
        if self._icount:
            ahead = ICOUNT_SLICE - core.instret % ICOUNT_SLICE
            return core.run(instructions=ahead if left is None else min(left, ahead))
        seconds = SLICE if deadline is None else min(SLICE, max(0.0, deadline - time.monotonic()))
        return core.run(instructions=left, seconds=seconds)

    def _settle(self, htif: Htif, left: int | None) -> int:
        """Let the hart run until the command that it has begun is complete or taken for it; why it came back.

        Each command has its own time: the next one may begin while this goes on.
        """
        from rvsim.soc.htif import SETTLE

        core = self._core
        if self._settling != htif.begun:
            self._settling, self._settle_at = htif.begun, core.instret + SETTLE
        end = self._settle_at if left is None else min(self._settle_at, core.instret + left)
        count = end - core.instret
        reason = core.run(instructions=count) if self.stepper is None else self._step(count)
        over = core.instret >= end or reason in (Exit.WFI, Exit.STUCK)
        if htif.settling and htif.begun == self._settling and over:
            htif.settle()
        return reason

    def _step(self, count: int) -> int:
        """As :meth:`_slice`, one instruction at a time."""
        core, step = self._core, self.stepper
        end, idle = core.instret + count, 0
        command = self._command()
        while core.instret < end:
            before = core.instret
            pc = core.pc
            step()
            if core.instret == before:
                if core.pc == pc and core.state.waiting:
                    return Exit.WFI
                idle += 1
                if idle >= STUCK_STEPS:
                    return Exit.STUCK
            else:
                idle = 0
            if self._event is not None or self._stopped:
                return Exit.HOST
            if self._command() != command:
                return Exit.HOST
        return Exit.LIMIT

    def _command(self) -> tuple[int, bool] | None:
        """Which command of the host-target interface is under way, and whether a word of it is missing."""
        return None if self.htif is None else (self.htif.begun, self.htif.settling)

    def _look(self, printed: bool) -> None:
        """Between two slices of a running guest."""
        machine = self._machine
        if self.htif is not None and self.htif.reading:
            self._answer()
        if machine.outside.interactive:
            machine.feeder.feed(patient=False)
        elif machine.feeder.polling and machine.feeder.feed(patient=self._icount):
            return
        if self._core.instret % ICOUNT_SLICE if self._icount else printed:
            # Not one of the points at which a busy guest may be fed.
            return
        self._busy += 1
        if self._busy >= BUSY_SLICES:
            # One that waits is fed when it does; one that never waits must not starve.
            self._busy = 0
            machine.feeder.feed(patient=self._icount)
        rtc = machine.bus.built("rtc")
        if rtc is not None:
            rtc.poll()

    def _answer(self) -> bool:
        """Answer a program that asked the host-target interface for a character, if there is one."""
        character = self._machine.feeder.take_one(patient=self._icount)
        if character is None:
            return False
        self.htif.receive(character)
        return True

    # -- while it waits ----------------------------------------------------------------------------------------
    def _idle(self, deadline: float | None) -> None:
        """The hart waits for an interrupt: sleep, or skip the time under ``icount``."""
        machine, core = self._machine, self._core
        outside, feeder = machine.outside, machine.feeder
        self._busy = 0
        outside.arm()
        if self._stopped:
            return
        if self.htif is not None and self.htif.reading and self._answer():
            return
        if feeder.feed(patient=self._icount):
            return
        timer = core.wfi_timeout()
        rtc = machine.bus.built("rtc")
        alarm = None if rtc is None else rtc.until_alarm()
        until = min(_FOREVER if timer is None else timer, _FOREVER if alarm is None else alarm / 1e9)
        listening = feeder.listening
        if until == _FOREVER and not (listening and core.csr("mie") & _EXTERNAL):
            if self._patience is not None and feeder.reading and core.csr("mie") & _EXTERNAL:
                self._patience = 0
            else:
                self._stuck("it waits for an interrupt that nothing can raise")
            return
        if self._icount and until != _FOREVER and not (listening and outside.interactive):
            self._skip(until, timer)
        else:
            before = time.monotonic()
            left = _FOREVER if deadline is None else max(0.0, deadline - before)
            if self._patience is not None:
                left = min(left, self._patience)
            outside.wait(min(until, left), listen=listening)
            if self._patience is not None:
                self._patience -= time.monotonic() - before
            if self._icount:
                # Somebody types: virtual time keeps to the host's, and a sleeping guest costs nothing.
                self._skip(min(time.monotonic() - before, until), timer)
        if rtc is not None:
            rtc.poll()

    def _skip(self, seconds: float, timer: float | None) -> None:
        """Advance virtual time while nothing happens."""
        if timer is not None and seconds >= timer:
            self._core.skip_to_timer()
        else:
            self._core.mtime += int(seconds * self._machine.config.timebase) + 1

    # -- what ends it ------------------------------------------------------------------------------------------
    def _handle_event(self) -> None:
        machine = self._machine
        event, self._event = self._event, None
        if event.kind == "reboot":
            if self.watch_for_panic and machine.console.panicked:
                event = Outcome(kind="panic", message="the guest's kernel panicked and rebooted")
            elif machine.config.reboot:
                machine.reboot()
                return
        machine.outcome = event

    def _panicked(self, reason: int, printed: bool) -> bool:
        """Whether the kernel has panicked.

        The message alone does not tell, since a user can print it. But a kernel that panicked has said all it had to
        say after a while, and neither waits for an interrupt nor runs user code any more.
        """
        console = self._machine.console
        if not (console.panicked and self.watch_for_panic):
            return False
        if reason == Exit.WFI or self._core.privilege == _USER:
            console.panicked = False
        self._quiet = 0 if printed else self._quiet + 1
        return console.panicked and self._quiet >= QUIET_SLICES

    def _stuck(self, why: str = "") -> None:
        from rvsim.soc.report import hart_report, trap_loop

        core = self._core
        why = why or trap_loop(core)
        self._machine.outcome = Outcome(kind="stuck", message=f"the hart is stuck: {why}", detail=hart_report(core))
