"""Control written by hand: traps, returns from traps, fences, WFI, and the helpers of the chain."""

from __future__ import annotations

from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import MSTATUS
from rvsim.isa.traps import INTERRUPT_BIT, INTERRUPT_PRIORITY, Cause, Privilege
from rvsim.native.ir import Function, Module, Value

from .emit import Chain, Cpu, plain
from .state import PAGE, WFI

_SIE, _MIE, _SPIE, _MPIE, _SPP, _MPP, _MPRV, _TVM, _TW, _TSR = (
    MSTATUS[name].mask for name in ("SIE", "MIE", "SPIE", "MPIE", "SPP", "MPP", "MPRV", "TVM", "TW", "TSR")
)
_SPP_LOW, _MPP_LOW = MSTATUS["SPP"].low, MSTATUS["MPP"].low


def emit(module: Module, config: IsaConfig) -> None:
    """Write all functions of this file."""
    _take(module)
    _pending(module)
    _helpers(module)
    _environment(module)
    _returns(module)
    _wait(module)
    _fences(module, config)


def bit_if(f: Function, condition: Value, mask: int) -> Value:
    """``mask`` if the condition holds, else 0."""
    return condition.select(f.value(mask, "i32"), 0)


# ---- entering and leaving traps


def _take(module: Module) -> None:
    """``take_trap(cause, tval, epc)``: section 3.1.6.1 and 3.1.8; interrupts have bit 31 of the cause set."""
    f, cpu, (cause, tval, epc) = plain(module, "take_trap", "void", ("i32", "cause"), ("i32", "tval"), ("i32", "epc"))
    interrupt = (cause & INTERRUPT_BIT).ne(0)
    code = cause & 31
    cpu.took_trap = 1
    with f.if_(interrupt):
        cpu.count("interrupts", code & 15)
    with f.if_(~interrupt):
        cpu.count("traps", code & 15)
        # A handler that itself traps at the same place for ever: the run loop gives up on it.
        again = cpu.last_trap_cause.eq(cause) & cpu.last_trap_pc.eq(epc)
        cpu.same_trap = again.select(cpu.same_trap + 1, 0)
        cpu.last_trap_cause, cpu.last_trap_pc = cause, epc
    delegated = (interrupt.select(cpu.mideleg, cpu.medeleg) >> code) & 1
    to_supervisor = cpu.privilege.ule(Privilege.S) & delegated.ne(0)
    status = cpu.mstatus

    def vector(base: Value) -> Value:
        offset = (interrupt & (base & 3).eq(1)).select(code << 2, 0)
        return (base & ~3) + offset

    def supervisor() -> None:
        cpu.scause, cpu.sepc, cpu.stval = cause, epc, tval
        previous = bit_if(f, cpu.privilege.eq(Privilege.S), _SPP) | bit_if(f, (status & _SIE).ne(0), _SPIE)
        cpu.mstatus = status & ~(_SIE | _SPIE | _SPP) | previous
        cpu.privilege = Privilege.S
        cpu.pc = vector(cpu.stvec)

    def machine() -> None:
        cpu.mcause, cpu.mepc, cpu.mtval = cause, epc, tval
        previous = cpu.privilege << _MPP_LOW | bit_if(f, (status & _MIE).ne(0), _MPIE)
        cpu.mstatus = status & ~(_MIE | _MPIE | _MPP) | previous
        cpu.privilege = Privilege.M
        cpu.pc = vector(cpu.mtvec)

    f.if_else(to_supervisor, supervisor, machine)
    f.call("void", "update_context", cpu.address)
    f.ret()


def effective_mip(cpu: Cpu) -> Value:
    """``mip`` as it reads: software bits, external lines, compared timers."""
    return cpu.mip | cpu.lines | cpu.timers


def _pending(module: Module) -> None:
    """The cause (bit 31 set) of the interrupt to take now, or 0 (sections 3.1.9 and 4.1.3)."""
    f, cpu, _ = plain(module, "pending", "i32")
    waiting = effective_mip(cpu) & cpu.mie
    with f.if_(waiting.eq(0)):
        f.ret(0)
    status, privilege, mideleg = cpu.mstatus, cpu.privilege, cpu.mideleg
    machine_on = privilege.ult(Privilege.M) | (status & _MIE).ne(0)
    supervisor_on = privilege.eq(Privilege.U) | (privilege.eq(Privilege.S) & (status & _SIE).ne(0))
    to_machine = machine_on.select(waiting & ~mideleg, 0)
    to_supervisor = supervisor_on.select(waiting & mideleg, 0)
    chosen = to_machine.ne(0).select(to_machine, to_supervisor)
    for interrupt in INTERRUPT_PRIORITY:
        with f.if_((chosen & (1 << interrupt)).ne(0)):
            f.ret(INTERRUPT_BIT | interrupt)
    f.ret(0)


def _helpers(module: Module) -> None:
    c = Chain(module, "h_leave")
    c.leave(c.pc(), c.r)

    c = Chain(module, "h_trap")  # trap_cause and trap_tval are set
    c.cpu.pc = c.pc()
    c.tail("h_trap_at_pc")

    c = Chain(module, "h_trap_at_pc")  # the same for an instruction without a record
    c.f.call("void", "take_trap", c.cpu.address, c.cpu.trap_cause, c.cpu.trap_tval, c.cpu.pc)
    c.cpu.countdown = c.r
    c.f.ret()

    c = Chain(module, "h_illegal")  # the record's immediate is the instruction word
    c.trap(int(Cause.ILLEGAL_INSTRUCTION), c.f.load("i32", c.rec.at(12)))

    c = Chain(module, "h_refused")  # an instruction that is illegal here; trap_tval is set
    c.trap(int(Cause.ILLEGAL_INSTRUCTION), c.cpu.trap_tval)

    c = Chain(module, "h_jump")  # to cpu.pc, which misses the code TLB
    f, cpu = c.f, c.cpu
    with f.if_(c.r.slt(1)):
        cpu.countdown = c.r
        f.ret()
    found = f.call("i64", "fetch_page", cpu.address, cpu.pc)
    with f.if_(found.eq(0)):
        c.tail("h_trap_at_pc")
    rec = found.to("ptr")
    c.dispatch(rec, pcd=cpu.pc - (found >> 3).to("i32"))

    c = Chain(module, "h_page_end")  # the record behind the last one of a page
    c.go(c.pc(), c.r)

    _single(module)


