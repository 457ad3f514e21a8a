"""The run loop in compiled code: slices, time, interrupts, and the requests that go to the host."""

from __future__ import annotations

from rvsim.isa.interrupts import MTI, STI
from rvsim.native.ir import Function, Module, Value

from .control import effective_mip
from .csr import host_clock
from .emit import Chain, Cpu, plain
from .state import (
    EXIT_HOST,
    EXIT_LIMIT,
    EXIT_MMIO,
    EXIT_STUCK,
    EXIT_WATCH,
    EXIT_WFI,
    MMIO,
    MMIO_NONE,
    PAGE,
    RUNNING,
    SLOTS,
    STUCK_AFTER,
    WATCH,
)
from .translation import fill_records

#: Instructions between looks at the clock when time is the host's.
SLICE = 32_768

#: Instructions that may run past the end of a slice: a page of code without a jump, and the rest of a fused pair.
MARGIN = SLOTS + 8


def emit(module: Module) -> None:
    """Write all functions of this file."""
    _enter(module)
    _run(module)
    _initialize(module)
    _next_timer(module)
    _exports(module)


def _enter(module: Module) -> None:
    """``enter(count)``: run from ``pc`` until about ``count`` instructions have retired; ``enter_single``: one."""
    c = Chain(module, "h_resume")
    c.go(c.cpu.pc, c.r)

    f, cpu, (count,) = plain(module, "enter", "void", ("i64", "count"))
    f.call(
        "void", "h_resume", f.value(0, "ptr"), count, cpu.address, 0, cpu.tlb.to("ptr"),
        types=("ptr", "i64", "ptr", "i32", "ptr"),
    )  # fmt: skip
    f.ret()

    f, cpu, _ = plain(module, "enter_single", "void")
    rec = cpu.scratch_page + ((cpu.pc & (PAGE - 2)).to("i64") << 3)
    pcd = cpu.pc - (rec >> 3).to("i32")
    # The record may still hold what was decoded there before: never run it without fetching again.
    f.call("void", "h_single", rec.to("ptr"), f.value(1, "i64"), cpu.address, pcd, cpu.tlb.to("ptr"))
    f.ret()


def _run(module: Module) -> None:
    f = module.function("run", "i32", (("ptr", "cpu"),), exported=True)
    cpu = Cpu(f, f.parameters[0])
    icount = cpu.icount.ne(0)
    with f.loop():
        done = cpu.retired
        # Time, timers, interrupts. A device access that is half done comes first.
        now = host_clock(f, cpu)
        time = f.call("i64", "read_time", cpu.address, done)
        f.call("void", "compare_time", cpu.address, time)
        with f.if_(cpu.mmio_state.eq(MMIO_NONE)):
            with f.if_(cpu.exit_request.ne(0)):
                cpu.exit_request = 0
                f.ret(EXIT_HOST)
            with f.if_(cpu.watch_hit.ne(0)):
                f.ret(EXIT_WATCH)
            with f.if_(cpu.waiting.ne(0)):
                with f.if_((effective_mip(cpu) & cpu.mie).eq(0)):
                    f.ret(EXIT_WFI)
                cpu.waiting = 0
            with f.if_(cpu.stop_at.ule(done)):
                f.ret(EXIT_LIMIT)
            cause = f.call("i32", "pending", cpu.address)
            with f.if_(cause.ne(0)):
                f.call("void", "take_trap", cpu.address, cause, 0, cpu.pc)
            with f.if_((cpu.stop_at_trap & cpu.took_trap).ne(0)):
                f.ret(EXIT_LIMIT)
            with f.if_(cpu.deadline.ule(now)):
                f.ret(EXIT_HOST)
            with f.if_(f.value(STUCK_AFTER, "i32").ult(cpu.same_trap)):
                f.ret(EXIT_STUCK)
        # Up to where: the limit, the next look at the host, the next timer event in virtual time.
        end = f.variable("i64", cpu.stop_at)
        exact = f.variable("i32", 1)

        def earlier(candidate, is_exact: int) -> None:  # noqa: ANN001
            with f.if_(candidate.ult(end.get())):
                end.set(candidate)
                exact.set(is_exact)

        with f.if_(~icount):
            earlier(done + SLICE, 0)
        with f.if_(icount):
            earlier((done.op("udiv", cpu.poll_every) + 1) * cpu.poll_every, 1)
            event = f.call("i64", "next_timer", cpu.address, time)
            ticks = event - cpu.time_offset
            # One so far ahead that its instruction has no number never comes.
            with f.if_(event.ne(-1) & ticks.ult(cpu.stop_at.op("udiv", cpu.instructions_per_tick) + 1)):
                earlier(ticks * cpu.instructions_per_tick, 1)
        left = end.get() - done
        cpu.reason = RUNNING
        # One instruction at a time: close to an exact end; to finish a device access, which may have raised an
        # interrupt; and for a profile of instruction pairs, which is taken where each is decoded afresh.
        close = exact.get().ne(0) & left.slt(MARGIN + 1)
        single = close | cpu.mmio_state.ne(MMIO_NONE) | cpu.profile.ne(0)

        def one() -> None:
            cpu.retire_end = done + 1
            f.call("void", "enter_single", cpu.address)
            # The instruction has taken the answer, unless it is there no more: a bus master can overwrite it meanwhile.
            cpu.mmio_state = MMIO_NONE

        def many() -> None:
            short = exact.get().ne(0).select(left - MARGIN, left)
            cpu.retire_end = done + short
            f.call("void", "enter", cpu.address, short)

        f.if_else(single, one, many)
        cpu.retired = cpu.retire_end - cpu.countdown
        with f.if_(cpu.reason.eq(MMIO)):
            f.ret(EXIT_MMIO)
        with f.if_(cpu.reason.eq(WATCH)):
            f.ret(EXIT_WATCH)
    f.ret(EXIT_HOST)


