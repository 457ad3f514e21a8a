"""Lines of the commit log, in Spike's format."""

import pytest

from rvsim.isa.assembler import assemble
from rvsim.isa.config import IsaConfig
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.soc.trace import CommitLog, format_line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            {"pc": 0x80000000, "word": 0x297, "register": (5, 0x80000000)},
            "core   0: 3 0x80000000 (0x00000297) x5  0x80000000",
        ),
        ({"pc": 0x80000000, "word": 0x13, "register": (0, 5)}, "core   0: 3 0x80000000 (0x00000013)"),
        (
            {"pc": 0x4, "word": 0x4501, "register": (10, 0), "hart": 12},
            "core  12: 3 0x00000004 (0x4501) x10 0x00000000",
        ),
        (
            {"pc": 0x80000188, "word": 0x340FD673, "register": (12, 0x12345678), "csrs": [(832, "mscratch", 31)]},
            "core   0: 3 0x80000188 (0x340fd673) x12 0x12345678 c832_mscratch 0x0000001f",
        ),
        (
            {"pc": 0x80000024, "word": 0xE2F03, "register": (30, 0x124), "loads": [0x80001004], "privilege": 0},
            "core   0: 0 0x80000024 (0x000e2f03) x30 0x00000124 mem 0x80001004",
        ),
        (
            {"pc": 0x80000020, "word": 0x1DE0023, "stores": [(0x80001004, 0x24, 1)]},
            "core   0: 3 0x80000020 (0x01de0023) mem 0x80001004 0x24",
        ),
        (
            {"pc": 0x10, "word": 0x1DE1023, "stores": [(0x80001004, 0x24, 2)], "xlen": 64},
            "core   0: 3 0x0000000000000010 (0x01de1023) mem 0x0000000080001004 0x0024",
        ),
        (
            {"pc": 0x10, "word": 0x30200073, "csrs": [(768, "mstatus", 0x1880), (784, "mstatush", 0)]},
            "core   0: 3 0x00000010 (0x30200073) c768_mstatus 0x00001880 c784_mstatush 0x00000000",
        ),
    ],
)
def test_the_format_is_spikes(arguments, line):
    arguments.setdefault("privilege", 3)
    assert format_line(**arguments) == line


class _Memory:
    def __init__(self, ram):
        self._ram = ram

    def read(self, address, size):
        if not 0x80000000 <= address <= 0x80000000 + len(self._ram) - size:
            raise ValueError(address)
        return bytes(self._ram[address - 0x80000000 : address - 0x80000000 + size])


@pytest.fixture
def log(tmp_path):
    """Runs a program of so many steps on the reference hart and returns its log."""

    def run(source, steps, isa=None):
        isa = isa or IsaConfig()
        ram = bytearray(0x2000)
        program = bytes(assemble(source, 0x80000000))
        ram[: len(program)] = program
        hart = ReferenceHart(isa, PhysicalMemory({0x80000000: ram}), pc=0x80000000)
        view = _Memory(ram)

        class Core:
            memory = view
            __getattr__ = staticmethod(lambda name: getattr(hart, name))

        with CommitLog(Core(), isa, str(tmp_path / "log")) as log:
            for _ in range(steps):
                log.step()
        return (tmp_path / "log").read_text().splitlines()

    return run


def test_a_program_is_logged_as_it_retires(log):
    source = """
        auipc t0, 0
        c.li  a0, 5
        sw    a0, 0x100(t0)
        lw    a1, 0x100(t0)
        csrrw a2, mscratch, a1
        csrr  a3, mscratch
        csrrsi zero, mscratch, 8
        beq   a0, a1, over
        nop
over:   sb    a0, 0x104(t0)
    """
    assert log(source, 9) == [
        "core   0: 3 0x80000000 (0x00000297) x5  0x80000000",
        "core   0: 3 0x80000004 (0x4515) x10 0x00000005",
        "core   0: 3 0x80000006 (0x10a2a023) mem 0x80000100 0x00000005",
        "core   0: 3 0x8000000a (0x1002a583) x11 0x00000005 mem 0x80000100",
        "core   0: 3 0x8000000e (0x34059673) x12 0x00000000 c832_mscratch 0x00000005",
        "core   0: 3 0x80000012 (0x340026f3) x13 0x00000005",
        "core   0: 3 0x80000016 (0x34046073) c832_mscratch 0x0000000d",
        "core   0: 3 0x8000001a (0x00b50463)",
        "core   0: 3 0x80000022 (0x10a28223) mem 0x80000104 0x05",
    ]


def test_atomics_show_what_was_stored_and_only_if_it_was(log):
    source = """
        auipc t0, 0
        addi  t0, t0, 0x100
        li    a1, 7
        sc.w  a0, a1, (t0)
        lr.w  a0, (t0)
        sc.w  a0, a1, (t0)
        amoadd.w a2, a1, (t0)
        amoswap.w zero, a0, (t0)
    """
    assert [line[23:] for line in log(source, 8)][3:] == [
        "(0x18b2a52f) x10 0x00000001",
        "(0x1002a52f) x10 0x00000000 mem 0x80000100",
        "(0x18b2a52f) x10 0x00000000 mem 0x80000100 0x00000007",
        "(0x00b2a62f) x12 0x00000007 mem 0x80000100 mem 0x80000100 0x0000000e",
        "(0x08a2a02f) mem 0x80000100 mem 0x80000100 0x00000000",
    ]


def test_traps_have_no_line_and_returns_show_mstatus(log):
    source = """
        auipc t0, 0
        addi  t0, t0, 28
        csrw  mtvec, t0
        ecall
        .word 0
        csrs  sstatus, t1
        nop
        csrw  mepc, t0
        mret
    """
    lines = log(source, 6)
    assert lines[2:] == [
        "core   0: 3 0x80000008 (0x30529073) c773_mtvec 0x8000001c",
        "core   0: 3 0x8000001c (0x34129073) c833_mepc 0x8000001c",
        "core   0: 3 0x80000020 (0x30200073) c768_mstatus 0x00000080 c784_mstatush 0x00000000",
    ]


def test_views_of_machine_registers_are_logged_as_what_they_show(log):
    source = """
        li   t0, 0x40000
        csrs sstatus, t0
        csrw sie, t0
        csrw stvec, t0
        csrs mhartid, zero
        csrs sstatus, zero
    """
    assert [line[23:] for line in log(source, 6)] == [
        "(0x000402b7) x5  0x00040000",
        "(0x1002a073) c768_mstatus 0x00040000",
        "(0x10429073) c772_mie 0x00000000",
        "(0x10529073) c261_stvec 0x00040000",
        "(0xf1402073)",
        "(0x10002073)",
    ]
