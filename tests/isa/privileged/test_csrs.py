"""Every CSR: number, access by privilege, what can be written and what is read back (chapters 2, 3 and 4)."""

import random

import pytest

from rvsim.isa import IsaConfig
from rvsim.isa.csr import CSRS, NUMBERS, registers
from tests.isa.engines import CODE, M, S, U, csr_asm

ALL = 0xFFFF_FFFF
MSTATUS = 0x007E_19AA  # SIE MIE SPIE MPIE SPP MPP MPRV SUM MXR TVM TW TSR
SSTATUS = 0x000C_0122  # SIE SPIE SPP SUM MXR

#: Registers whose every bit is either storage or zero: number and bits that can be written.
PLAIN = {
    "scounteren": (0x106, ALL),
    "senvcfg": (0x10A, 1),
    "sscratch": (0x140, ALL),
    "sepc": (0x141, ALL & ~1),
    "scause": (0x142, ALL),
    "stval": (0x143, ALL),
    "stimecmp": (0x14D, ALL),
    "stimecmph": (0x15D, ALL),
    "medeleg": (0x302, 0xB3FF),
    "mideleg": (0x303, 0x222),
    "mie": (0x304, 0xAAA),
    "mcounteren": (0x306, ALL),
    "menvcfg": (0x30A, 1),
    "mstatush": (0x310, 0),
    "menvcfgh": (0x31A, 1 << 31),
    "mcountinhibit": (0x320, 0b101),
    "mscratch": (0x340, ALL),
    "mepc": (0x341, ALL & ~1),
    "mcause": (0x342, ALL),
    "mtval": (0x343, ALL),
    "mip": (0x344, 0x222),
    "tselect": (0x7A0, 0),
    "tdata1": (0x7A1, 0),
    "tdata2": (0x7A2, 0),
    "tdata3": (0x7A3, 0),
    "mcycle": (0xB00, ALL),
    "minstret": (0xB02, ALL),
    "mcycleh": (0xB80, ALL),
    "minstreth": (0xB82, ALL),
    **{f"pmpaddr{n}": (0x3B0 + n, ALL) for n in range(16)},
    **{f"mhpmcounter{n}": (0xB00 + n, 0) for n in range(3, 32)},
    **{f"mhpmcounter{n}h": (0xB80 + n, 0) for n in range(3, 32)},
    **{f"mhpmevent{n}": (0x320 + n, 0) for n in range(3, 32)},
}
#: Registers with rules of their own.
SPECIAL = {
    "sstatus": 0x100,
    "sie": 0x104,
    "sip": 0x144,
    "satp": 0x180,
    "mstatus": 0x300,
    "misa": 0x301,
    "mtvec": 0x305,
    "stvec": 0x105,
    **{f"pmpcfg{n}": 0x3A0 + n for n in range(4)},
}
READ_ONLY = {
    "cycle": 0xC00,
    "time": 0xC01,
    "instret": 0xC02,
    "cycleh": 0xC80,
    "timeh": 0xC81,
    "instreth": 0xC82,
    **{f"hpmcounter{n}": 0xC00 + n for n in range(3, 32)},
    **{f"hpmcounter{n}h": 0xC80 + n for n in range(3, 32)},
    "mvendorid": 0xF11,
    "marchid": 0xF12,
    "mimpid": 0xF13,
    "mhartid": 0xF14,
    "mconfigptr": 0xF15,
}
ALL_NUMBERS = {**{name: number for name, (number, _) in PLAIN.items()}, **SPECIAL, **READ_ONLY}

_random = random.Random(1)
PATTERNS = (0, ALL, 0x5555_5555, 0xAAAA_AAAA, *(_random.getrandbits(32) for _ in range(20)))


def test_exactly_these_registers_exist():
    assert ALL_NUMBERS == NUMBERS


@pytest.mark.parametrize(("name", "mask"), [(name, mask) for name, (_, mask) in PLAIN.items()])
def test_what_is_written_is_read_back_under_the_mask(make_hart, name, mask):
    hart = make_hart()
    for value in PATTERNS:
        hart.set_csr(name, value)
        assert hart.csr(name) == value & mask, f"{value:#x}"
    reset = make_hart()
    assert reset.csr(name) == (ALL if name in ("stimecmp", "stimecmph") else 0)


def test_writing_one_register_changes_no_other(make_hart):
    """But for the views of one storage, and the counters that run."""
    views = {"sstatus": "mstatus", "sip": "mip", "sie": "mie"}
    running = {"mcycle", "minstret", "cycle", "instret", "time", "timeh"}
    groups = [{"mcycle", "cycle"}, {"minstret", "instret"}, {"mcycleh", "cycleh"}, {"minstreth", "instreth"}]
    hart = make_hart()
    for name in ALL_NUMBERS:
        if name in READ_ONLY or name.startswith("pmp"):
            continue
        before = {other: hart.csr(other) for other in ALL_NUMBERS}
        hart.set_csr(name, 0x0000_0AAA)
        group = next((g for g in groups if name in g), {name})
        group |= {other for other in views if views[other] == views.get(name, name)} | {views.get(name, name)}
        for other, value in before.items():
            if other not in running | group:
                # a delegated interrupt shows in sie and sip; STCE makes STIP a comparison
                assert hart.csr(other) == value or other in ("sie", "sip", "mip"), f"{name} changed {other}"


