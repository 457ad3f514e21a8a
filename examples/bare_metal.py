"""Assemble a bare-metal program, run it a while, and look at the hart in between."""

from rvsim.isa import assemble, decode
from rvsim.soc import Machine, SocConfig

PROGRAM = """
        li   a0, 10
        li   a1, 1
loop:   mul  a1, a1, a0         # 10!
        addi a0, a0, -1
        bnez a0, loop
        li   t0, 0x100000       # the test finisher
        li   t1, 0x5555
        sw   t1, 0(t0)
"""

machine = Machine(SocConfig(memory=1 << 20))
machine.load_bytes(bytes(assemble(PROGRAM)))
hart = machine.hart[0]

while hart.pc != 0x8000_0000:  # the boot ROM
    hart.step()
for _ in range(5):
    word = int.from_bytes(machine.memory.read(hart.pc, 4), "little")
    print(f"{hart.pc:08x}  {decode(word, hart.pc)}")
    hart.step()

outcome = machine.run()
print(f"{outcome.message} after {hart.instret} instructions: 10! = {hart.x[11]}")
