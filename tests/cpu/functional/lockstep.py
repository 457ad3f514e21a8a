"""The functional core and the reference side by side: the same inputs, every difference reported where it begins."""

from rvsim.bus import BusError
from rvsim.cpu.functional import Exit, FunctionalCore
from rvsim.isa import IsaConfig
from rvsim.isa.csr import registers
from rvsim.isa.disassembler import disassemble
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from tests.cpu.functional import programs
from tests.cpu.functional.programs import DEVICE, PAGE, PAUSE, RAM, RAM_SIZE, ROM, S_PAUSE

ROM_BYTES = bytes(range(256)) * 16
#: Traps in a row after which a program is given up and started afresh.
DEAD = 24
#: CSRs whose reads are compared; the others are compared as storage.
READ = ("mip", "sip", "sie", "mcycle", "mcycleh", "minstret", "minstreth", "time")


class Device:
    """A device whose values follow from the accesses so far; half of its addresses refuse.

    Stores to :data:`PAUSE` call ``pause``.
    """

    def __init__(self):
        self.count, self.log, self.pause = 0, [], lambda: None

    def _check(self, address):
        if not DEVICE <= address < DEVICE + 0x1000 or address & 0x80:
            raise BusError(f"nothing at {address:#x}")

    def read(self, address, size):
        self._check(address)
        self.count += 1
        self.log.append((address, size))
        return (self.count * 0x9E37_79B1 ^ address) & ((1 << 8 * size) - 1)

    def write(self, address, size, value):
        if address & ~S_PAUSE == PAUSE:
            self.pause()
        else:
            self._check(address)
        self.log.append((address, size, value))


class VirtualTimeHart(ReferenceHart):
    """A reference hart whose ``mtime`` follows from the instruction count, as under ``icount``."""

    per_tick = 1 << 60
    _offset = 0

    @property
    def mtime(self):
        return self._offset + getattr(self, "instret", 0) // self.per_tick & (1 << 64) - 1

    @mtime.setter
    def mtime(self, value):
        self._offset = value - getattr(self, "instret", 0) // self.per_tick


class Difference(AssertionError):
    """The two engines differ."""


