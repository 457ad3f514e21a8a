"""All state of a functional hart in one structure that compiled code and Python share.

Architectural registers come first; what follows belongs to the machinery: translation caches, the request that
compiled code left for the host, counters. The layout is the single source: generated code takes its offsets from here.
"""

from __future__ import annotations

import ctypes

u8, u32, u64, i64 = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64

#: Index of the register slot that writes to ``x0`` go to.
SINK = 32

# Why the interpreter stopped (``reason``): requests to the host.
RUNNING, MMIO, WFI, WATCH = 0, 1, 2, 3

# Results of the compiled run loop, and of ``FunctionalCore.run``.
EXIT_LIMIT, EXIT_HOST, EXIT_WFI, EXIT_STUCK, EXIT_MMIO, EXIT_WATCH = 0, 1, 2, 3, 4, 5

# States of ``mmio_state``.
MMIO_NONE, MMIO_READY, MMIO_FAULT = 0, 1, 2

#: Privilege contexts of the data TLBs: U, S, S with SUM, M or untranslated.
CONTEXTS = 4
TLB_ENTRIES = 1024
#: Context 4 is a scratch TLB through which one atomic access runs that must not be cached.
TLB_BYTES = TLB_ENTRIES * 16
CODE_TLB_ENTRIES = 256
CODE_TLB_BYTES = CODE_TLB_ENTRIES * 16
#: A tag that no address has: the comparison clears bits 11:2.
INVALID_TAG = 0xFFFF_FFFF

PAGE = 4096
#: One record of 16 bytes for every half-word of a page, and two that lead to the next page.
RECORD = 16
SLOTS = PAGE // 2
RECORD_PAGE = (SLOTS + 2) * RECORD

# Bits of the page map, one byte a page of RAM and ROM.
PAGE_RECORDS = 1  # has decoded records: stores must reset them
PAGE_WATCHED = 2  # holds a watched word
PAGE_STORED = 4  # a store translation may be cached
PAGE_READY = 8  # its record page is filled with undecoded records

#: After so many equal traps in a row the hart is stuck.
STUCK_AFTER = 10_000

#: A code page that takes so many stores is taken for data again.
STORES_BEFORE_DATA = 64


