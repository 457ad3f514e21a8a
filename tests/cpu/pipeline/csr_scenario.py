"""Random lives of a CSR file: what goes in, and what the reference hart says comes out, cycle by cycle."""

import itertools
import random

from rvsim.cpu.pipeline.csr_file import Action
from rvsim.cpu.pipeline.trap import SystemOperation
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.isa.reference.state import ALL64, WIDE
from rvsim.isa.reference.traps import Trap, enter
from rvsim.isa.tables import instructions
from rvsim.isa.traps import INTERRUPT_BIT, Cause, Interrupt, Privilege
from tests.isa.specification import EDGES

#: Members of the component that are inputs, and what they are when nothing happens.
IDLE = {
    "reset": 0,
    "access.valid": 0,
    "access.number": 0,
    "access.action": 0,
    "access.writes": 0,
    "access.operand": 0,
    "trap.valid": 0,
    "trap.interrupt": 0,
    "trap.cause": 0,
    "trap.epc": 0,
    "trap.tval": 0,
    "system.valid": 0,
    "system.operation": 0,
    "retire": 0,
}
#: Beginnings of the names of registers on which much depends.
DECIDING = ("mstatus", "mie", "mip", "mideleg", "medeleg", "menvcfgh", "mcounteren", "scounteren", "satp", "pmpcfg")
DECIDING += ("stimecmp", "sstatus", "time", "mtvec", "stvec", "mcountinhibit")
ALL32 = (1 << 32) - 1
#: Instructions of which the mode decides whether they are legal.
CHECKED = [
    insn
    for insn in instructions()
    if insn.unit == "system" and insn.length == 4 and insn.name not in ("ecall", "ebreak", "fence", "fence.i")
]


def word_of(insn):
    """The instruction with zeros for operands."""
    return int("".join(bit if bit in "01" else "0" for bit in insn.pattern if bit != " "), 2)


def expected_words(hart, names):
    """The storage of the hart, by the names of the component's words."""
    words = {}
    for name in names:
        wide = name.removesuffix("h")
        if wide in WIDE:
            words[name] = getattr(hart, wide) >> (32 if name.endswith("h") else 0) & ALL32
        else:
            words[name] = getattr(hart, name)
    return words


