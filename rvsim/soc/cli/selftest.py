"""No command: the self-test."""

from __future__ import annotations

from rvsim.soc.cli.session import Session, check_outputs, configuration, make_machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments


def run(arguments: Arguments) -> int:
    """Run it; 0 if all parts passed, else how many did not.

    Raises
    ------
    UserError
        An option cannot be used.
    """
    from rvsim.soc.selftest import ORIGIN, program

    config = configuration(arguments)
    check_outputs(arguments, {})
    machine = make_machine(config, arguments)
    machine.load_bytes(program(), address=ORIGIN)
    return Session(machine, arguments, interactive_signals=True).run()
