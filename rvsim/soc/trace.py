"""``--trace``: every retired instruction, in the format of Spike's commit log.

One line an instruction: hart, privilege mode, ``pc``, the instruction's bits, and what it did::

    core   0: 3 0x80000000 (0x00000297) x5  0x80000000
    core   0: 3 0x80000004 (0x30529073) c773_mtvec 0x80000100
    core   0: 0 0x00010092 (0x4108) x10 0x0000002a mem 0x00011000
    core   0: 0 0x00010094 (0xc14c) mem 0x00011004 0x00000007

An instruction that traps does not retire and has no line. A write to ``sstatus``, ``sie`` or ``sip`` is shown as
one to the machine-mode register that holds the bits; ``mret`` shows ``mstatus`` and ``mstatush``. The order on a
line is: integer register, CSRs, loads (address), stores (address and value).
"""

from __future__ import annotations

import ctypes

from rvsim.isa.csr import registers
from rvsim.isa.instruction import Amo, Csr, Instruction, Load, Store, System
from rvsim.isa.tables import find, length_of
from rvsim.isa.terms import evaluate
from rvsim.soc.output import OutputFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rvsim.cpu.functional import FunctionalCore
    from rvsim.isa.config import IsaConfig

_FLUSH = 1 << 16


def format_line(
    pc: int,
    word: int,
    *,
    privilege: int,
    hart: int = 0,
    register: tuple[int, int] | None = None,
    csrs: Iterable[tuple[int, str, int]] = (),
    loads: Iterable[int] = (),
    stores: Iterable[tuple[int, int, int]] = (),
    xlen: int = 32,
) -> str:
    """One line of the log, without its end.

    Parameters
    ----------
    pc, word
        Where and what; a word whose two low bits are not both set has 16 bits.
    register
        Number and new value of the integer register written; ``x0`` is not shown.
    csrs
        Number, name and new value.
    loads
        Virtual addresses.
    stores
        Virtual address, value, bytes.
    xlen
        Width of addresses and registers in bits.
    """
    digits = xlen // 4
    parts = [f"core{hart:4d}: {privilege} 0x{pc:0{digits}x} (0x{word:0{2 * length_of(word)}x})"]
    if register is not None and register[0]:
        parts.append(f"x{register[0]:<2d} 0x{register[1]:0{digits}x}")
    parts += [f"c{number}_{name} 0x{value:0{digits}x}" for number, name, value in csrs]
    parts += [f"mem 0x{address:0{digits}x}" for address in loads]
    parts += [f"mem 0x{address:0{digits}x} 0x{value:0{2 * size}x}" for address, value, size in stores]
    return " ".join(parts)


