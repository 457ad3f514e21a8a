"""``disasm FILE``: an ELF file's code in the layout of GNU ``objdump -d``."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments


def run(arguments: Arguments) -> int:
    """Print the listing; 0.

    Raises
    ------
    UserError
        The file is no RV32 ELF file, or is damaged.
    """
    from rvsim.soc.disasm import disassemble_elf

    for line in disassemble_elf(arguments.operands[0]):
        sys.stdout.write(line + "\n")
    return 0
