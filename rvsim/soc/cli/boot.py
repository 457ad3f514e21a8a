"""``boot``: firmware, Linux and a shell."""

from __future__ import annotations

import os

from rvsim.errors import UserError
from rvsim.frozen import Frozen
from rvsim.soc.cli.session import Session, check_outputs, configuration, make_machine, say
from rvsim.soc.files import InputFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments
    from rvsim.soc.config import SocConfig

NEEDED = ("m", "a", "c", "zifencei")
"""Extensions that every part of rvsim's own guest is compiled for."""


class Guest(Frozen):
    """What is booted: paths; ``kernel`` and ``initrd`` may be None."""

    firmware: str
    kernel: str | None
    initrd: str | None


def run(arguments: Arguments) -> int:
    """Boot; 0 when the guest powers off.

    Raises
    ------
    UserError
        A file cannot be used, the guest is not built, or an option cannot be used.
    """
    config = configuration(arguments)
    guest = chosen_guest(arguments)
    if not (arguments.firmware and arguments.kernel):
        check_isa(config, arguments.isa)
    check_outputs(
        arguments,
        {"--kernel": guest.kernel, "--initrd": guest.initrd, "--firmware": guest.firmware, "--dtb": arguments.dtb},
    )
    machine = make_machine(config, arguments)
    machine.boot(guest, append=arguments.append or "", dtb=arguments.dtb)
    session = Session(machine, arguments)
    if os.isatty(0):
        say(arguments, "info", "Ctrl-A x leaves, Ctrl-A h lists the escapes")
    return session.run()


def check_isa(config: SocConfig, text: str | None) -> None:
    """Make sure that the hart can execute rvsim's own guest, which would only hang.

    Raises
    ------
    UserError
        It cannot.
    """
    missing = [name for name in NEEDED if not config.isa.has(name)]
    if missing:
        raise UserError(
            f"--isa {text}: rvsim's own guest needs {', '.join(missing)} too;"
            " add it, or bring your own with --firmware FILE --kernel FILE --initrd FILE"
        )


def chosen_guest(arguments: Arguments) -> Guest:
    """What the options name, and rvsim's own guest for the rest; ``none`` for kernel or initrd means none.

    Firmware that carries its kernel (``fw_payload``) goes with ``--kernel none``, which leaves out the initrd too.

    Raises
    ------
    UserError
        A file cannot be used, or a part is needed of rvsim's own guest and it is not built.
    """
    # What the user names comes first: a mistake there is not to be hidden by a guest that is not built.
    for role in ("firmware", "kernel", "initrd"):
        path = getattr(arguments, role)
        if path not in (None, "none"):
            InputFile(path, role)
    own = None
    initrd = arguments.initrd or ("none" if arguments.kernel == "none" else None)
    if not (arguments.kernel and initrd and arguments.firmware):
        from rvsim.guest import guest_paths

        own = guest_paths()
    initrd = initrd or own.initrd
    kernel = arguments.kernel or own.kernel
    return Guest(
        firmware=arguments.firmware or own.firmware,
        kernel=None if kernel == "none" else kernel,
        initrd=None if initrd == "none" else initrd,
    )