def _single(module: Module) -> None:
    """Instructions that are fetched and decoded each time: across pages, in divided pages, single steps."""
    f, cpu, (pc,) = plain(module, "single", "i64", ("i32", "pc"))
    cpu.count("single_steps")
    used = cpu.scratch_used
    with f.if_(used.ne(0)):
        f.store(f.symbol("h_single"), used.to("ptr"))
    word = f.call("i64", "fetch_word", cpu.address, pc)
    with f.if_(word.eq(-1)):
        f.ret(0)
    rec = cpu.scratch_page + ((pc & (PAGE - 2)).to("i64") << 3)
    cpu.scratch_used = rec
    f.call("void", "decode_single", cpu.address, rec.to("ptr"), word.to("i32"))
    f.ret(rec)

    for name in ("h_single", "h_split"):
        c = Chain(module, name)
        f, cpu = c.f, c.cpu
        pc = c.pc()
        if name == "h_single":
            with f.if_(c.r.slt(1)):
                c.leave(pc, c.r)
        found = f.call("i64", "single", cpu.address, pc)
        with f.if_(found.eq(0)):
            cpu.pc = pc
            c.tail("h_trap_at_pc")
        c.dispatch(found.to("ptr"), pcd=pc - (found >> 3).to("i32"))


def _environment(module: Module) -> None:
    c = Chain(module, "h_ecall")
    c.trap(c.cpu.privilege + int(Cause.ECALL_FROM_U), 0)
    c = Chain(module, "h_ebreak")
    c.trap(int(Cause.BREAKPOINT), c.pc())


def _returns(module: Module) -> None:
    """MRET and SRET (sections 3.1.6.1 and 3.3.2)."""
    for name in ("mret", "sret"):
        c = Chain(module, f"h_{name}")
        f, cpu = c.f, c.cpu
        status, privilege = cpu.mstatus, cpu.privilege
        if name == "mret":
            refused = privilege.ne(Privilege.M)
            mode = (status & _MPP) >> _MPP_LOW
            enable = bit_if(f, (status & _MPIE).ne(0), _MIE)
            cleared, epc, set_bits = _MIE | _MPP, cpu.mepc, _MPIE
        else:
            refused = privilege.eq(Privilege.U) | (privilege.eq(Privilege.S) & (status & _TSR).ne(0))
            mode = (status & _SPP) >> _SPP_LOW
            enable = bit_if(f, (status & _SPIE).ne(0), _SIE)
            cleared, epc, set_bits = _SIE | _SPP, cpu.sepc, _SPIE
        with f.if_(refused):
            c.tail("h_refused")
        kept = status & ~cleared
        kept = mode.eq(Privilege.M).select(kept, kept & ~_MPRV)
        cpu.mstatus = kept | enable | set_bits
        cpu.privilege = mode
        cpu.same_trap = 0
        f.call("void", "update_context", cpu.address)
        with f.if_(f.call("i32", "pending", cpu.address).ne(0)):
            c.leave(epc, c.r - 1)
        c.go(epc, c.r - 1, tlb=cpu.tlb.to("ptr"))


def _wait(module: Module) -> None:
    """WFI (section 3.3.3): retires; the run loop continues behind it once an enabled interrupt is pending."""
    c = Chain(module, "h_wfi")
    cpu = c.cpu
    refused = cpu.privilege.eq(Privilege.U) | (cpu.privilege.eq(Privilege.S) & (cpu.mstatus & _TW).ne(0))
    with c.f.if_(refused):
        c.tail("h_refused")
    cpu.waiting = 1
    cpu.reason = WFI
    c.leave(c.pc() + 4, c.r - 1)


def _fences(module: Module, config: IsaConfig) -> None:
    """SFENCE.VMA (section 4.2.1) and Svinval, whose invalidations happen at once here."""
    f, cpu, (register, address) = plain(module, "fence_translations", "void", ("i32", "rs1"), ("i32", "va"))
    with f.if_(register.eq(0)):  # all addresses; an ASID only narrows what must be forgotten
        f.call("void", "flush", cpu.address)
        f.ret()
    f.call("void", "flush_address", cpu.address, address)
    f.ret()
    names = ("sfence.vma", *(("sinval.vma", "sfence.w.inval", "sfence.inval.ir") if config.has("svinval") else ()))
    for name in names:
        c = Chain(module, "h_" + name.replace(".", "_"))
        f, cpu = c.f, c.cpu
        refused = cpu.privilege.eq(Privilege.U)
        if name.endswith("vma"):
            refused = refused | (cpu.privilege.eq(Privilege.S) & (cpu.mstatus & _TVM).ne(0))
        with f.if_(refused):
            c.tail("h_refused")
        if name.endswith("vma"):
            f.call("void", "fence_translations", cpu.address, cpu.slow_kind, cpu.slow_address)
        c.leave(c.pc() + 4, c.r - 1)  # fetch afresh
