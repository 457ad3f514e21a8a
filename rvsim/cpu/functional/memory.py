"""Accesses that miss the inlined TLB hit: misaligned ones, devices, code pages, faults.

A device access leaves compiled code with a request in the hart's state; when the host has served it, the same
instruction runs again and finds the answer waiting.
"""

from __future__ import annotations

from rvsim.isa.config import IsaConfig
from rvsim.isa.traps import Cause
from rvsim.native.ir import Function, Module, Value

from .emit import Chain, Cpu, plain
from .state import (
    CONTEXTS,
    INVALID_TAG,
    MMIO,
    MMIO_FAULT,
    MMIO_NONE,
    PAGE,
    PAGE_RECORDS,
    PAGE_STORED,
    PAGE_WATCHED,
    RECORD,
    RECORD_PAGE,
    STORES_BEFORE_DATA,
    TLB_ENTRIES,
    WATCH,
)
from .translation import READ, WRITE, fill_records

_OK, _MMIO, _TRAP = 0, 1, 2


def emit(module: Module, config: IsaConfig) -> None:
    """Write all functions of this file."""
    _access(module, config, store=False)
    _access(module, config, store=True)
    _across(module, store=False)
    _across(module, store=True)
    _put(module)
    _reset_records(module)
    _forget_stores(module)
    _load_chain(module)
    _store_chain(module)
    _atomic_chain(module)


def _answered(f: Function, cpu: Cpu, fault: int, va: Value, pa: Value, size: Value, store: bool) -> None:
    """Take up the host's answer to this very access, if there is one.

    Something else may run here than what asked: a bus master can replace the instruction while the host serves it.
    """
    state = cpu.mmio_state
    with f.if_(state.ne(MMIO_NONE)):
        cpu.mmio_state = MMIO_NONE
        same = cpu.mmio_address.eq(pa) & cpu.mmio_size.eq(size) & cpu.mmio_write.eq(int(store))
        with f.if_(same & state.eq(MMIO_FAULT)):
            cpu.trap_cause = fault
            cpu.trap_tval = va
            f.ret(_TRAP)
        with f.if_(same):
            cpu.slow_value = cpu.mmio_value
            f.ret(_OK)


def _access(module: Module, config: IsaConfig, *, store: bool) -> None:
    """``load_slow`` and ``store_slow`` (va, size): 0 done (``slow_value``), 1 the host's turn, 2 trap noted."""
    name, kind = ("store_slow", WRITE) if store else ("load_slow", READ)
    fault = int(Cause.STORE_ACCESS_FAULT if store else Cause.LOAD_ACCESS_FAULT)
    f, cpu, (va, size) = plain(module, name, "i32", ("i32", "va"), ("i32", "size"))
    misaligned = (va & (size - 1)).ne(0)
    with f.if_(misaligned):
        if not config.misaligned:
            cpu.trap_cause = int(Cause.STORE_ADDRESS_MISALIGNED if store else Cause.LOAD_ADDRESS_MISALIGNED)
            cpu.trap_tval = va
            f.ret(_TRAP)
        else:
            with f.if_(f.value(PAGE, "i32").ult((va & (PAGE - 1)) + size)):
                f.ret(f.call("i32", f"{name}_across", cpu.address, va, size))
    pa = f.call("i64", "translate", cpu.address, va, kind, size)
    with f.if_(pa.eq(-1)):
        f.ret(_TRAP)
    host = f.call("i64", "host", cpu.address, pa, 0 if store else 1)
    with f.if_(host.eq(0)):
        rom = (pa - cpu.rom_base).ult(cpu.rom_size)
        with f.if_(misaligned | rom):
            cpu.trap_cause = fault
            cpu.trap_tval = va
            f.ret(_TRAP)
        _answered(f, cpu, fault, va, pa, size, store)
        cpu.mmio_address = pa
        cpu.mmio_size = size
        cpu.mmio_write = int(store)
        if store:
            cpu.mmio_value = cpu.slow_value
        f.ret(_MMIO)
    if store:
        f.call("void", "put", cpu.address, host, size, cpu.slow_value)
        flags = f.load("i8", cpu.page_map.to("ptr").at((host - cpu.ram) >> 12))
        with f.if_((flags & (PAGE_RECORDS | PAGE_WATCHED)).ne(0) | cpu.cacheable.eq(0) | misaligned):
            f.ret(_OK)
        f.store(flags | PAGE_STORED, cpu.page_map.to("ptr").at((host - cpu.ram) >> 12))
    else:
        _get(f, cpu, host, size)
        with f.if_(cpu.cacheable.eq(0) | misaligned):
            f.ret(_OK)
    f.call("void", "tlb_fill", cpu.address, cpu.tlb.to("ptr"), va, host, int(store))
    f.ret(_OK)