class Life:
    """A hart whose days are chosen at random; :meth:`cycles` tells of them."""

    def __init__(self, config, seed, *, episode=400):
        self.random = random.Random(seed)
        self.hart = ReferenceHart(config, PhysicalMemory([]))
        self.episode = episode
        self.numbers = list(self.hart.registers)
        self.written = [number for number, register in self.hart.registers.items() if register.fields]
        self.pmp_changed = 0
        self.deciding = [n for n in self.numbers if self.hart.registers[n].name.startswith(DECIDING)]
        self.seip = self.meip = self.msip = self.mtip = 0

    def cycles(self):
        """Yields inputs, outputs in the same cycle, and the hart as it is after it; without end."""
        for cycle in itertools.count():
            if cycle and cycle % self.episode == 0:
                time = self.hart.mtime
                self.hart.reset(0)
                self.hart.mtime = time
                self._drive_lines()
                self.pmp_changed = 0
                yield {**IDLE, "reset": 1}, {}, self.hart
            inputs = {**IDLE, **self._surroundings()}
            outputs = self.outputs()
            self.pmp_changed = 0
            self._act(inputs, outputs)
            yield inputs, outputs, self.hart

    # ---- what surrounds the hart

    def _drive_lines(self):
        hart = self.hart
        for line, bit in (("msip", Interrupt.MSI), ("seip", Interrupt.SEI), ("meip", Interrupt.MEI)):
            hart.set_line(bit, getattr(self, line))
        # The timer's line, as the reference is wired to it: the comparison comes out as wanted at any time.
        hart.mtimecmp = 0 if self.mtip else ALL64 + 1

    def _surroundings(self):
        choose, hart = self.random, self.hart
        for line in ("msip", "mtip", "seip", "meip"):
            if choose.random() < 0.05:
                setattr(self, line, choose.getrandbits(1))
        kind = choose.randrange(8)
        if kind == 0:
            hart.mtime = choose.getrandbits(64)
        elif kind == 1:
            hart.mtime = hart.stimecmp + choose.randint(-1, 1) & ALL64
        self._drive_lines()
        lines = {line: getattr(self, line) for line in ("msip", "mtip", "seip", "meip")}
        return {**lines, "time": hart.mtime}

    # ---- what it shows

    def outputs(self):
        hart = self.hart
        interrupt = hart.interrupt_to_take()
        outputs = {
            "interrupt": int(interrupt is not None),
            "interrupt_cause": interrupt or 0,
            "wake": int(bool(hart.pending & hart.mie)),
            "privilege": int(hart.privilege),
            "data_privilege": int(hart.data_privilege),
            "pmp_changed": self.pmp_changed,
            "access.illegal": 0,
            "system.illegal": 0,
        }
        for entry in range(hart.config.pmp_entries):
            outputs[f"pmpcfg.{entry}"] = hart.pmp.configuration(entry)
        return outputs

    # ---- what it does

    def _act(self, inputs, outputs):
        hart, choose = self.hart, self.random
        inhibited, hart.csrs.written = hart.mcountinhibit, None
        kind = choose.randrange(16)
        if kind < 8:
            self._access(inputs, outputs)
        elif kind < 11:
            returns = [insn for insn in CHECKED if insn.name == ("mret" if hart.privilege == Privilege.M else "sret")]
            self._system(inputs, outputs, choose.choice(returns))
        elif kind < 12:
            self._system(inputs, outputs, choose.choice(CHECKED))
        elif kind < 14:
            interrupt = hart.interrupt_to_take()
            if interrupt is not None and choose.random() < 0.8:
                self._trap(inputs, outputs, interrupt | INTERRUPT_BIT)
            elif choose.random() < 0.5:
                self._trap(inputs, outputs, choose.choice(list(Interrupt)) | INTERRUPT_BIT)
            else:
                self._trap(inputs, outputs, choose.choice(list(Cause)))
        else:
            inputs["retire"] = choose.getrandbits(1)
        # Cycles where the functional cores count instructions.
        for bit, counter, happens in ((0, "mcycle", True), (2, "minstret", inputs["retire"])):
            if happens and not inhibited >> bit & 1 and hart.csrs.written != counter:
                setattr(hart, counter, getattr(hart, counter) + 1 & ALL64)

    def _operand(self, old):
        choose = self.random
        return choose.choice(
            (
                choose.getrandbits(32),
                choose.choice(EDGES),
                1 << choose.randrange(32),
                old ^ 1 << choose.randrange(32),
                choose.getrandbits(32) & choose.getrandbits(32) & choose.getrandbits(32),
            )
        )

    def _number(self):
        """A register: mostly one that the mode may access, and often one on which much depends."""
        choose, hart = self.random, self.hart
        if choose.random() < 0.05:
            return choose.getrandbits(12)
        numbers = choose.choice((self.numbers, self.written, self.deciding, self.deciding))
        if choose.random() < 0.8:
            numbers = [number for number in numbers if number >> 8 & 3 <= hart.privilege]
        return choose.choice(numbers or self.numbers)

    def _access(self, inputs, outputs):
        hart, choose = self.hart, self.random
        if hart.privilege != Privilege.M and choose.random() < 0.03:
            return self._trap(inputs, outputs, Cause.ECALL_FROM_U)
        number = self._number()
        action = choose.choice(list(Action))
        writes = int(action is Action.WRITE or choose.random() < 0.8)
        register = hart.registers.get(number)
        operand = self._operand(hart.csrs.read(register) if register else 0)
        if register and register.name.startswith("pmpcfg") and choose.random() < 0.7:
            operand &= ~0x80808080 & ALL32  # locks last until reset: few of them
        inputs |= {"access.valid": 1, "access.number": number, "access.action": action.value, "access.writes": writes}
        inputs["access.operand"] = operand
        try:
            register = hart.csrs.check(number, write=bool(writes))
        except Trap:
            outputs["access.illegal"] = 1
            return self._fail(inputs, outputs)
        outputs["access.value"] = hart.csrs.read(register)
        if writes:
            self.pmp_changed = int(register.name.startswith("pmp") and bool(register.fields))
            hart.csrs.modify(register, action.name.lower(), operand)
        inputs["retire"] = 1

    def _system(self, inputs, outputs, insn):
        hart = self.hart
        inputs |= {"system.valid": 1, "system.operation": SystemOperation.of(insn.name).value}
        try:
            _, operands, execute = hart.decode(word_of(insn))
        except Trap:  # absent extension: the pipeline's decoder finds it
            inputs["system.valid"] = 0
            return
        try:
            target = execute(insn, operands, {}, None)
        except Trap:
            outputs["system.illegal"] = 1
            return self._fail(inputs, outputs)
        hart.waiting = False  # whether it waits is up to the pipeline
        if insn.name in ("mret", "sret"):
            outputs |= {"target": target, "next_privilege": int(hart.privilege)}
        inputs["retire"] = 1

    def _fail(self, inputs, outputs):
        """An illegal instruction becomes a trap in the same cycle, or later."""
        if self.random.getrandbits(1):
            self._trap(inputs, outputs, Cause.ILLEGAL_INSTRUCTION)

    def _trap(self, inputs, outputs, cause):
        hart, choose = self.hart, self.random
        epc, tval = choose.getrandbits(32) & (~1 if hart.config.has("c") else ~3), choose.getrandbits(32)
        hart.pc = epc
        enter(hart, int(cause), tval)
        inputs |= {"trap.valid": 1, "trap.interrupt": int(cause) >> 31, "trap.cause": int(cause) & 15}
        inputs |= {"trap.epc": epc, "trap.tval": tval}
        outputs |= {"target": hart.pc, "next_privilege": int(hart.privilege)}