class HartState(ctypes.Structure):
    """One hart. Units: instructions are retired ones; times in nanoseconds of the host or ticks of 10 MHz."""

    _fields_ = [
        # -- architectural state (privileged specification; widths in bits by type)
        ("x", u32 * 33),  # x0..x31; [32] swallows writes to x0
        ("pc", u32),
        ("privilege", u32),
        ("mstatus", u32),
        ("mie", u32),
        ("mip", u32),  # software-writable bits only; see lines
        ("mideleg", u32),
        ("medeleg", u32),
        ("mtvec", u32),
        ("stvec", u32),
        ("mepc", u32),
        ("sepc", u32),
        ("mcause", u32),
        ("scause", u32),
        ("mtval", u32),
        ("stval", u32),
        ("mscratch", u32),
        ("sscratch", u32),
        ("satp", u32),
        ("mcounteren", u32),
        ("scounteren", u32),
        ("mcountinhibit", u32),
        ("menvcfg", u32),
        ("menvcfgh", u32),
        ("senvcfg", u32),
        ("stimecmp", u32),  # low and high half: read as one 64-bit number
        ("stimecmph", u32),
        *((f"pmpcfg{n}", u32) for n in range(4)),
        *((f"pmpaddr{n}", u32) for n in range(16)),
        ("waiting", u32),  # in WFI
        ("reservation", u64),  # host address of the reserved word; 0: none
        ("minstret_offset", i64),  # minstret = retired + offset
        ("mcycle_offset", i64),
        ("minstret_frozen", u64),  # the value while mcountinhibit.IR is set
        ("mcycle_frozen", u64),
        ("mtimecmp", u64),
        ("time_offset", i64),  # mtime = host or virtual ticks + offset
        # -- interrupt inputs
        ("lines", u32),  # external levels at their mip bits
        ("timers", u32),  # MTIP and STIP as last compared
        # -- PMP entries decoded: first byte and last byte of each, permission bits R=1 W=2 X=4, locked=8; 0xff: off
        ("pmp_first", u64 * 16),
        ("pmp_last", u64 * 16),
        ("pmp_rights", u8 * 16),
        ("pmp_count", u32),  # entries up to the last that is on
        # -- translation
        ("data_context", u32),
        ("tlb", u64),  # address of the current data TLB
        ("code_tlb", u64),  # address of the current code TLB
        ("tlb_base", u64),
        ("code_tlb_base", u64),
        ("scratch_tlb", u64),
        ("superpage_first", u32),  # range of addresses in which superpages may be cached
        ("superpage_last", u32),
        # -- memory
        ("ram", u64),  # host address; ROM follows RAM in one mapping
        ("ram_base", u64),
        ("ram_size", u64),
        ("rom", u64),
        ("rom_base", u64),
        ("rom_size", u64),
        ("records", u64),  # record pages of RAM, then of ROM
        ("scratch_page", u64),  # record page that executes one instruction at a time
        ("scratch_used", u64),  # its record that is decoded; 0: none
        ("page_map", u64),
        ("page_stores", u64),
        ("watch", u64 * 2),  # watched physical bytes, first and last
        ("watch_hit", u32),
        # -- running
        ("retire_end", u64),  # retired instructions when the countdown reaches zero
        ("countdown", i64),
        ("retired", u64),
        ("stop_at", u64),
        ("poll_every", u64),  # icount: host is looked at every so many instructions
        ("instructions_per_tick", u64),  # icount: virtual time
        ("icount", u32),
        ("exit_request", u32),
        ("deadline", u64),  # host clock, nanoseconds
        ("clock", u64),  # address of clock_gettime
        ("clock_origin", u64),  # host clock at mtime = time_offset
        ("reason", u32),
        ("trap_cause", u32),
        ("trap_tval", u32),
        ("same_trap", u32),  # traps in a row with one cause and place, and no return from a trap between them
        ("took_trap", u32),
        ("stop_at_trap", u32),  # the run loop returns once a trap was taken
        ("last_trap_cause", u32),
        ("last_trap_pc", u32),
        # -- a memory access that takes the slow path, and one that the host serves
        ("slow_address", u32),
        ("slow_kind", u32),
        ("slow_value", u32),
        ("translated", u64),
        ("cacheable", u32),
        ("mmio_state", u32),
        ("mmio_address", u64),
        ("mmio_size", u32),
        ("mmio_write", u32),
        ("mmio_value", u32),
        ("csr_value", u32),
        # -- statistics
        ("traps", u64 * 16),  # by cause
        ("interrupts", u64 * 16),
        ("tlb_misses", u64),
        ("tlb_flushes", u64),
        ("code_misses", u64),
        ("decoded", u64),
        ("pages_decoded", u64),
        ("records_reset", u64),
        ("single_steps", u64),
        ("profile", u64),  # address of a matrix of pairs; 0: none
        ("profile_last", u32),
    ]


def _layout(name: str, kind: type) -> tuple[str, int]:
    element = kind._type_ if issubclass(kind, ctypes.Array) else kind
    return f"i{8 * ctypes.sizeof(element)}", getattr(HartState, name).offset


#: LLVM type (of an element) and byte offset of every field, for the code generator.
LAYOUT = {name: _layout(name, kind) for name, kind in HartState._fields_}

# One mapping holds state, translation caches and the scratch record page.
STATE_BYTES = -(-ctypes.sizeof(HartState) // PAGE) * PAGE
TLB_OFFSET = STATE_BYTES
SCRATCH_TLB_OFFSET = TLB_OFFSET + CONTEXTS * TLB_BYTES
CODE_TLB_OFFSET = SCRATCH_TLB_OFFSET + TLB_BYTES
SCRATCH_PAGE_OFFSET = CODE_TLB_OFFSET + CONTEXTS * CODE_TLB_BYTES
CORE_BYTES = SCRATCH_PAGE_OFFSET + -(-RECORD_PAGE // PAGE) * PAGE