class Pair:
    """A functional core and a reference hart that get the same inputs.

    Parameters
    ----------
    ram
        Contents of RAM.
    config
        What both implement.
    per_tick
        Instructions per tick of ``mtime``; the default lets time stand still.

    Attributes
    ----------
    trail, used
        The last records of the reference, and the last addresses in the window and the superpage that it accessed.
    """

    def __init__(self, ram, config=None, per_tick=1 << 60):
        config = config or IsaConfig()
        self.config = config
        self.devices = Device(), Device()
        self.core = FunctionalCore(config, RAM_SIZE, ROM_BYTES, self.devices[0], icount=True)
        self.core.state.instructions_per_tick = per_tick
        self.devices[0].pause = self.core.stop
        self.ram = bytearray(ram)
        self.core.memory.write(RAM, bytes(ram))
        memory = PhysicalMemory({RAM: self.ram}, {ROM: ROM_BYTES.ljust(0xF000, b"\0")}, self.devices[1], BusError)
        self.hart = VirtualTimeHart(config, memory)
        self.hart.per_tick = per_tick
        self.storages = sorted(
            {r.storage for r in registers(config).values() if r.storage}
            - {"stimecmp", "stimecmph", "mcycle", "mcycleh", "minstret", "minstreth"}
        )
        self.read = [name for name in READ if name != "time" or config.has("zicntr")]
        self.trail, self.used = [], []
        self.both(lambda engine: engine.reset(RAM))

    def both(self, action):
        """Do the same to both; for what they name alike."""
        action(self.core)
        action(self.hart)

    def set_csr(self, name, value):
        """Write a CSR as M-mode does."""
        self.core.write_csr(name, value)
        self.hart.set_csr(name, value)

    def start(self, pc, registers, tables=0):
        """Reset both and set the handlers; memory is open but for 64 KiB of page tables at ``tables``."""
        self.both(lambda engine: engine.reset(pc))
        csrs = {"mtvec": programs.M_HANDLER, "stvec": programs.S_HANDLER, "mcounteren": 7}
        if self.config.pmp_entries and tables:
            # locked: the page tables read-only, since what is changed there wants a fence; the handlers as they are
            csrs |= {"pmpaddr0": tables >> 2 | 0x1FFF, "pmpaddr1": RAM >> 2 | 0x1FF, "pmpcfg0": 0x9D99}
            csrs |= {"pmpaddr15": 0xFFFF_FFFF, "pmpcfg3": 0x1F00_0000}
        for name, value in csrs.items():
            self.set_csr(name, value)
        self.registers(registers)

    def registers(self, values):
        """Contents for ``x1`` to ``x31``."""
        for index, value in enumerate(values, 1):
            self.core.x[index] = self.hart.x[index] = value

    def set_mode(self, mode, pc):
        """Go on in another privilege mode at ``pc``."""
        self.core.state.privilege = self.hart.privilege = mode
        self.set("pc", pc)
        self.core.write_csr("mscratch", self.core.csr("mscratch"))  # any write chooses the translation context anew

    def set(self, name, value):
        """Set an attribute that both have."""
        setattr(self.core, name, value)
        setattr(self.hart, name, value)

    def wake(self):
        """End a WFI that nothing else ends."""
        self.core.state.waiting = 0
        self.hart.waiting = False

    def _step(self):
        record = self.hart.step()
        self.trail.append(record)
        del self.trail[:-12]
        if record is not None and programs.WINDOW <= record.mem_addr < programs.SUPERPAGE + 64 * PAGE:
            self.used.append(record.mem_addr)
            del self.used[:-8]
        return record

    # ---- running ------------------------------------------------------------------------------------------------

    def step(self):
        """One step of both, compared; returns the reference's record, or ``Exit.STUCK`` if the core gives up."""
        if self.core.step() == Exit.STUCK:
            return Exit.STUCK
        record = self._step()
        self.compare()
        return record

    def run(self, count):
        """``count`` instructions in one go (fewer if they wait, pause or get stuck), compared; returns the core's exit.

        Only more than :data:`rvsim.cpu.functional.run.MARGIN` use decoded records; the last of a run go one by one.
        """
        reason = self.core.run(instructions=count)
        target = self.core.instret
        idle = 0
        while self.hart.instret < target and idle < DEAD:
            before = self.hart.instret
            self._step()
            idle = idle + 1 if self.hart.instret == before else 0
        if reason == Exit.STUCK:
            for _ in range(DEAD):  # the core may have gone on to any trap of the circle
                if not self.differences():
                    break
                self.hart.step()
        self.compare()
        return reason

    # ---- comparing ----------------------------------------------------------------------------------------------

    def differences(self):
        """What differs, as lines of text."""
        core, hart, state = self.core, self.hart, self.core.state
        pairs = [("pc", state.pc, hart.pc), ("privilege", state.privilege, hart.privilege)]
        if list(state.x)[:32] != hart.x:
            pairs += [(f"x{n}", state.x[n], hart.x[n]) for n in range(32)]
        pairs += [(name, getattr(state, name), getattr(hart, name)) for name in self.storages]
        pairs += [(name, core.csr(name), hart.csr(name)) for name in self.read]
        if self.config.has("sstc"):
            pairs.append(("stimecmp", state.stimecmp | state.stimecmph << 32, hart.stimecmp))
        reservation = state.reservation - state.ram + RAM if state.reservation else None
        pairs += [
            ("reservation", reservation, hart.reservation),
            ("instret", core.instret, hart.instret),
            ("waiting", bool(state.waiting), hart.waiting),
            ("device", len(self.devices[0].log), len(self.devices[1].log)),
        ]
        lines = [f"{name}: core {_hex(a)}, reference {_hex(b)}" for name, a, b in pairs if a != b]
        if self.devices[0].log != self.devices[1].log:
            lines.append("the device saw other accesses")
        return lines

    def compare(self, *, memory=False):
        """Raise :class:`Difference` unless everything is equal; RAM too if asked."""
        lines = self.differences()
        if memory and not lines:
            ours, theirs = bytes(self.core.memory.ram), bytes(self.ram)
            if ours != theirs:
                at = next(n for n in range(len(ours)) if ours[n] != theirs[n])
                lines.append(f"RAM at {RAM + at:#x}: core {ours[at]:#x}, reference {theirs[at]:#x}")
        if lines:
            raise Difference("\n".join((*lines, "after:", *map(self.describe, self.trail))))

    def describe(self, record):
        """A step as a line of text."""
        if record is None:
            return "  (waits)"
        text = disassemble(record.insn, record.pc_rdata) if record.insn else "-"
        line = f"  {'US?M'[record.mode]} {record.pc_rdata:08x}: {record.insn:08x}  {text}"
        if record.rd_addr:
            line += f"  x{record.rd_addr}={record.rd_wdata:#x}"
        if record.mem_rmask or record.mem_wmask:
            line += f"  [{record.mem_addr:#x}]"
        return line + (f"  trap {record.cause:#x} tval {record.tval:#x}" if record.trap else "")


def _hex(value):
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
