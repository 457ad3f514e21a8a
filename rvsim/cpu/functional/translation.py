"""Address translation in compiled code: PMP, the Sv32 walk, the TLBs, instruction fetch.

Privileged specification 1.12, sections 3.7 (PMP) and 4.3 (Sv32). Access types are numbered as PMP bits:
read 1, write 2, execute 4.
"""

from __future__ import annotations

from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import MSTATUS, SATP
from rvsim.isa.protection import (
    LEVEL_BITS,
    PMP_A,
    PMP_L,
    PMP_NA4,
    PMP_NAPOT,
    PMP_R,
    PMP_TOR,
    PMP_W,
    PMP_X,
    PTE_A,
    PTE_D,
    PTE_PPN_LOW,
    PTE_R,
    PTE_U,
    PTE_V,
    PTE_W,
    PTE_X,
)
from rvsim.isa.traps import Cause, Privilege
from rvsim.native.ir import Function, Module, Value

from .emit import Cpu, plain, tlb_entry
from .state import (
    CODE_TLB_ENTRIES,
    CONTEXTS,
    INVALID_TAG,
    PAGE,
    PAGE_READY,
    RECORD,
    RECORD_PAGE,
    SLOTS,
    TLB_BYTES,
    TLB_ENTRIES,
)

READ, WRITE, EXECUTE = PMP_R, PMP_W, PMP_X
_SUM, _MXR, _MPRV, _MPP = (MSTATUS[name].mask for name in ("SUM", "MXR", "MPRV", "MPP"))
_MPP_LOW = MSTATUS["MPP"].low
_INDEX = (1 << LEVEL_BITS) - 1
_SUPERPAGE = PAGE << LEVEL_BITS

#: In ``pmp_rights``, beside the three rights: the entry also binds M-mode; the entry is off.
LOCKED, OFF = 8, 0xFF

_ACCESS_FAULT = {
    READ: Cause.LOAD_ACCESS_FAULT,
    WRITE: Cause.STORE_ACCESS_FAULT,
    EXECUTE: Cause.INSTRUCTION_ACCESS_FAULT,
}
_PAGE_FAULT = {
    READ: Cause.LOAD_PAGE_FAULT,
    WRITE: Cause.STORE_PAGE_FAULT,
    EXECUTE: Cause.INSTRUCTION_PAGE_FAULT,
}


def by_access(f: Function, access: Value, table: dict[int, int]) -> Value:
    """The entry of ``table`` for an access type."""
    return access.eq(WRITE).select(
        f.value(table[WRITE], "i32"),
        access.eq(READ).select(f.value(table[READ], "i32"), f.value(table[EXECUTE], "i32")),
    )


def emit(module: Module, config: IsaConfig) -> None:
    """Write all functions of this file."""
    _pmp_check(module, config)
    _pmp_update(module, config)
    _host(module)
    _walk_access(module)
    _translate(module)
    _fill(module)
    _flush(module)
    _flush_address(module)
    _fetch_page(module)
    _fetch_word(module)
    _context(module)


def _pmp_check(module: Module, config: IsaConfig) -> None:
    """0: denied, 1: allowed, 2: the entry that decides covers only a part of the bytes."""
    f, cpu, (address, size, access, privilege) = plain(
        module, "pmp_check", "i32", ("i64", "pa"), ("i64", "size"), ("i32", "access"), ("i32", "priv")
    )
    if not config.pmp_entries:
        f.ret(1)
        return
    machine = privilege.eq(Privilege.M)
    last = address + size - 1
    index = f.variable("i32", 0)
    count = cpu.pmp_count
    with f.loop() as done:
        i = index.get()
        with f.if_(count.ule(i)):
            f.branch(done)
        index.set(i + 1)
        rights = cpu.element("pmp_rights", i).to("i32")
        low, high = cpu.element("pmp_first", i), cpu.element("pmp_last", i)
        overlaps = rights.ne(OFF) & low.ule(last) & address.ule(high)
        with f.if_(overlaps):
            with f.if_(~(low.ule(address) & last.ule(high))):
                f.ret(2)
            with f.if_(machine & (rights & LOCKED).eq(0)):
                f.ret(1)
            f.ret((rights & access).ne(0).to("i32"))
    f.ret(machine.to("i32"))