@pytest.mark.parametrize("name", ["mtvec", "stvec"])
def test_a_trap_vector_keeps_its_mode_when_a_reserved_one_is_written(make_hart, name):
    hart = make_hart()
    for value, result in ((0x1001, 0x1001), (0x2002, 0x2001), (0x3000, 0x3000), (ALL, ALL & ~3), (0x11, 0x11)):
        hart.set_csr(name, value)
        assert hart.csr(name) == result


def legal_mstatus(old, new):
    value = new & MSTATUS
    if value >> 11 & 3 == 2:
        value = value & ~(3 << 11) | old & 3 << 11
    return value


def test_mstatus(make_hart):
    hart = make_hart()
    old = 0
    for value in (*PATTERNS, 0x1000, 0x1800, 0x0800, 0x1000):
        value &= ~(1 << 3)  # no interrupt is enabled in mie, but one at a time
        hart.set_csr("mstatus", value)
        old = legal_mstatus(old, value)
        assert hart.csr("mstatus") == old
        assert hart.csr("sstatus") == old & SSTATUS
        hart.set_csr("mstatus", old & ~(1 << 17))  # MPRV off again, lest loads go astray
        old &= ~(1 << 17)


def test_sstatus_reaches_only_its_own_bits(make_hart):
    hart = make_hart()
    hart.set_csr("mstatus", 0x0071_8888 & MSTATUS)
    others = hart.csr("mstatus") & ~SSTATUS
    for value in PATTERNS:
        hart.set_csr("sstatus", value)
        assert hart.csr("sstatus") == value & SSTATUS
        assert hart.csr("mstatus") == others | value & SSTATUS


@pytest.mark.parametrize("delegated", [0, 0x222, 0x002, 0x220])
def test_sie_and_sip_show_delegated_interrupts_only(make_hart, delegated):
    hart = make_hart()
    hart.set_csr("mideleg", delegated)
    for value in PATTERNS:
        hart.set_csr("mie", 0xAAA & ~value)
        hart.set_csr("sie", value)
        assert hart.csr("sie") == value & delegated
        assert hart.csr("mie") == 0xAAA & ~value & ~delegated | value & delegated
        hart.set_csr("mip", 0x220)
        hart.set_csr("sip", value)
        assert hart.csr("mip") == 0x220 | value & delegated & 2  # only SSIP is writable
        assert hart.csr("sip") == hart.csr("mip") & delegated
        hart.set_csr("mip", 0)


def test_satp(make_hart):
    hart = make_hart()
    for value in PATTERNS:
        hart.set_csr("satp", value)
        assert hart.csr("satp") == value  # both modes are legal, ASID has 9 bits, PPN 22
    hart = make_hart(asid_bits=4)
    hart.set_csr("satp", ALL)
    assert hart.csr("satp") == 1 << 31 | 0xF << 22 | 0x3F_FFFF


def test_misa_says_what_is_there_and_ignores_writes(make_hart):
    letters = {"rv32imac": "IMACSU", "rv32i": "ISU", "rv32ima": "IMASU"}
    for text, expected in letters.items():
        full = IsaConfig()
        hart = make_hart(without=full.extensions - IsaConfig.parse(text).extensions)
        value = 1 << 30 | sum(1 << ord(letter) - ord("A") for letter in expected)
        for written in PATTERNS:
            hart.set_csr("misa", written)
            assert hart.csr("misa") == value


@pytest.mark.parametrize("name", sorted(READ_ONLY))
def test_read_only_registers(hart, name):
    for word in (
        csr_asm("csrrw", 0, name, rs1=0),
        csr_asm("csrrs", 5, name, rs1=6),
        csr_asm("csrrci", 5, name, uimm=1),
    ):
        hart.x[6] = 0
        hart.run(word)
        hart.expect_trap(2, word)
    for word in (csr_asm("csrrs", 5, name, rs1=0), csr_asm("csrrci", 5, name, uimm=0)):
        hart.run(word)
        hart.expect_no_trap()


@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize("name", sorted(ALL_NUMBERS))
def test_access_by_privilege(hart, name, mode):
    """Bits 9:8 of the number are the lowest mode; the counters and stimecmp ask their enables besides."""
    hart.set_csr("mcounteren", ALL)
    hart.set_csr("scounteren", ALL)
    hart.set_csr("menvcfgh", 1 << 31)
    word = csr_asm("csrrs", 5, name, rs1=0)
    hart.run(word, mode=mode)
    if mode < ALL_NUMBERS[name] >> 8 & 3:
        hart.expect_trap(2, word)
    else:
        hart.expect_no_trap()


