"""Random bare-metal programs on rvsim and on QEMU: registers, memory and the log of traps must agree.

What QEMU 7.2 does otherwise, and how it is kept out of the comparison:

- its default CPU has F, D and H, which the command line switches off;
- misaligned AMO, LR and SC: it does them or raises another cause; addresses of atomics are aligned here;
- SC without a reservation that compares memory: it succeeds where the value is unchanged; each SC follows its LR here;
- ``mtval`` on ``ebreak`` is zero there and ``pc`` here (both allowed): the log leaves it out for that cause;
- counters count host time there without ``-icount``: no program reads them.
"""

import random
import shutil
import subprocess
import sys

import pytest

from rvsim.isa import assemble
from rvsim.isa.instruction import Amo, Bits
from rvsim.isa.tables import BY_NAME, instructions

QEMU = "qemu-system-riscv32"
CPU = "rv32,f=false,d=false,h=false,zba=true,zbb=true,zbs=true"

pytestmark = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")

DATA, LOG, REGISTERS, DUMPED = 0x8001_0000, 0x8001_1000, 0x8001_2000, 0x2080
#: Registers that a program must not change: the middle of its data, the log.
BASE, POINTER = 3, 4

_PLAIN = [i for i in instructions() if i.unit in ("alu", "multiplier", "divider")]
_MEMORY = [BY_NAME[n] for n in ("lb", "lh", "lw", "lbu", "lhu", "sb", "sh", "sw")]
_BRANCHES = [BY_NAME[n] for n in ("beq", "bne", "blt", "bge", "bltu", "bgeu")]
_AMOS = [i for i in instructions() if i.effect(Amo) is not None]
_TRAPS = [0xFFFF_FFFF, 0x0000, BY_NAME["ecall"].match, BY_NAME["ebreak"].match, 0x9002, 0xC010_1073, 0x7C00_2573]

FRAME = """
    la x{base}, {data} + 2048
    la x{pointer}, {log}
    la x5, handler
    csrw mtvec, x5
{setup}
body:
{body}
    la x1, {registers}
{saves}
    la x1, {data}
    li x2, {dumped}
    add x2, x2, x1
    li x3, 0x10000000
1:  lbu x4, 0(x1)
2:  lbu x5, 5(x3)
    andi x5, x5, 0x20
    beqz x5, 2b
    sb x4, 0(x3)
    addi x1, x1, 1
    bltu x1, x2, 1b
    li x1, 0x100000
    li x2, 0x5555
    sw x2, 0(x1)
3:  j 3b
    .balign 4
handler:
    sw x5, 0(x{pointer})
    sw x6, 4(x{pointer})
    csrr x5, mcause
    sw x5, 8(x{pointer})
    addi x5, x5, -3
    beqz x5, 4f
    csrr x5, mtval
4:  sw x5, 12(x{pointer})
    csrr x5, mepc
    sw x5, 16(x{pointer})
    lhu x6, 0(x5)
    andi x6, x6, 3
    addi x6, x6, -3
    snez x6, x6
    slli x6, x6, 1
    addi x5, x5, 4
    sub x5, x5, x6
    csrw mepc, x5
    lw x5, 0(x{pointer})
    lw x6, 4(x{pointer})
    addi x{pointer}, x{pointer}, 20
    mret
"""


def _operand(r, name, where):
    if name == "rd":
        return r.choice([n for n in range(32) if n not in (BASE, POINTER)])
    if name in ("rs1", "rs2"):
        return r.randrange(32)
    low = -(1 << (where.width - 1)) if where.signed else 0
    return where.extract(where.insert(_inside(r, where, low)))


def _inside(r, where, low):
    """A value that the field can hold: its low zero bits are zero."""
    zeros = -where.parts[-1][1] if where.parts[-1][1] < 0 else 0
    high = low + (1 << where.width)
    return r.choice([r.randrange(low, high), low, high - 1, 0]) >> zeros << zeros


def _plain(r):
    """An instruction without memory or control; compressed ones name eight registers, or one twice."""
    while True:
        insn = r.choice(_PLAIN)
        operands, shared = {}, {}
        for name, where in insn.fields.items():
            if not isinstance(where, Bits):
                continue
            value = shared.get(where)
            if value is None:
                value = _operand(r, name, where)
                if where.offset:
                    value = where.offset + value % 8
                shared[where] = value
            operands[name] = value
        if insn.fields.get("rd") in (BASE, POINTER) or operands.get("rd") in (BASE, POINTER):
            continue
        try:
            return _bytes(insn.encode(**operands))
        except ValueError:  # an encoding that is another instruction, such as c.addi16sp by zero
            continue


def _bytes(word):
    return word.to_bytes(4 if word & 3 == 3 else 2, "little")


