"""Drivers: the same few verbs over every engine that executes instructions.

What a test sets up, it sets up by instructions; a driver gives only registers, memory and steps. The suites that use
them state what the specification or ``docs/implementation-defined.md`` says, and know no engine.
"""

from rvsim.bus import BusError
from rvsim.cpu.functional import FunctionalCore
from rvsim.isa import IsaConfig
from rvsim.isa.csr import NUMBERS
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.isa.tables import BY_NAME

RAM, RAM_SIZE = 0x8000_0000, 0x10_0000
ROM = 0x1000
ROM_BYTES = bytes(range(256)) * 16
#: Where set-up instructions run, M and S trap handlers, the program under test, its data.
SCRATCH, M_HANDLER, S_HANDLER, CODE, DATA = (RAM + offset for offset in (0x100, 0x400, 0x800, 0x1000, 0x4000))
#: A device of 256 bytes.
DEVICE = 0x1000_0000
U, S, M = 0, 1, 3


def asm(name, **operands):
    """An instruction word."""
    return BY_NAME[name].encode(**operands)


def csr_asm(name, rd=0, csr="mscratch", **operands):
    """A CSR instruction, the register by its name or number."""
    return asm(name, rd=rd, csr=NUMBERS.get(csr, csr), **operands)


class Device:
    """A bus with one device, which remembers its accesses and holds 256 bytes."""

    def __init__(self):
        self.bytes, self.log = bytearray(range(256)), []

    def _offset(self, address, size):
        if not DEVICE <= address <= DEVICE + 256 - size:
            raise BusError(f"nothing at {address:#x}")
        return address - DEVICE

    def read(self, address, size):
        offset = self._offset(address, size)
        self.log.append(("read", offset, size))
        return int.from_bytes(self.bytes[offset : offset + size], "little")

    def write(self, address, size, value):
        offset = self._offset(address, size)
        self.log.append(("write", offset, size, value))
        self.bytes[offset : offset + size] = value.to_bytes(size, "little")


class Driver:
    """What every engine offers: ``x``, ``pc``, ``privilege``, ``csr()``, ``step()``, memory and interrupt inputs."""

    config: IsaConfig
    device: Device

    def execute(self, word, at=SCRATCH):
        """Put ``word`` at the physical address ``at`` and step once there (in M-mode, untranslated)."""
        self.load(at, word)
        self.pc = at
        self.step()

    def load(self, address, data):
        """Write an instruction word (2 or 4 bytes by its low bits), a list of them, or bytes to physical memory."""
        for word in data if isinstance(data, list) else [data]:
            if isinstance(word, int):
                word = word.to_bytes(4 if word & 3 == 3 else 2, "little")
            self.write(address, bytes(word))
            address += len(word)

    def store_word(self, address, value):
        """Write a 32-bit word to physical memory."""
        self.write(address, value.to_bytes(4, "little"))

    def load_word(self, address):
        """A 32-bit word of physical memory."""
        return int.from_bytes(self.read(address, 4), "little")

    def set_csr(self, name, value):
        """CSRRW in M-mode."""
        assert self.privilege == M
        kept = self.x[31]
        self.x[31] = value & 0xFFFF_FFFF
        self.execute(csr_asm("csrrw", 0, name, rs1=31))
        self.x[31] = kept

    def set_up(self, **csrs):
        """Handlers in ``mtvec`` and ``stvec``, all memory open to S and U, then ``csrs``."""
        if self.config.pmp_entries:
            self.set_csr("pmpaddr0", 0xFFFF_FFFF)
            self.set_csr("pmpcfg0", 0x1F)
        self.set_csr("mtvec", M_HANDLER)
        self.set_csr("stvec", S_HANDLER)
        for name, value in csrs.items():
            self.set_csr(name, value)

    def enter(self, mode, pc=CODE):
        """Go on in ``mode`` at ``pc``, by MRET; interrupts stay as MPIE and SIE say."""
        self.set_csr("mepc", pc)
        self.set_csr("mstatus", self.csr("mstatus") & ~(3 << 11) | mode << 11)
        self.execute(asm("mret"))
        assert (self.privilege, self.pc) == (mode, pc)

    def run(self, *words, mode=None, at=CODE):
        """Put ``words`` at ``at``, enter ``mode`` there, and execute as many steps."""
        self.load(at, list(words))
        if mode in (None, M):
            self.pc = at
        else:
            self.enter(mode, at)
        for _ in words:
            self.step()

    def expect_trap(self, cause, tval=0, epc=CODE, mode=M, vector=None):
        """The last step took this trap into ``mode``."""
        p = "m" if mode == M else "s"
        got = (self.csr(p + "cause"), self.csr(p + "tval"), self.csr(p + "epc"))
        assert [f"{value:#x}" for value in got] == [f"{value & 0xFFFF_FFFF:#x}" for value in (cause, tval, epc)]
        assert self.privilege == mode
        assert self.pc == (vector or (M_HANDLER if mode == M else S_HANDLER))

    def expect_no_trap(self, pc=CODE + 4):
        """The last step retired and went on at ``pc``."""
        assert self.pc == pc, f"at {self.pc:#x}, mcause {self.csr('mcause'):#x} mtval {self.csr('mtval'):#x}"


class ReferenceDriver(Driver):
    """The integer reference."""

    def __init__(self, config):
        self.config, self.device = config, Device()
        self.ram = bytearray(RAM_SIZE)
        memory = PhysicalMemory({RAM: self.ram}, {ROM: ROM_BYTES}, self.device, BusError)
        self.hart = ReferenceHart(config, memory)
        self.x = self.hart.x
        self.csr, self.set_line, self.translate = self.hart.csr, self.hart.set_line, self.hart.translate
        self.dma_write = self.hart.dma_write

    def step(self):
        self.hart.step()

    def write(self, address, data):
        self.ram[address - RAM : address - RAM + len(data)] = data

    def read(self, address, size):
        return bytes(self.ram[address - RAM : address - RAM + size])


class FunctionalDriver(Driver):
    """The compiled functional core, with virtual time that stands still unless a test moves it."""

    def __init__(self, config):
        self.config, self.device = config, Device()
        self.hart = FunctionalCore(config, RAM_SIZE, ROM_BYTES, self.device, icount=True)
        self.hart.state.instructions_per_tick = 1 << 60
        self.x = self.hart.x
        self.csr, self.set_line, self.translate = self.hart.csr, self.hart.set_line, self.hart.translate
        self.write = self.dma_write = self.hart.memory.write
        self.read = self.hart.memory.read

    def step(self):
        self.hart.step()


def _forward(driver, name):
    setattr(
        driver,
        name,
        property(lambda self: getattr(self.hart, name), lambda self, value: setattr(self.hart, name, value)),
    )


for _driver in (ReferenceDriver, FunctionalDriver):
    for _name in ("pc", "privilege", "mtime", "mtimecmp"):
        _forward(_driver, _name)

#: Name → driver class.
ENGINES = {"reference": ReferenceDriver, "functional": FunctionalDriver}