def test_numbers_without_a_register_are_illegal_in_every_mode(hart):
    absent = sorted(set(range(4096)) - set(ALL_NUMBERS.values()))
    for number in [n for n in absent if n % 7 == 0 or n >> 8 in (0x0, 0x1, 0x3, 0x7, 0xC, 0xF)]:
        word = csr_asm("csrrs", 5, number, rs1=0)
        hart.run(word)
        hart.expect_trap(2, word)
    for mode in (U, S):
        word = csr_asm("csrrs", 5, 0x5C0, rs1=0)
        hart.execute(0x0001)
        hart.enter(mode)
        hart.load(CODE, word)
        hart.step()
        hart.expect_trap(2, word)


def test_the_six_csr_instructions(hart):
    cases = (
        (csr_asm("csrrw", 5, "mscratch", rs1=6), 0x0F0F_0000),
        (csr_asm("csrrs", 5, "mscratch", rs1=6), 0x0F0F_00FF),
        (csr_asm("csrrc", 5, "mscratch", rs1=6), 0x0000_00FF),
        (csr_asm("csrrwi", 5, "mscratch", uimm=0x15), 0x15),
        (csr_asm("csrrsi", 5, "mscratch", uimm=0x1A), 0xFF),
        (csr_asm("csrrci", 5, "mscratch", uimm=0x1F), 0xE0),
    )
    for word, result in cases:
        old = 0x0000_00FF
        hart.set_csr("mscratch", old)
        hart.x[6] = 0x0F0F_0000
        hart.run(word)
        assert hart.x[5] == old
        assert hart.csr("mscratch") == result & ALL


def test_rd_and_rs1_may_be_one_register(hart):
    hart.set_csr("mscratch", 3)
    hart.x[5] = 4
    hart.run(csr_asm("csrrw", 5, "mscratch", rs1=5))
    assert (hart.x[5], hart.csr("mscratch")) == (3, 4)


@pytest.mark.parametrize(
    ("extension", "names"),
    [("zicntr", {name for name in READ_ONLY if NUMBERS[name] < 0xF00}), ("sstc", {"stimecmp", "stimecmph"})],
)
def test_registers_of_an_extension_that_is_absent(make_hart, extension, names):
    hart = make_hart(without=(extension,))
    hart.set_up()
    for name in names:
        word = csr_asm("csrrs", 5, name, rs1=0)
        hart.run(word)
        hart.expect_trap(2, word)
    if extension == "sstc":
        hart.set_csr("menvcfgh", ALL)
        assert hart.csr("menvcfgh") == 0


def test_without_pmp_its_registers_read_zero(make_hart):
    hart = make_hart(pmp_entries=0)
    for name in (*(f"pmpcfg{n}" for n in range(4)), *(f"pmpaddr{n}" for n in range(16))):
        hart.set_csr(name, ALL)
        assert hart.csr(name) == 0


def test_declarations_are_consistent():
    for number, register in CSRS.items():
        assert register.number == number
        assert sum(field.mask for field in register.fields) == register.writable
        assert register.writable & register.constant == 0
        if register.storage:
            assert register.writable & ~register.visible == 0, f"{register.name}: written but never seen"
        else:
            assert register.writable == 0
    full = IsaConfig()
    for extension in full.extensions - {"i", "zicsr"}:
        assert registers(full.replace(extensions=full.extensions - {extension}))


@pytest.mark.parametrize("mode", [S, U, M])
def test_stimecmp_needs_two_enables_below_machine_mode(hart, mode):
    word = csr_asm("csrrs", 5, "stimecmp", rs1=0)
    for stce in (0, 1):
        for tm in (0, 1):
            fresh = hart
            if fresh.privilege != M:
                fresh.pc = CODE
            fresh.set_csr("menvcfgh", stce << 31)
            fresh.set_csr("mcounteren", ALL if tm else ALL & ~2)
            fresh.run(word, mode=mode)
            if mode == M or (mode == S and stce and tm):
                fresh.expect_no_trap()
                if mode == S:
                    fresh.load(fresh.pc, 0)  # back to machine mode
                    fresh.step()
            else:
                fresh.expect_trap(2, word)


@pytest.mark.parametrize("name", sorted(n for n in READ_ONLY if NUMBERS[n] < 0xF00))
@pytest.mark.parametrize("mode", [M, S, U])
def test_counter_enables(hart, name, mode):
    word, bit = csr_asm("csrrs", 5, name, rs1=0), 1 << (NUMBERS[name] & 31)
    for machine in (0, bit, ALL & ~bit, ALL):
        for supervisor in (0, bit, ALL & ~bit, ALL):
            hart.set_csr("mcounteren", machine)
            hart.set_csr("scounteren", supervisor)
            hart.run(word, mode=mode)
            legal = mode == M or (machine & bit and (mode == S or supervisor & bit))
            if legal:
                hart.expect_no_trap()
                hart.load(hart.pc, 0)  # an illegal instruction leads back to machine mode
                hart.step()
            else:
                hart.expect_trap(2, word)
