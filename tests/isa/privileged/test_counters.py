"""The counters (sections 3.1.10 to 3.1.12): a read gives the count before the reading instruction."""

import pytest

from tests.isa.engines import CODE, M, asm, csr_asm

NOP, ALL = asm("addi"), 0xFFFF_FFFF


def read(rd, name):
    return csr_asm("csrrs", rd, name, rs1=0)


def write(name, rs1):
    return csr_asm("csrrw", 0, name, rs1=rs1)


@pytest.mark.parametrize("name", ["mcycle", "minstret", "cycle", "instret"])
def test_each_instruction_counts_once(hart, name):
    hart.run(read(5, name), read(6, name), NOP, 0x0001, read(7, name))
    assert [hart.x[6] - hart.x[5], hart.x[7] - hart.x[6]] == [1, 3]


@pytest.mark.parametrize("name", ["mcycle", "minstret"])
def test_what_is_written_is_what_the_next_instruction_reads(hart, name):
    hart.x[5] = 1000
    hart.run(write(name, 5), read(6, name), read(7, name))
    assert (hart.x[6], hart.x[7]) == (1000, 1001)
    hart.x[5] = ALL
    hart.run(write(name, 5), read(6, name), read(7, name), read(8, name + "h"))
    assert (hart.x[6], hart.x[7], hart.x[8]) == (ALL, 0, 1)
    hart.x[5] = ALL
    hart.run(write(name + "h", 5), read(6, name), read(7, name + "h"))
    assert hart.x[7] == ALL
    hart.run(write(name, 5), NOP, read(6, name), read(7, name + "h"))
    assert (hart.x[6], hart.x[7]) == (0, 0)
    hart.run(csr_asm("csrrsi", 5, name, uimm=0), csr_asm("csrrsi", 6, name, uimm=16), read(7, name))
    assert hart.x[7] == (hart.x[6] | 16)


def test_a_write_of_one_counter_does_not_disturb_the_other(hart):
    hart.run(read(5, "mcycle"), write("minstret", 0), read(6, "mcycle"))
    assert hart.x[6] - hart.x[5] == 2


def test_an_instruction_that_traps_does_not_retire(hart):
    hart.set_csr("minstret", 100)
    hart.run(asm("ecall"))
    assert hart.csr("minstret") == 100
    hart.run(0xFFFF_FFFF)
    assert hart.csr("minstret") == 100
    hart.run(NOP)
    assert hart.csr("minstret") == 101


@pytest.mark.parametrize(("inhibit", "stopped", "running"), [(1, "mcycle", "minstret"), (4, "minstret", "mcycle")])
def test_inhibited_counters_stand_still_each_by_itself(hart, inhibit, stopped, running):
    hart.set_csr("mcountinhibit", inhibit)
    hart.run(read(5, stopped), read(6, running), NOP, NOP, read(7, stopped), read(8, running))
    assert (hart.x[7] - hart.x[5], hart.x[8] - hart.x[6]) == (0, 4)
    hart.x[5] = 77
    hart.run(write(stopped, 5), NOP, read(6, stopped))
    assert hart.x[6] == 77
    hart.set_csr("mcountinhibit", 0)
    hart.run(read(5, stopped), NOP, read(6, stopped))
    assert hart.x[6] - hart.x[5] == 2


def test_the_instruction_that_writes_an_inhibition_counts_by_the_old_one(hart):
    hart.x[5], hart.x[6] = 5, 0
    hart.run(read(7, "mcycle"), write("mcountinhibit", 5), read(8, "mcycle"), NOP, read(9, "mcycle"))
    assert (hart.x[8] - hart.x[7], hart.x[9] - hart.x[8]) == (2, 0)
    hart.run(write("mcountinhibit", 6), read(10, "mcycle"), read(11, "mcycle"))
    assert (hart.x[10] - hart.x[8], hart.x[11] - hart.x[10]) == (0, 1)


def test_a_write_of_an_inhibited_half_leaves_the_other_half_alone(hart):
    hart.set_csr("mcountinhibit", 5)
    for name in ("mcycle", "minstret"):
        hart.set_csr(name, ALL)
        hart.set_csr(name + "h", 7)
        assert (hart.csr(name), hart.csr(name + "h")) == (ALL, 7)
        hart.set_csr(name, 3)
        assert (hart.csr(name), hart.csr(name + "h")) == (3, 7)


@pytest.mark.parametrize("name", ["mcycle", "minstret"])
def test_a_write_of_one_half_takes_the_place_of_the_increment(hart, name):
    """Zicsr: the explicit write is done instead of the update; no carry reaches the other half."""
    hart.x[5], hart.x[6], hart.x[7] = ALL, 7, 3
    hart.run(write(name + "h", 6), write(name, 5), write(name, 7), read(8, name), read(9, name + "h"))
    assert (hart.x[8], hart.x[9]) == (3, 7)
    hart.run(write(name, 7), write(name + "h", 6), read(8, name))
    assert hart.x[8] == 3


def test_wfi_retires(hart):
    hart.set_csr("mie", 8)
    hart.set_line(3, True)
    hart.run(read(5, "minstret"), asm("wfi"), read(6, "minstret"))
    assert hart.x[6] - hart.x[5] == 2


def test_the_shadows_show_the_machine_counters(hart):
    hart.x[5], hart.x[6] = 0x1234, 0x5678
    hart.run(write("mcycleh", 5), write("minstreth", 6), read(7, "cycleh"), read(8, "instreth"), mode=M, at=CODE + 0x40)
    assert (hart.x[7], hart.x[8]) == (0x1234, 0x5678)


def test_performance_counters_read_zero(hart):
    hart.set_csr("mhpmcounter3", 5)
    hart.set_csr("mhpmevent3", 5)
    hart.run(read(5, "hpmcounter3"), read(6, "mhpmcounter3"), read(7, "mhpmevent3"))
    assert hart.x[5] == hart.x[6] == hart.x[7] == 0