class CommitLog:
    """Steps a hart one instruction at a time and writes what it did.

    A context manager; leaving it gives the file its name, or removes it if nothing could be written.

    Parameters
    ----------
    core
        The functional core of the hart.
    isa
        What the hart implements.
    path
        The log.
    """

    def __init__(self, core: FunctionalCore, isa: IsaConfig, path: str, hart: int = 0) -> None:
        self._core = core
        self._isa = isa
        self._hart = hart
        self._registers = registers(isa)
        self._numbers = {register.name: number for number, register in self._registers.items()}
        self._known: dict[int, tuple[Instruction, dict[str, int]] | None] = {}
        self._lines: list[str] = []
        self._size = 0
        self._file = OutputFile(path, "--trace")

    def __enter__(self) -> CommitLog:
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        # A run that a signal or a limit ends leaves a whole log behind: only what cannot be written is dropped.
        if kind is not None and issubclass(kind, OSError):
            self._file.discard()
            return
        self._flush()
        self._file.commit()

    def step(self) -> None:
        """Execute one instruction, or take one trap."""
        core = self._core
        pc, privilege, retired = core.pc, core.privilege, core.instret
        word = self._word(pc)
        known = self._decode(word)
        before = {}
        if known is not None:
            instruction, fields = known
            before = dict(fields, pc=pc, length=instruction.length)
            for name in ("rs1", "rs2"):
                if name in fields:
                    before[name] = core.x[fields[name]]
        core.step()
        if core.instret == retired or known is None:
            return
        line = format_line(
            pc,
            word,
            privilege=privilege,
            hart=self._hart,
            xlen=self._isa.xlen,
            **self._effects(instruction, fields, before),
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size > _FLUSH:
            self._flush()

    def _effects(self, instruction: Instruction, fields: dict[str, int], before: dict[str, int]) -> dict:
        core, found = self._core, {}
        if instruction.writes_rd and fields.get("rd"):
            found["register"] = (fields["rd"], core.x[fields["rd"]])
        for effect in instruction.effects:
            if isinstance(effect, Load):
                found["loads"] = [evaluate(effect.address, before)]
            elif isinstance(effect, Store):
                # A store-conditional that failed has not stored; rd tells, and x0 cannot.
                if not effect.conditional or not core.x[fields["rd"]] or not fields["rd"]:
                    value = evaluate(effect.value, before) & ((1 << 8 * effect.size) - 1)
                    found["stores"] = [(evaluate(effect.address, before), value, effect.size)]
            elif isinstance(effect, Amo):
                address = evaluate(effect.address, before)
                found["loads"] = [address]
                found["stores"] = [(address, self._memory(address, effect.size), effect.size)]
            elif isinstance(effect, Csr):
                found["csrs"] = self._csr_written(effect, fields)
            elif isinstance(effect, System) and effect.action in ("mret", "sret"):
                names = ("mstatus", "mstatush") if effect.action == "mret" else ("mstatus",)
                found["csrs"] = [self._csr(self._numbers[name]) for name in names if name in self._numbers]
        return found

    def _csr_written(self, effect: Csr, fields: dict[str, int]) -> list[tuple[int, str, int]]:
        source = fields["rs1"] if "rs1" in fields else fields["uimm"]
        if effect.action != "write" and source == 0:
            return []
        register = self._registers.get(fields["csr"])
        if register is None:
            return []
        held = self._numbers.get(register.storage or "", register.number)
        same_privilege_view = register.name[1:] == (register.storage or "")[1:]
        return [self._csr(held if same_privilege_view else register.number)]

    def _csr(self, number: int) -> tuple[int, str, int]:
        return number, self._registers[number].name, self._core.csr(number)

    def _decode(self, word: int) -> tuple[Instruction, dict[str, int]] | None:
        if word not in self._known:
            instruction = find(word, self._isa)
            self._known[word] = None if instruction is None else (instruction, instruction.operands(word))
        return self._known[word]

    def _word(self, pc: int) -> int:
        """The instruction at a virtual address; 0, which is illegal, where none can be fetched."""
        low = self._read(pc, 2, "x")
        if low is None or length_of(low) == 2:
            return low or 0
        # The second half may lie on another page.
        high = self._read(pc + 2, 2, "x")
        return 0 if high is None else low | high << 16

    def _memory(self, address: int, size: int) -> int:
        return self._read(address, size, "r") or 0

    def _read(self, address: int, size: int, access: str) -> int | None:
        pa = self._core.translate(address & ((1 << self._isa.xlen) - 1), access)
        if pa is None:
            return None
        try:
            return int.from_bytes(self._core.memory.read(pa, size), "little")
        except ValueError:
            return self._read_rom(pa, size)

    def _read_rom(self, pa: int, size: int) -> int | None:
        state = self._core.state
        offset = pa - state.rom_base
        if not 0 <= offset <= state.rom_size - size:
            return None
        return int.from_bytes(ctypes.string_at(state.rom + offset, size), "little")

    def _flush(self) -> None:
        if self._lines:
            self._file.write(("\n".join(self._lines) + "\n").encode())
            self._lines.clear()
            self._size = 0
