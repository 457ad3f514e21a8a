"""A memory-mapped peripheral of one's own, with an interrupt: a countdown that the program waits for."""

from rvsim.isa import assemble
from rvsim.soc import Machine, SocConfig


class Countdown:
    """Write a number at offset 0; every read takes one off, and at zero the interrupt line rises."""

    def __init__(self):
        self.value = 0

    def read(self, offset, size):
        self.value = max(0, self.value - 1)
        self.interrupt(self.value == 0)
        return self.value

    def write(self, offset, size, value):
        self.value = value


machine = Machine(SocConfig(memory=1 << 20))
countdown = Countdown()
countdown.interrupt = machine.add(0x2000_0000, countdown, size=0x1000, name="countdown", interrupt=40)

PROGRAM = """
        la   t0, handler
        csrw mtvec, t0
        li   t0, 0x0c000000     # PLIC: priority and enable of source 40 for M-mode
        li   t1, 1
        sw   t1, 160(t0)
        li   t0, 0x0c002000
        li   t1, 0x100
        sw   t1, 4(t0)
        li   t0, 0x800          # mie.MEIE, mstatus.MIE
        csrw mie, t0
        csrsi mstatus, 8
        li   s0, 0x20000000
        li   t0, 5
        sw   t0, 0(s0)
        li   s1, 0
count:  addi s1, s1, 1
        lw   t0, 0(s0)
        j    count
handler:
        li   t0, 0x100000       # power off
        li   t1, 0x5555
        sw   t1, 0(t0)
"""

machine.load_bytes(bytes(assemble(PROGRAM)))
print(f"{machine.run().message} after {machine.hart[0].x[9]} reads")