def _pmp_update(module: Module, config: IsaConfig) -> None:
    """Decode ``pmpcfg`` and ``pmpaddr`` into byte ranges (section 3.7.1) and forget all translations."""
    f, cpu, _ = plain(module, "pmp_update", "void")
    index = f.variable("i32", 0)
    previous = f.variable("i64", 0)
    cpu.pmp_count = 0
    with f.loop() as done:
        i = index.get()
        with f.if_(f.value(config.pmp_entries, "i32").ule(i)):
            f.branch(done)
        index.set(i + 1)
        cfg = f.load("i8", cpu.pointer("pmpcfg0").at(i.to("i64"))).to("i32")
        raw = cpu.element("pmpaddr0", i).to("i64")
        mode = cfg & PMP_A
        first, end = f.variable("i64", 0), f.variable("i64", 0)
        with f.if_(mode.eq(PMP_TOR)):
            first.set(previous.get() << 2)
            end.set(raw << 2)
        with f.if_(mode.eq(PMP_NA4)):
            first.set(raw << 2)
            end.set((raw << 2) + 4)
        with f.if_(mode.eq(PMP_NAPOT)):  # the trailing ones and the zero above them give the size
            ones = raw ^ (raw + 1)
            first.set((raw & ~ones) << 2)
            end.set(((raw & ~ones) + ones + 1) << 2)
        previous.set(raw)
        on = mode.ne(0) & first.get().ult(end.get())
        f.store(first.get(), cpu.pointer("pmp_first", i))
        f.store(end.get() - 1, cpu.pointer("pmp_last", i))
        locked = (cfg & PMP_L).ne(0).select(f.value(LOCKED, "i32"), 0)
        rights = on.select((cfg & (PMP_R | PMP_W | PMP_X)) | locked, f.value(OFF, "i32"))
        f.store(rights.to("i8"), cpu.pointer("pmp_rights", i))
        with f.if_(on):
            cpu.pmp_count = i + 1
    f.call("void", "flush", cpu.address)
    f.ret()


def _host(module: Module) -> None:
    """Host address of a physical one in RAM, or in ROM if that is allowed; 0 if it is neither."""
    f, cpu, (address, rom) = plain(module, "host", "i64", ("i64", "pa"), ("i32", "rom"))
    offset = address - cpu.ram_base
    with f.if_(offset.ult(cpu.ram_size)):
        f.ret(cpu.ram + offset)
    offset = address - cpu.rom_base
    with f.if_(rom.ne(0) & offset.ult(cpu.rom_size)):
        f.ret(cpu.rom + offset)
    f.ret(0)


def _fault(f: Function, cpu: Cpu, cause: Value, address: Value) -> None:
    cpu.trap_cause = cause
    cpu.trap_tval = address
    f.ret(-1)


def _walk_access(module: Module) -> None:
    """Read a PTE: the host address of it, or 0 (PMP as S-mode reads, RAM only)."""
    f, cpu, (address,) = plain(module, "pte_host", "i64", ("i64", "pa"))
    allowed = f.call("i32", "pmp_check", cpu.address, address, f.value(4, "i64"), READ, Privilege.S)
    with f.if_(allowed.ne(1)):
        f.ret(0)
    f.ret(f.call("i64", "host", cpu.address, address, 0))


def _translate(module: Module) -> None:
    """Physical address (64 bits), or -1 with ``trap_cause`` and ``trap_tval`` set; sets ``cacheable``.

    ``cacheable``: the whole page has the same PMP answer, so a TLB may hold it.
    """
    f, cpu, (va, access, size) = plain(module, "translate", "i64", ("i32", "va"), ("i32", "access"), ("i32", "size"))
    context = cpu.data_context
    data_privilege = context.eq(3).select(f.value(3, "i32"), context.ne(0).to("i32"))
    privilege = access.eq(EXECUTE).select(cpu.privilege, data_privilege)
    physical = f.variable("i64", va.to("i64"))
    satp = cpu.satp
    with f.if_(privilege.ne(Privilege.M) & (satp & SATP["MODE"].mask).ne(0)):
        _sv32(f, cpu, va, access, privilege, satp, physical)
    pa = physical.get()
    with f.if_((pa >> 32).ne(0)):
        _fault(f, cpu, by_access(f, access, _ACCESS_FAULT), va)
    whole = f.call("i32", "pmp_check", cpu.address, pa & ~(PAGE - 1), f.value(PAGE, "i64"), access, privilege)
    cpu.cacheable = whole.eq(1).to("i32")
    with f.if_(whole.ne(1)):
        exact = f.call("i32", "pmp_check", cpu.address, pa, size.to("i64"), access, privilege)
        with f.if_(exact.ne(1)):
            _fault(f, cpu, by_access(f, access, _ACCESS_FAULT), va)
    f.ret(pa)