def _initialize(module: Module) -> None:
    """``initialize``: translation caches empty, scratch page ready, contexts chosen."""
    f = module.function("initialize", "void", (("ptr", "cpu"),), exported=True)
    cpu = Cpu(f, f.parameters[0])
    f.call("void", "pmp_update", cpu.address)
    f.call("void", "update_context", cpu.address)
    fill_records(f, cpu.scratch_page.to("ptr"), "h_single")
    cpu.scratch_used = 0
    f.ret()


def _next_timer(module: Module) -> None:
    """``next_timer(time)``: the earliest enabled comparator ahead of ``time``, in ticks; -1: none."""
    f, cpu, (time,) = plain(module, "next_timer", "i64", ("i64", "time"))
    best = f.variable("i64", -1)
    supervisor = f.load("i64", cpu.pointer("stimecmp"), align=4)
    for compare, interrupt in ((cpu.mtimecmp, MTI), (supervisor, STI)):
        with f.if_((cpu.mie & (1 << interrupt)).ne(0) & time.ult(compare) & compare.ult(best.get())):
            best.set(compare)
    f.ret(best.get())


def _exports(module: Module) -> None:
    """``host_*``: what Python calls besides ``run`` and ``initialize``."""

    def export(name: str, result: str, *parameters: tuple[str, str]) -> tuple[Function, Cpu, list[Value]]:
        f = module.function(f"host_{name}", result, (("ptr", "cpu"), *parameters), exported=True)
        return f, Cpu(f, f.parameters[0]), f.parameters[1:]

    for name, parameters in (
        ("touched", (("i64", "offset"), ("i64", "length"))),
        ("flush", ()),
        ("forget_stores", (("i64", "host"),)),
    ):
        f, _, _ = export(name, "void", *parameters)
        f.call("void", name, *f.parameters)
        f.ret()
    f, _, _ = export("translate", "i64", ("i32", "va"), ("i32", "access"))
    f.ret(f.call("i64", "translate", *f.parameters, 1))
    f, cpu, (number, value, write) = export("csr", "i32", ("i32", "number"), ("i32", "value"), ("i32", "write"))
    f.call("void", "compare_time", cpu.address, f.call("i64", "read_time", cpu.address, cpu.retired))
    # A counter that an instruction writes does not count that instruction; here there is none to leave out.
    count = cpu.retired - write.to("i64")
    f.ret(f.call("i32", "csr_access", cpu.address, number, 0, value, write, count))
