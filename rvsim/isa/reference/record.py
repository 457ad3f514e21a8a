"""What one step did, under the names of the RISC-V Formal Interface where it has one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Retired:
    """One retired instruction, or one trap.

    Attributes
    ----------
    order
        Number of instructions retired before.
    insn
        Instruction word (16 bits if compressed); 0 if none was fetched.
    mode
        Privilege mode it executed in.
    pc_rdata, pc_wdata
        ``pc`` before and after.
    rd_addr, rd_wdata
        Register written and its value; both 0 if none.
    mem_addr, mem_rmask, mem_wmask, mem_rdata, mem_wdata
        Memory access: virtual address of its first byte, one bit a byte read or written, and the data.
    csr_addr, csr_wdata
        CSR written and what it reads as afterwards; ``None`` if none.
    trap
        Whether this step ended in a trap; then nothing above was written.
    cause, tval
        As ``mcause`` and ``mtval`` (or their S-mode twins) hold them; ``None`` without a trap.
    """

    order: int
    mode: int
    pc_rdata: int
    insn: int = 0
    pc_wdata: int = 0
    rd_addr: int = 0
    rd_wdata: int = 0
    mem_addr: int = 0
    mem_rmask: int = 0
    mem_wmask: int = 0
    mem_rdata: int = 0
    mem_wdata: int = 0
    csr_addr: int | None = None
    csr_wdata: int | None = None
    trap: bool = False
    cause: int | None = None
    tval: int | None = None