def _get(f: Function, cpu: Cpu, host: Value, size: Value) -> None:
    """``slow_value`` = ``size`` bytes at a host address, zero-extended."""
    where = host.to("ptr")

    def of(bits: int) -> None:
        cpu.slow_value = f.load(f"i{bits}", where, align=1).to("i32")

    f.switch(size, {1: lambda: of(8), 2: lambda: of(16)}, lambda: of(32))


def _put(module: Module) -> None:
    """Store ``size`` bytes (1, 2, 4) to RAM, having reset what was decoded from there and noted watched words."""
    f, cpu, (host, size, value) = plain(module, "put", "void", ("i64", "host"), ("i32", "size"), ("i32", "value"))
    where, offset = host.to("ptr"), host - cpu.ram

    def of(bits: int) -> None:
        f.store(value.to(f"i{bits}"), where, align=1)

    f.switch(size, {1: lambda: of(8), 2: lambda: of(16)}, lambda: of(32))
    f.call("void", "touched", cpu.address, offset, size.to("i64"))
    f.ret()


def _across(module: Module, *, store: bool) -> None:
    """An access that crosses a page: both parts are checked before anything is written."""
    name, kind = ("store_slow_across", WRITE) if store else ("load_slow_across", READ)
    fault = int(Cause.STORE_ACCESS_FAULT if store else Cause.LOAD_ACCESS_FAULT)
    f, cpu, (va, size) = plain(module, name, "i32", ("i32", "va"), ("i32", "size"))
    second = (va | (PAGE - 1)) + 1
    first_size = second - va
    hosts = []
    for address, length in ((va, first_size), (second, size - first_size)):
        pa = f.call("i64", "translate", cpu.address, address, kind, length)
        with f.if_(pa.eq(-1)):
            f.ret(_TRAP)
        host = f.call("i64", "host", cpu.address, pa, 0 if store else 1)
        with f.if_(host.eq(0)):
            cpu.trap_cause = fault
            cpu.trap_tval = address
            f.ret(_TRAP)
        hosts.append(host)
    index, value = f.variable("i32", 0), f.variable("i32", cpu.slow_value if store else 0)
    with f.loop() as done:
        i = index.get()
        with f.if_(size.ule(i)):
            f.branch(done)
        index.set(i + 1)
        where = i.ult(first_size).select(hosts[0] + i.to("i64"), hosts[1] + (i - first_size).to("i64"))
        if store:
            f.call("void", "put", cpu.address, where, 1, value.get())
            value.set(value.get() >> 8)
        else:
            byte = f.load("i8", where.to("ptr")).to("i32")
            value.set(value.get() | byte << (i << 3))
    if not store:
        cpu.slow_value = value.get()
    f.ret(_OK)


def _reset_records(module: Module) -> None:
    """``touched`` (offset in RAM, length inside one page): bytes changed under decoded or watched pages."""
    f, cpu, (offset, length) = plain(module, "touched", "void", ("i64", "offset"), ("i64", "length"))
    page = offset >> 12
    flags_at = cpu.page_map.to("ptr").at(page)
    flags = f.load("i8", flags_at)
    with f.if_((flags & PAGE_WATCHED).ne(0)):
        physical = cpu.ram_base + offset
        hit = cpu.element("watch", 0).ule(physical + length - 1) & physical.ule(cpu.element("watch", 1))
        with f.if_(hit):
            cpu.watch_hit = 1
    with f.if_((flags & PAGE_RECORDS).eq(0)):
        f.ret()
    cpu.count("records_reset")
    records = cpu.records + page * RECORD_PAGE
    stores_at = cpu.page_stores.to("ptr").at(page)
    stores = f.load("i8", stores_at) + 1
    f.store(stores, stores_at)
    with f.if_(stores.eq(STORES_BEFORE_DATA)):
        # The page serves as data now: decode afresh if it is ever executed again.
        f.store(f.value(0, "i8"), stores_at)
        f.store(flags & ~PAGE_RECORDS, flags_at)
        fill_records(f, records.to("ptr"), "h_undecoded")
        f.ret()
    # A record may cover two instructions, that is four half-words, so up to three before also saw these bytes.
    first = (offset & (PAGE - 1)) >> 1
    slot = f.variable("i64", first.ult(3).select(f.value(0, "i64"), first - 3))
    last = ((offset & (PAGE - 1)) + length - 1) >> 1
    with f.loop() as done:
        at = slot.get()
        with f.if_(last.ult(at)):
            f.branch(done)
        f.store(f.symbol("h_undecoded"), (records + at * RECORD).to("ptr"))
        slot.set(at + 1)
    f.ret()