def _sv32(f: Function, cpu: Cpu, va: Value, access: Value, privilege: Value, satp: Value, physical) -> None:  # noqa: ANN001
    """The walk of section 4.3.2; leaves the physical address in a variable."""

    def page_fault() -> None:
        _fault(f, cpu, by_access(f, access, _PAGE_FAULT), va)

    def read(table: Value, index: Value) -> Value:
        where = f.call("i64", "pte_host", cpu.address, table + (index << 2).to("i64"))
        with f.if_(where.eq(0)):
            _fault(f, cpu, by_access(f, access, _ACCESS_FAULT), va)
        return f.load("i32", where.to("ptr"))

    def reserved(pte: Value) -> Value:
        return (pte & PTE_V).eq(0) | (pte & (PTE_R | PTE_W)).eq(PTE_W)

    pte = f.variable("i32", 0)
    offset_mask = f.variable("i32", _SUPERPAGE - 1)
    pte.set(read((satp & SATP["PPN"].mask).to("i64") << 12, va >> (12 + LEVEL_BITS)))
    with f.if_(reserved(pte.get())):
        page_fault()
    with f.if_((pte.get() & (PTE_R | PTE_X)).eq(0)):
        with f.if_((pte.get() & (PTE_A | PTE_D | PTE_U)).ne(0)):  # reserved in a pointer
            page_fault()
        pte.set(read((pte.get() >> PTE_PPN_LOW).to("i64") << 12, (va >> 12) & _INDEX))
        with f.if_(reserved(pte.get()) | (pte.get() & (PTE_R | PTE_X)).eq(0)):
            page_fault()
        offset_mask.set(PAGE - 1)
    leaf, mask = pte.get(), offset_mask.get()
    mstatus = cpu.mstatus
    readable = leaf | ((mstatus & _MXR).ne(0).to("i32") & (leaf >> 3)) << 1
    # Access bits R=1, W=2, X=4 are the PTE's R, W, X shifted down by one.
    denied = ((readable >> 1) & access).eq(0)
    user = (leaf & PTE_U).ne(0)
    from_user = privilege.eq(Privilege.U)
    barred = access.eq(EXECUTE) | (mstatus & _SUM).eq(0)
    wrong_mode = from_user.select(~user, user & barred)
    superpage = mask.ne(PAGE - 1)
    misaligned = superpage & (leaf & (_INDEX << PTE_PPN_LOW)).ne(0)
    stale = (leaf & PTE_A).eq(0) | (access.eq(WRITE) & (leaf & PTE_D).eq(0))
    with f.if_(denied | wrong_mode | misaligned | stale):
        page_fault()
    with f.if_(superpage):
        first, last = va & ~(_SUPERPAGE - 1), va | (_SUPERPAGE - 1)
        cpu.superpage_first = first.ult(cpu.superpage_first).select(first, cpu.superpage_first)
        cpu.superpage_last = cpu.superpage_last.ult(last).select(last, cpu.superpage_last)
    physical.set(((leaf >> PTE_PPN_LOW).to("i64") << 12) | (va & mask).to("i64"))


def _fill(module: Module) -> None:
    """Cache a translation in a data TLB, for reads or (``write``) for writes."""
    f, cpu, (tlb, va, host, write) = plain(
        module, "tlb_fill", "void", ("ptr", "tlb"), ("i32", "va"), ("i64", "host"), ("i32", "write")
    )
    cpu.count("tlb_misses")
    entry = tlb_entry(tlb, va)
    page = va & ~(PAGE - 1)
    mine, other = write.ne(0).select(entry.at(4), entry), write.ne(0).select(entry, entry.at(4))
    f.store(page, mine)
    with f.if_(f.load("i32", other).ne(page)):
        f.store(f.value(INVALID_TAG, "i32"), other)
    f.store((host & ~(PAGE - 1)) - page.to("i64"), entry.at(8))
    f.ret()


def _clear(f: Function, base: Value, entries: int, stride: int) -> None:
    """Invalidate both tags of consecutive entries."""
    position = f.variable("i64", 0)
    with f.loop() as done:
        at = position.get()
        f.store(f.value(-1, "i64"), base.at(at))
        position.set(at + stride)
        with f.if_(f.value(entries * stride, "i64").ule(at + stride)):
            f.branch(done)


def _flush(module: Module) -> None:
    """Forget all cached translations."""
    f, cpu, _ = plain(module, "flush", "void")
    cpu.count("tlb_flushes")
    cpu.superpage_first, cpu.superpage_last = ~0, 0
    _clear(f, cpu.tlb_base.to("ptr"), CONTEXTS * TLB_ENTRIES, 16)
    _clear(f, cpu.code_tlb_base.to("ptr"), CONTEXTS * CODE_TLB_ENTRIES, 16)
    f.ret()


