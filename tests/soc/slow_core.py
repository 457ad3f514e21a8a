"""The functional core's interface over the integer reference hart: the machine's tests run on both."""

from types import SimpleNamespace

from rvsim.bus import BusError
from rvsim.cpu.functional import Exit
from rvsim.isa.reference import PhysicalMemory, ReferenceHart

ALL64 = (1 << 64) - 1
SAME_TRAP = 1000


class SlowMemory:
    """RAM as the DMA path sees it."""

    def __init__(self, base, size):
        self.base = base
        self.bytes = bytearray(size)
        self.ram = memoryview(self.bytes)

    def _offset(self, address, size):
        offset = address - self.base
        if not 0 <= offset <= len(self.bytes) - size:
            raise ValueError(f"{size} bytes at {address:#x} are not in RAM")
        return offset

    def read(self, address, size):
        offset = self._offset(address, size)
        return bytes(self.bytes[offset : offset + size])

    def write(self, address, data):
        offset = self._offset(address, len(data))
        self.ram[offset : offset + len(data)] = data


class SlowCore(ReferenceHart):
    """One instruction every ten microseconds; time is the number of instructions, a tick each."""

    def __init__(self, isa, ram_size, rom, bus, *, ram_base=0x8000_0000, rom_base=0x1000, icount=False):
        self.ram_memory = SlowMemory(ram_base, ram_size)
        self._rom_base = rom_base
        self._bus = bus
        self._stop = self._request = False
        self._watches = []
        self._skipped = 0
        self._traps = 0
        self._floor = 0
        physical = PhysicalMemory({ram_base: self.ram_memory.bytes}, {rom_base: rom}, self, BusError)
        super().__init__(isa, physical, rom_base)
        self._physical = physical
        self.memory = self.ram_memory
        self.state = SimpleNamespace(waiting=False)
        self.mmu.memory = _Noticing(physical, self)

    # The bus as the reference hart's memory sees it.
    def read(self, address, size):
        return self._bus.read(address, size)

    def write(self, address, size, value):
        self._bus.write(address, size, value)

    def set_rom(self, data):
        self._physical.rom = {self._rom_base: bytes(data) + bytes(-len(data) % 4096)}

    def reset(self, pc=0x1000):
        super().reset(pc)

    def watch(self, address, length, callback):
        self._watches.append((address, length, callback))

    def stop(self):
        self._stop = True

    def request_exit(self):
        self._request = True

    def step(self):
        before = self.instret
        self.mtime = self.mtime + 1 & ALL64
        record = super().step()
        self.state.waiting = self.waiting
        hits, self.mmu.memory.hits = self.mmu.memory.hits, []
        for callback in hits:
            callback()
        assert self.instret in (before, before + 1)
        return record

    def run(self, instructions=None, seconds=None):
        import time

        end = None if instructions is None else self.instret + instructions
        deadline = None if seconds is None else time.monotonic() + seconds
        self._stop = False
        while end is None or self.instret < end:
            before = self.instret
            if self.step() is None:
                return Exit.WFI
            # Over all calls: a slice may be shorter than so many traps take.
            self._traps = 0 if self.instret > before else self._traps + 1
            if self._traps >= SAME_TRAP:
                return Exit.STUCK
            if self._stop or self._request or (deadline is not None and time.monotonic() >= deadline):
                self._stop = self._request = False
                return Exit.HOST
            if self.waiting and not self.pending & self.mie:
                return Exit.WFI
        return Exit.LIMIT

    def wfi_timeout(self):
        times = [time for bit, time in ((7, self.mtimecmp), (5, self.stimecmp)) if self.mie >> bit & 1 and time < ALL64]
        return max(0, min(times) - self.mtime) / 1e7 if times else None

    def skip_to_timer(self):
        times = [time for bit, time in ((7, self.mtimecmp), (5, self.stimecmp)) if self.mie >> bit & 1]
        self.mtime = max(self.mtime, min(times))


class _Noticing:
    """Physical memory that notes stores into watched words."""

    def __init__(self, physical, core):
        self._physical = physical
        self._core = core
        self.hits = []

    def __getattr__(self, name):
        return getattr(self._physical, name)

    def write(self, address, size, value):
        self._physical.write(address, size, value)
        for watched, length, callback in self._core._watches:
            if address < watched + length and watched < address + size:
                self.hits.append(callback)
