"""Peripherals on the machine's bus, its own and those that a user adds."""

import pytest

from rvsim.bus import BusError
from tests.soc.programs import POWER_OFF, RAM, program_elf


class Dice:
    """A peripheral: a register that counts reads, and a line that follows the last write."""

    def __init__(self):
        self.reads = 0
        self.drive = None
        self.resets = 0

    def read(self, offset, size):
        if offset == 4:
            raise BusError("no such register")
        self.reads += 1
        return self.reads

    def write(self, offset, size, value):
        self.drive(bool(value))

    def reset(self):
        self.resets += 1


def test_a_peripheral_of_ones_own(make_machine, tmp_path):
    machine = make_machine()
    dice = Dice()
    dice.drive = machine.add(0x2000_0000, dice, 16, "dice", interrupt=20)
    source = """
        li a0, 0x20000000
        lw a1, 0(a0)
        lw a2, 0(a0)
        sw a2, 0(a0)
        la t0, trap
        csrw mtvec, t0
        lw a3, 4(a0)
    trap:
        csrr a4, mcause
        li t0, 0x0c001000
        lw a5, 0(t0)
    """
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf(source + POWER_OFF))
    machine.load_elf(str(path))
    assert machine.run(seconds=30).kind == "power-off"
    hart = machine.hart[0]
    assert (hart.x[11], hart.x[12]) == (1, 2)
    assert hart.x[14] == 5
    assert hart.x[15] == 1 << 20
    assert dice.resets == 1


def test_a_peripheral_in_the_page_of_one_that_nobody_touched_yet(make_machine, tmp_path):
    """The machine builds its own devices when they are first touched, which another in their page must not prevent."""
    machine = make_machine()
    machine.add(0x1000_0800, Dice(), 16, "dice")
    path = tmp_path / "a.elf"
    path.write_bytes(
        program_elf("li a0, 0x10000000; li a3, 0x10000800; lw a1, 0(a3); li a2, 65; sb a2, 0(a0)" + POWER_OFF)
    )
    machine.load_elf(str(path))
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.hart[0].x[11] == 1
    assert machine.console.transcript == "A"


def test_a_line_that_is_up_stays_so_over_a_reset(make_machine, tmp_path):
    """Its device drives it, and may not be reset with the machine; one that was put down before interrupts no more."""
    machine = make_machine()

    class Button:
        def read(self, offset, size):
            return 0

        def write(self, offset, size, value):
            pass

    pressed, released = (
        machine.add(0x2000_0000 + 16 * n, Button(), 16, f"button {n}", interrupt=20 + n) for n in range(2)
    )
    pressed(True)
    released(True)
    released(False)
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf("li t0, 0x0c001000; lw a5, 0(t0)" + POWER_OFF))
    machine.load_elf(str(path))
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.hart[0].x[15] == 1 << 20


@pytest.mark.parametrize(
    ("base", "size", "interrupt", "message"),
    [
        (0x1000_0080, 16, None, "dice at 0x10000080..0x1000008f overlaps uart at 0x10000000..0x100000ff"),
        (RAM + 16, 16, None, "overlaps RAM"),
        (0x1000, 16, None, "overlaps the boot ROM"),
        (0x2000_0000, 16, 10, "dice: interrupt 10 belongs to uart already"),
        (0x2000_0000, 16, 96, "source must be from 1 to 95"),
        (0x2000_0000, 0, None, "must be positive"),
    ],
)
def test_a_peripheral_where_there_is_no_place_is_refused(make_machine, base, size, interrupt, message):
    machine = make_machine()
    with pytest.raises(ValueError, match=r"dice|PLIC") as caught:
        machine.add(base, Dice(), size, "dice", interrupt)
    assert message in str(caught.value)


def test_an_error_in_a_peripheral_reaches_the_caller(make_machine, tmp_path):
    class Broken(Dice):
        def read(self, offset, size):
            raise RuntimeError("a mistake in the peripheral")

    machine = make_machine()
    machine.add(0x2000_0000, Broken(), 16, "broken")
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf("li a0, 0x20000000; lw a1, 0(a0); 1: j 1b"))
    machine.load_elf(str(path))
    with pytest.raises(RuntimeError, match="a mistake in the peripheral"):
        machine.run(seconds=30)


def test_the_machine_builds_only_devices_that_are_touched(make_machine):
    machine = make_machine(POWER_OFF)
    machine.run(seconds=30)
    assert machine.bus.built("finisher")
    assert machine.bus.built("uart") is None