def _flush_address(module: Module) -> None:
    """Forget the cached translations of one page, or all if it may be part of a superpage."""
    f, cpu, (va,) = plain(module, "flush_address", "void", ("i32", "va"))
    with f.if_(cpu.superpage_first.ule(va) & va.ule(cpu.superpage_last)):
        f.call("void", "flush", cpu.address)
        f.ret()
    for context in range(CONTEXTS):
        entry = tlb_entry(cpu.tlb_base.to("ptr").at(context * TLB_BYTES), va)
        f.store(f.value(-1, "i64"), entry)
        index = ((va >> 8) & ((CODE_TLB_ENTRIES - 1) << 4)).to("i64")
        f.store(f.value(-1, "i64"), cpu.code_tlb_base.to("ptr").at(index + context * CODE_TLB_ENTRIES * 16))
    f.ret()


def _fetch_page(module: Module) -> None:
    """Record of the instruction at ``va`` after filling the code TLB, or 0 with a trap noted."""
    f, cpu, (va,) = plain(module, "fetch_page", "i64", ("i32", "va"))
    cpu.count("code_misses")
    pa = f.call("i64", "translate", cpu.address, va, EXECUTE, 2)
    with f.if_(pa.eq(-1)):
        f.ret(0)
    host = f.call("i64", "host", cpu.address, pa, 1)
    with f.if_(host.eq(0)):
        cpu.trap_cause = int(Cause.INSTRUCTION_ACCESS_FAULT)
        cpu.trap_tval = va
        f.ret(0)
    place = (va & (PAGE - 2)).to("i64") << 3
    with f.if_(cpu.cacheable.eq(0)):
        # A page that PMP divides: every jump comes here, so that no record decoded before is run again.
        used = cpu.scratch_used
        with f.if_(used.ne(0)):
            f.store(f.symbol("h_single"), used.to("ptr"))
        f.ret(cpu.scratch_page + place)
    number = (host - cpu.ram) >> 12
    page = cpu.records + number * RECORD_PAGE
    flags_at = cpu.page_map.to("ptr").at(number)
    flags = f.load("i8", flags_at)
    with f.if_((flags & PAGE_READY).eq(0)):
        f.store(flags | PAGE_READY, flags_at)
        fill_records(f, page.to("ptr"), "h_undecoded")
    index = ((va >> 8) & ((CODE_TLB_ENTRIES - 1) << 4)).to("i64")
    entry = cpu.code_tlb.to("ptr").at(index)
    virtual = va & ~(PAGE - 1)
    f.store(virtual, entry)
    f.store(virtual - (page >> 3).to("i32"), entry.at(4))
    f.store(page, entry.at(8))
    f.ret(page + place)


def fill_records(f: Function, page: Value, handler: str) -> None:
    """Give every record of a page one handler, and the two behind it the one that goes to the next page."""
    position = f.variable("i64", 0)
    with f.loop() as done:
        at = position.get()
        f.store(f.symbol(handler), page.at(at))
        position.set(at + RECORD)
        with f.if_(f.value(SLOTS * RECORD, "i64").ule(at + RECORD)):
            f.branch(done)
    for slot in (SLOTS, SLOTS + 1):
        f.store(f.symbol("h_page_end"), page.at(slot * RECORD))


def _fetch_word(module: Module) -> None:
    """The instruction at ``pc`` (32 bits; a compressed one in the low half), or -1 with a trap noted.

    Checks every half-word as fetched: for instructions that cross pages and pages that PMP divides.
    """
    f, cpu, (pc,) = plain(module, "fetch_word", "i64", ("i32", "pc"))

    def half(address: Value) -> Value:
        pa = f.call("i64", "translate", cpu.address, address, EXECUTE, 2)
        with f.if_(pa.eq(-1)):
            f.ret(-1)
        host = f.call("i64", "host", cpu.address, pa, 1)
        with f.if_(host.eq(0)):
            _fault(f, cpu, f.value(int(Cause.INSTRUCTION_ACCESS_FAULT), "i32"), address)
        return f.load("i16", host.to("ptr")).to("i64")

    low = half(pc)
    with f.if_((low & 3).ne(3)):
        f.ret(low)
    f.ret(low | half(pc + 2) << 16)


def _context(module: Module) -> None:
    """Choose the TLBs for the current privilege, ``mstatus.MPRV`` and ``SUM``."""
    f, cpu, _ = plain(module, "update_context", "void")
    privilege, mstatus = cpu.privilege, cpu.mstatus
    borrowed = privilege.eq(Privilege.M) & (mstatus & _MPRV).ne(0)
    effective = borrowed.select((mstatus & _MPP) >> _MPP_LOW, privilege)
    supervisor = (mstatus & _SUM).ne(0).to("i32") + 1
    context = effective.eq(Privilege.S).select(supervisor, effective)
    cpu.data_context = context
    cpu.tlb = cpu.tlb_base + (context * TLB_BYTES).to("i64")
    cpu.code_tlb = cpu.code_tlb_base + (privilege * (CODE_TLB_ENTRIES * 16)).to("i64")
    f.ret()