def _forget_stores(module: Module) -> None:
    """Make stores to a page (its host address) take the slow path from now on."""
    f, cpu, (host,) = plain(module, "forget_stores", "void", ("i64", "host"))
    base = cpu.tlb_base.to("ptr")
    position = f.variable("i64", 0)
    with f.loop() as done:
        at = position.get()
        entry = base.at(at)
        tag = f.load("i32", entry.at(4))
        page = f.load("i64", entry.at(8)) + (tag & ~(PAGE - 1)).to("i64")
        with f.if_(tag.ne(INVALID_TAG) & page.eq(host)):
            f.store(f.value(INVALID_TAG, "i32"), entry.at(4))
        position.set(at + 16)
        with f.if_(f.value(CONTEXTS * TLB_ENTRIES * 16, "i64").ule(at + 16)):
            f.branch(done)
    f.ret()


def _finish(c: Chain, status: Value) -> None:
    """Leave for the host or the trap handler, if that is what came out."""
    with c.f.if_(status.eq(_MMIO)):
        c.cpu.reason = MMIO
        c.leave(c.pc(), c.r)
    with c.f.if_(status.eq(_TRAP)):
        c.tail("h_trap")


def _after(c: Chain, kind: Value, watched: bool) -> None:
    """Retire and go on behind an instruction whose length is in ``kind``."""
    following = c.rec.at((kind >> 4).to("i64") << 3)
    if watched:
        with c.f.if_(c.cpu.watch_hit.ne(0)):
            c.cpu.reason = WATCH
            c.leave(c.pc(following), c.r - 1)
    with c.f.if_((c.r - 1).slt(1)):
        c.tail("h_leave", following, c.r - 1)
    c.dispatch(following, c.r - 1)


def _load_chain(module: Module) -> None:
    c = Chain(module, "h_load_slow")
    f, cpu = c.f, c.cpu
    kind = cpu.slow_kind
    _finish(c, f.call("i32", "load_slow", cpu.address, cpu.slow_address, kind & 7))
    raw = cpu.slow_value
    value = f.variable("i32", raw)
    with f.if_((kind & 15).eq(1 | 8)):
        value.set(raw.to("i8").to("i32", signed=True))
    with f.if_((kind & 15).eq(2 | 8)):
        value.set(raw.to("i16").to("i32", signed=True))
    f.store(value.get(), cpu.pointer("x", f.load("i8", c.rec.at(8))))
    _after(c, kind, watched=False)


def _store_chain(module: Module) -> None:
    c = Chain(module, "h_store_slow")
    kind = c.cpu.slow_kind
    _finish(c, c.f.call("i32", "store_slow", c.cpu.address, c.cpu.slow_address, kind & 7))
    _after(c, kind, watched=True)


def _atomic_chain(module: Module) -> None:
    """LR, SC and AMO: make the translation available, then run the same record again.

    What must not be cached (code pages, watched words, divided pages) goes through the scratch TLB, once.
    """
    c = Chain(module, "h_atomic_slow")
    f, cpu = c.f, c.cpu
    write, va = cpu.slow_kind, cpu.slow_address
    access = write.ne(0).select(f.value(WRITE, "i32"), f.value(READ, "i32"))

    def either(store: Cause, load: Cause) -> Value:
        return write.ne(0).select(f.value(int(store), "i32"), f.value(int(load), "i32"))

    with f.if_((va & 3).ne(0)):
        c.trap(either(Cause.STORE_ADDRESS_MISALIGNED, Cause.LOAD_ADDRESS_MISALIGNED), va)
    pa = f.call("i64", "translate", cpu.address, va, access, 4)
    with f.if_(pa.eq(-1)):
        c.tail("h_trap")
    host = f.call("i64", "host", cpu.address, pa, 0)
    with f.if_(host.eq(0)):
        c.trap(either(Cause.STORE_ACCESS_FAULT, Cause.LOAD_ACCESS_FAULT), va)
    flags_at = cpu.page_map.to("ptr").at((host - cpu.ram) >> 12)
    flags = f.load("i8", flags_at)
    plain_page = (flags & (PAGE_RECORDS | PAGE_WATCHED)).eq(0) | write.eq(0)
    with f.if_(cpu.cacheable.ne(0) & plain_page):
        with f.if_(write.ne(0)):
            f.store(flags | PAGE_STORED, flags_at)
        f.call("void", "tlb_fill", cpu.address, cpu.tlb.to("ptr"), va, host, write)
        c.dispatch(c.rec, tlb=cpu.tlb.to("ptr"))
    # What is about to be overwritten may be this very instruction: its record is reset as any other, and must not be
    # decoded again before the access is made.
    handler = f.load("ptr", c.rec)
    with f.if_(write.ne(0)):
        f.call("void", "touched", cpu.address, host - cpu.ram, f.value(4, "i64"))
    f.call("void", "tlb_fill", cpu.address, cpu.scratch_tlb.to("ptr"), va, host, write)
    c.tail(handler, tlb=cpu.scratch_tlb.to("ptr"))
