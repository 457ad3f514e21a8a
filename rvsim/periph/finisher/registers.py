"""The one register of SiFive's test finisher."""

from __future__ import annotations

from rvsim.regs.map import Field, Register, RegisterMap

SIZE = 0x1000
FAIL = 0x3333
PASS = 0x5555
RESET = 0x7777

FINISHER = RegisterMap(
    name="finisher",
    size=SIZE,
    sizes=(2, 4),
    description="Test finisher: ends or resets the machine.",
    registers=(
        Register(
            name="finish",
            offset=0,
            on_write="command",
            fields=(
                Field(
                    name="kind",
                    bit=0,
                    width=16,
                    access="wo",
                    hardware="-",
                    description="0x5555 passes, 0x3333 fails with the code, 0x7777 resets; others do nothing",
                ),
                Field(name="code", bit=16, width=16, access="wo", hardware="-", description="exit status of a failure"),
            ),
            description="reads as zero",
        ),
    ),
)