def _piece(r):
    """One or a few instructions that belong together."""
    choice = r.random()
    if choice < 0.12:  # fresh values: random operations soon leave little but zeros
        rd = _operand(r, "rd", None)
        upper = BY_NAME["lui"].encode(rd=rd, imm=r.randrange(-(1 << 19), 1 << 19) << 12)
        return _bytes(upper) + _bytes(BY_NAME["xori"].encode(rd=rd, rs1=rd, imm=r.randrange(-2048, 2048)))
    if choice < 0.55:
        return _plain(r)
    if choice < 0.75:
        insn = r.choice(_MEMORY)
        operands = {n: _operand(r, n, insn.fields[n]) for n in ("rd", "rs2") if n in insn.fields}
        return _bytes(insn.encode(rs1=BASE, imm=r.randrange(-2044, 2040), **operands))
    if choice < 0.83:
        skipped = _plain(r)
        insn = r.choice(_BRANCHES)
        branch = insn.encode(rs1=r.randrange(32), rs2=r.randrange(32), imm=4 + len(skipped))
        return _bytes(branch) + skipped
    if choice < 0.93:
        address = _bytes(BY_NAME["addi"].encode(rd=5, rs1=BASE, imm=4 * r.randrange(-500, 500)))
        order = {"aq": r.randrange(2), "rl": r.randrange(2)}
        rd, rs2 = (_operand(r, n, None) for n in ("rd", "rs2"))
        if r.random() < 0.3:
            rd = 6 if rd == 5 else rd
            reserve = BY_NAME["lr.w"].encode(rd=6, rs1=5)
            return address + _bytes(reserve) + _bytes(BY_NAME["sc.w"].encode(rd=rd, rs1=5, rs2=rs2, **order))
        return address + _bytes(r.choice(_AMOS).encode(rd=rd, rs1=5, rs2=rs2, **order))
    return _bytes(r.choice(_TRAPS))


def program(seed, length=250):
    """A flat binary for the beginning of RAM."""
    r = random.Random(seed)
    special = (0, 1, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF)
    free = [n for n in range(1, 32) if n not in (BASE, POINTER)]
    setup = [f"    li x{n}, {r.choice([*special, r.getrandbits(32), r.getrandbits(32)]):#x}" for n in free]
    code = b"".join(_piece(r) for _ in range(length))
    body = "    .byte " + ", ".join(str(byte) for byte in code + b"\x01\x00" * (len(code) % 4 // 2))
    # x1 is the pointer to save through; its own value goes by way of mscratch.
    saves = "\n".join(f"    sw x{n}, {4 * n}(x1)" for n in range(2, 32))
    text = FRAME.format(
        base=BASE, pointer=POINTER, data=DATA, log=LOG, registers=REGISTERS, dumped=DUMPED,
        setup="\n".join(setup), body=body + "\n    csrw mscratch, x1",
        saves=saves + "\n    csrr x2, mscratch\n    sw x2, 4(x1)",
    )  # fmt: skip
    return assemble(text, 0x8000_0000).bytes


def on_qemu(path, out):
    """The dump that QEMU writes to its serial port."""
    subprocess.run(
        [QEMU, "-M", "virt", "-cpu", CPU, "-m", "32", "-display", "none", "-monitor", "none",
         "-serial", f"file:{out}", "-bios", str(path)],
        check=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return out.read_bytes()


def on_rvsim(path):
    """The dump that rvsim writes to standard output."""
    command = [sys.executable, "-m", "rvsim.soc", "run", str(path), "--timeout", "60"]
    return subprocess.run(command, check=True, capture_output=True, timeout=90, stdin=subprocess.DEVNULL).stdout


def differences(ours, theirs):
    """What differs, in the program's terms."""
    found = []
    for offset in range(0, DUMPED, 4):
        a, b = (int.from_bytes(d[offset : offset + 4], "little") for d in (ours, theirs))
        if a != b:
            address = DATA + offset
            if address >= REGISTERS:
                name = f"x{(address - REGISTERS) // 4}"
            elif address >= LOG:
                entry, field = divmod(address - LOG, 20)
                name = f"trap {entry}, {('x5', 'x6', 'mcause', 'mtval', 'mepc')[field // 4]}"
            else:
                name = f"memory {address:#x}"
            found.append(f"{name}: rvsim {a:#x}, QEMU {b:#x}")
    return found


def compare(tmp_path, seed):
    path = tmp_path / f"{seed}.bin"
    path.write_bytes(program(seed))
    ours, theirs = on_rvsim(path), on_qemu(path, tmp_path / f"{seed}.out")
    assert len(ours) == len(theirs) == DUMPED
    assert differences(ours, theirs) == [], f"seed {seed}"
    return ours


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_end_in_the_same_state(tmp_path, seed):
    dump = compare(tmp_path, seed)
    assert any(dump[LOG - DATA : REGISTERS - DATA])  # it did trap


@pytest.mark.slow
def test_many_random_programs_end_in_the_same_state(tmp_path):
    for seed in range(100, 220):
        compare(tmp_path, seed)
