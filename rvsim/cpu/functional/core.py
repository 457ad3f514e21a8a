"""The functional core as Python sees it: memory, state, running, and devices behind a bus."""

from __future__ import annotations

import ctypes
import time

from rvsim.isa.config import IsaConfig
from rvsim.isa.interrupts import MTI, STI

from . import state as s
from .build import interpreter
from .ram import Memory, Registers, address_of, anonymous, prefer_huge_pages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.bus import FunctionalBus


class Exit:
    """Why :meth:`FunctionalCore.run` returned."""

    LIMIT = s.EXIT_LIMIT  #: the instruction limit was reached, exactly
    HOST = s.EXIT_HOST  #: the time slice is over, or somebody asked to stop
    WFI = s.EXIT_WFI  #: the hart waits for an interrupt
    STUCK = s.EXIT_STUCK  #: the same trap at the same place again and again

    NAMES = {LIMIT: "limit", HOST: "host", WFI: "wfi", STUCK: "stuck"}


#: ``seconds=None``: no deadline.
_NEVER = (1 << 64) - 1

_MACHINE = 3


class FunctionalCore:
    """A hart with its RAM and ROM, run by the compiled interpreter.

    Parameters
    ----------
    isa
        What the hart implements.
    ram_size, rom
        RAM in bytes (a multiple of 4096), and the contents of the ROM.
    bus
        Serves physical accesses outside RAM and ROM: ``read(address, size)``, ``write(address, size, value)``; an
        :class:`rvsim.bus.BusError` becomes an access fault. ``None``: nothing answers there.
    icount
        Time is a function of the instruction count.
    on_build
        Called before the interpreter is compiled, when it is not in the cache.

    Raises
    ------
    ValueError
        A RAM size that is no multiple of 4096.
    MemoryError
        The host cannot give that much memory.
    """

    #: Instructions per tick of ``mtime`` (10 MHz) under ``icount``: a nominal 1 GHz.
    INSTRUCTIONS_PER_TICK = 100
    #: Under ``icount`` the host is looked at every so many instructions.
    POLL_EVERY = 1 << 20

    def __init__(
        self, isa: IsaConfig, ram_size: int, rom: bytes, bus: FunctionalBus | None, *,
        ram_base: int = 0x8000_0000, rom_base: int = 0x1000, rom_size: int = 0xF000,
        icount: bool = False, on_build: Callable[[], None] | None = None, code: object = None,
    ) -> None:  # fmt: skip
        if ram_size <= 0 or ram_size % s.PAGE:
            raise ValueError(f"RAM of {ram_size} bytes: must be a positive multiple of {s.PAGE}")
        self.isa, self.bus = isa, bus
        self._code = code = code or interpreter(isa, on_build)
        pages = (ram_size + rom_size) // s.PAGE
        try:
            self._ram = anonymous(ram_size + rom_size)
            self._records = anonymous(pages * s.RECORD_PAGE)
            self._maps = anonymous(2 * pages)
            self._core = anonymous(s.CORE_BYTES)
        except OSError as error:
            raise MemoryError(f"the host cannot give {ram_size >> 20} MiB of guest memory: {error.strerror}") from None
        prefer_huge_pages(self._ram)
        base = address_of(self._core)
        self.state = state = s.HartState.from_buffer(self._core)
        self._state_address = base
        state.tlb_base = base + s.TLB_OFFSET
        state.scratch_tlb = base + s.SCRATCH_TLB_OFFSET
        state.code_tlb_base = base + s.CODE_TLB_OFFSET
        state.scratch_page = base + s.SCRATCH_PAGE_OFFSET
        ctypes.memset(state.scratch_tlb, 0xFF, s.TLB_BYTES)
        state.ram = address_of(self._ram)
        state.ram_base, state.ram_size = ram_base, ram_size
        state.rom = state.ram + ram_size
        state.rom_base, state.rom_size = rom_base, rom_size
        state.records = address_of(self._records)
        state.page_map = address_of(self._maps)
        state.page_stores = state.page_map + pages
        state.watch[0], state.watch[1] = 1, 0
        state.icount = icount
        state.instructions_per_tick, state.poll_every = self.INSTRUCTIONS_PER_TICK, self.POLL_EVERY
        state.clock = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
        pointer, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
        self._run = code.function("run", ctypes.c_int, pointer)
        self._initialize = code.function("initialize", None, pointer)
        self._host_touched = code.function("host_touched", None, pointer, u64, u64)
        self._host_flush = code.function("host_flush", None, pointer)
        self._host_forget_stores = code.function("host_forget_stores", None, pointer, u64)
        self._host_translate = code.function("host_translate", ctypes.c_int64, pointer, u32, u32)
        self._host_csr = code.function("host_csr", u32, pointer, u32, u32, u32)
        self.memory = Memory(self, ram_base, ram_size)
        self.x = Registers(state)
        self._stop = False
        self._watch: Callable[[], None] | None = None
        self.set_rom(rom)
        self.reset()

    # -- set-up

    def set_rom(self, data: bytes) -> None:
        """Replace the contents of the ROM; the rest of it reads as zero.

        Raises
        ------
        ValueError
            It does not fit.
        """
        state = self.state
        if len(data) > state.rom_size:
            raise ValueError(f"{len(data)} bytes do not fit the ROM of {state.rom_size} bytes")
        start = state.ram_size
        self._ram[start : start + state.rom_size] = bytes(data).ljust(state.rom_size, b"\0")
        for offset in range(start, start + state.rom_size, s.PAGE):
            self.written(offset, s.PAGE)

    def reset(self, pc: int = 0x1000) -> None:
        """Reset the hart: M-mode at ``pc``, all CSRs at their reset values, translations forgotten. RAM stays."""
        state = self.state
        first, last = s.HartState.x.offset, s.HartState.tlb.offset
        ctypes.memset(self._state_address + first, 0, last - first)
        state.pc, state.privilege = pc, _MACHINE
        state.stimecmp = state.stimecmph = 0xFFFF_FFFF
        state.mtimecmp = _NEVER
        state.clock_origin = time.monotonic_ns()
        if state.icount:
            state.time_offset = -(state.retired // state.instructions_per_tick)
        state.minstret_offset = state.mcycle_offset = -state.retired
        state.mmio_state = s.MMIO_NONE
        state.same_trap = 0
        self._initialize(self._state_address)

    # -- running

    def run(self, instructions: int | None = None, seconds: float | None = None) -> int:
        """Run until an :class:`Exit`: a number of further instructions, or a time, or until something happens.

        ``instructions`` is exact. Device accesses are served through the bus on the way.
        """
        state, run, address = self.state, self._run, self._state_address
        limit = _NEVER if instructions is None else state.retired + instructions
        state.stop_at = min(limit, _NEVER >> 1)
        state.deadline = _NEVER if seconds is None else time.monotonic_ns() + int(seconds * 1e9)
        while True:
            reason = run(address)
            if reason == s.EXIT_MMIO:
                self._serve()
                if self._stop:
                    self._stop = False
                    state.stop_at = state.retired + 1
                    run(address)  # let the access retire
                    return Exit.HOST
            elif reason == s.EXIT_WATCH:
                state.watch_hit = 0
                if self._watch is not None:
                    self._watch()
                if self._stop:
                    self._stop = False
                    return Exit.HOST
            else:
                return reason

    def _serve(self) -> None:
        from rvsim.bus import BusError

        state = self.state
        try:
            if self.bus is None:
                raise BusError(f"no bus to reach {state.mmio_address:#x}")
            if state.mmio_write:
                mask = (1 << 8 * state.mmio_size) - 1
                self.bus.write(state.mmio_address, state.mmio_size, state.mmio_value & mask)
            else:
                state.mmio_value = self.bus.read(state.mmio_address, state.mmio_size)
        except BusError:
            state.mmio_state = s.MMIO_FAULT
        else:
            state.mmio_state = s.MMIO_READY

    def step(self) -> int:
        """Execute exactly one instruction, or take one trap or interrupt; returns what :meth:`run` would."""
        state = self.state
        state.took_trap, state.stop_at_trap = 0, 1
        try:
            return self.run(instructions=1)
        finally:
            state.stop_at_trap = 0

    def stop(self) -> None:
        """From inside a bus access: :meth:`run` returns after the instruction that makes it."""
        self._stop = True

    def request_exit(self) -> None:
        """From a signal handler or another thread: :meth:`run` returns :attr:`Exit.HOST` soon."""
        self.state.exit_request = 1

    # -- interrupts and time

    def set_line(self, bit: int, level: bool) -> None:
        """Drive an external interrupt line: MSIP (3), SEIP (9) or MEIP (11)."""
        if level:
            self.state.lines |= 1 << bit
        else:
            self.state.lines &= ~(1 << bit) & 0xFFFF_FFFF

    @property
    def mtime(self) -> int:
        """The timer, 64 bits, in ticks of 10 MHz."""
        state = self.state
        if state.icount:
            ticks = state.retired // state.instructions_per_tick
        else:
            ticks = (time.monotonic_ns() - state.clock_origin) // 100
        return (ticks + state.time_offset) & _NEVER

    @mtime.setter
    def mtime(self, value: int) -> None:
        offset = (value - self.mtime + self.state.time_offset) & _NEVER
        self.state.time_offset = offset - (1 << 64) if offset >> 63 else offset

    @property
    def mtimecmp(self) -> int:
        """The machine timer comparator, 64 bits."""
        return self.state.mtimecmp

    @mtimecmp.setter
    def mtimecmp(self, value: int) -> None:
        self.state.mtimecmp = value

    def _next_timer(self) -> int | None:
        """The comparator value, in ticks, of the earliest timer event that is enabled."""
        state = self.state
        events = []
        if state.mie >> MTI & 1:
            events.append(state.mtimecmp)
        if state.mie >> STI & 1 and state.menvcfgh >> 31:
            events.append(state.stimecmp | state.stimecmph << 32)
        events = [e for e in events if e < _NEVER]
        return min(events, default=None)

    def wfi_timeout(self) -> float | None:
        """Seconds until the next timer event that could end a WFI; ``None``: no timer is armed."""
        event = self._next_timer()
        return None if event is None else max(0, event - self.mtime) / 10_000_000

    def skip_to_timer(self) -> None:
        """Under ``icount``: let virtual time pass until the next timer event."""
        event = self._next_timer()
        if event is not None and event > self.mtime:
            self.mtime = event

    # -- looking inside

    @property
    def instret(self) -> int:
        """Instructions retired since the core was made."""
        return self.state.retired

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self.state.pc

    @pc.setter
    def pc(self, value: int) -> None:
        self.state.pc = value

    @property
    def privilege(self) -> int:
        """Privilege mode: 0 U, 1 S, 3 M."""
        return self.state.privilege

    def csr(self, name: str | int) -> int:
        """A CSR's value as M-mode reads it, by name or number.

        Raises
        ------
        KeyError
            There is no such CSR.
        """
        state = self.state
        privilege = state.privilege
        state.privilege = _MACHINE
        illegal = self._host_csr(self._state_address, _csr_number(name), 0, 0)
        state.privilege = privilege
        if illegal:
            raise KeyError(name)
        return state.csr_value

    def write_csr(self, name: str | int, value: int) -> None:
        """Write a CSR as M-mode does, with all side effects.

        Raises
        ------
        KeyError
            There is no such CSR, or it is read-only.
        """
        state = self.state
        privilege = state.privilege
        state.privilege = _MACHINE
        status = self._host_csr(self._state_address, _csr_number(name), value & 0xFFFF_FFFF, 1)
        state.privilege = privilege
        if status == 1:
            raise KeyError(name)
        self._initialize(self._state_address)

    def translate(self, address: int, access: str = "r") -> int | None:
        """The physical address that an access (``r``, ``w``, ``x``) to a virtual one reaches now, or ``None``."""
        state = self.state
        noted = state.trap_cause, state.trap_tval
        result = self._host_translate(self._state_address, address, {"r": 1, "w": 2, "x": 4}[access])
        state.trap_cause, state.trap_tval = noted
        return None if result < 0 else result

    def watch(self, address: int, length: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each instruction that stores into these bytes of RAM (one range at a time).

        Raises
        ------
        ValueError
            They are not all in RAM.
        """
        state = self.state
        offset = self.memory.offset(address, length)
        state.watch[0], state.watch[1] = address, address + length - 1
        maps = self._maps
        for page in range(offset >> 12, (offset + length - 1 >> 12) + 1):
            maps[page] |= s.PAGE_WATCHED
            self._host_forget_stores(self._state_address, state.ram + (page << 12))
        self._watch = callback

    def written(self, offset: int, length: int) -> None:
        """Bytes of RAM changed from outside."""
        state = self.state
        end = offset + length
        if state.reservation and state.ram + offset - 3 <= state.reservation < state.ram + end:
            state.reservation = 0
        maps = self._maps
        while offset < end:
            page_end = (offset | s.PAGE - 1) + 1
            if maps[offset >> 12] & s.PAGE_RECORDS:
                self._host_touched(self._state_address, offset, min(page_end, end) - offset)
            offset = page_end

    def statistics(self) -> dict[str, object]:
        """Counters of traps by cause, interrupts, translation and code caches."""
        state = self.state
        return {
            "traps": {cause: n for cause, n in enumerate(state.traps) if n},
            "interrupts": {cause: n for cause, n in enumerate(state.interrupts) if n},
            "tlb": {"misses": state.tlb_misses, "flushes": state.tlb_flushes, "code_misses": state.code_misses},
            "code_cache": {
                "decoded": state.decoded,
                "pages": state.pages_decoded,
                "resets": state.records_reset,
                "single": state.single_steps,
            },
        }

    def numpy_state(self) -> object:
        """The hart's state as a NumPy record that shares its memory: ``numpy_state()["x"][10]``.

        The fields are those of :class:`~rvsim.cpu.functional.state.HartState`.
        """
        import numpy

        return numpy.frombuffer(self.state, dtype=numpy.dtype(s.HartState), count=1)[0]

    def numpy_ram(self) -> object:
        """RAM as a NumPy array of bytes that shares its memory."""
        import numpy

        return numpy.frombuffer(self.memory.ram, dtype=numpy.uint8)


def _csr_number(name: str | int) -> int:
    if isinstance(name, int):
        return name
    from rvsim.isa.csr import NUMBERS

    return NUMBERS[name]
