"""``run FILE``: a bare-metal program, from reset in M-mode."""

from __future__ import annotations

from rvsim.errors import UserError
from rvsim.soc.cli.session import Session, check_outputs, configuration, make_machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments


def run(arguments: Arguments) -> int:
    """Run the program; the exit status is the guest's.

    Raises
    ------
    UserError
        The program or an option cannot be used.
    """
    path = arguments.operands[0]
    config = configuration(arguments)
    check_outputs(arguments, {"program": path, "--dtb": arguments.dtb})
    machine = make_machine(config, arguments)
    machine.load(path, dtb=arguments.dtb)
    if arguments.signature and not {"begin_signature", "end_signature"} <= machine.symbols.keys():
        raise UserError(f"--signature: {path} does not define begin_signature and end_signature")
    return Session(machine, arguments, interactive_signals=True).run()
