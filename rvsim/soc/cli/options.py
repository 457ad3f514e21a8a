"""The table of all options and commands. Parser, help and the fast reader are derived from it."""

from __future__ import annotations

from rvsim.soc.cli.grammar import SELF_TEST, Command, Grammar, Option
from rvsim.soc.cli.values import choice, count, duration, path, seed, size

_RUNS = (SELF_TEST, "boot", "run")
_TIMED = (*_RUNS, "conform")

OPTIONS = (
    # Fidelity
    Option(
        name="--fast",
        target="fidelity",
        constant="fast",
        default="fast",
        group="fidelity",
        help="every block functional: as fast as it goes (the default)",
    ),
    Option(
        name="--cycle",
        target="fidelity",
        constant="cycle",
        default="fast",
        group="fidelity",
        help="every block that has hardware as hardware, cycle by cycle",
    ),
    # The machine
    Option(
        name="--memory",
        metavar="SIZE",
        convert=size,
        default=128 << 20,
        help="guest memory (default 128M)",
    ),
    Option(
        name="--isa",
        metavar="ISA",
        help="what the hart implements, such as rv32imac_zba_zbb_zbs (default: all that rvsim has)",
    ),
    Option(
        name="--icount",
        default=False,
        help="time is the number of instructions: the same run every time",
    ),
    Option(
        name="--seed",
        metavar="N",
        convert=seed,
        default=0,
        help="entropy of an --icount run (default 0)",
    ),
    # What is booted
    Option(
        name="--kernel",
        metavar="FILE",
        convert=path,
        group="guest",
        commands=("boot",),
        help="kernel: raw Image, ELF, gzip or zstd, or none (default: rvsim's own guest)",
    ),
    Option(
        name="--initrd",
        metavar="FILE",
        convert=path,
        group="guest",
        commands=("boot",),
        help="initial RAM disk, or none",
    ),
    Option(
        name="--append",
        metavar="TEXT",
        group="guest",
        commands=("boot", "dts"),
        help="added to the kernel's command line",
    ),
    Option(
        name="--firmware",
        metavar="FILE",
        convert=path,
        group="guest",
        commands=("boot",),
        help="M-mode firmware, ELF or raw (default: OpenSBI)",
    ),
    Option(
        name="--dtb",
        metavar="FILE",
        convert=path,
        group="guest",
        commands=("boot", "run"),
        help="device tree blob instead of the generated one",
    ),
    # The run
    Option(
        name="--timeout",
        metavar="S",
        convert=duration,
        group="run",
        commands=_TIMED,
        help="end after S seconds with status 124 (conform: for each test, default 5)",
    ),
    Option(
        name="--max-instructions",
        metavar="N",
        convert=count,
        group="run",
        commands=_RUNS,
        help="end after exactly N instructions with status 124",
    ),
    Option(
        name="--no-reboot",
        target="reboot",
        constant=False,
        default=True,
        group="run",
        commands=_RUNS,
        help="a guest that reboots ends the run, with status 0",
    ),
    Option(
        name="--signature",
        metavar="FILE",
        convert=path,
        group="output",
        commands=("run",),
        help="write begin_signature..end_signature, 4 bytes a line",
    ),
    Option(
        name="--trace",
        metavar="FILE",
        convert=path,
        group="output",
        commands=_RUNS,
        help="log every instruction in Spike's commit-log format (slow)",
    ),
    Option(
        name="--stats",
        default=False,
        group="output",
        commands=_RUNS,
        help="a table of counts and rates on standard error at the end",
    ),
    Option(
        name="--stats-json",
        metavar="FILE",
        convert=path,
        group="output",
        commands=_RUNS,
        help="the same for programs",
    ),
    Option(
        name="--junit",
        metavar="FILE",
        convert=path,
        group="output",
        commands=("conform",),
        help="results as JUnit XML",
    ),
    # rvsim itself
    Option(
        name="--log-level",
        metavar="LEVEL",
        convert=choice("error", "warning", "info", "debug"),
        default="info",
        group="general",
        help="what rvsim itself says on standard error: error, warning, info, debug (with tracebacks)",
    ),
    Option(name="--version", default=False, group="general", help="print the version"),
    Option(name="--help", short="-h", default=False, group="general", help="print this, or a command's own help"),
)

COMMANDS = (
    Command(
        name=SELF_TEST,
        help="the self-test: a bare-metal program that exercises the machine and reports on its console",
        module="rvsim.soc.cli.selftest",
    ),
    Command(
        name="boot",
        help="boot Linux, to a shell on this terminal",
        description="Boots the guest that rvsim built, or your own parts of it, through OpenSBI. In a terminal,"
        " Ctrl-A x leaves and Ctrl-A h lists the escapes; input that is not a terminal is the console's input,"
        " held until the guest reads it.",
        examples=(
            "rvsim boot",
            "echo 'cat /proc/cpuinfo; poweroff' | rvsim boot",
            "rvsim boot --memory 64M --append 'earlycon loglevel=7'",
            "rvsim boot --icount --seed 1 --stats < commands",
        ),
        module="rvsim.soc.cli.boot",
    ),
    Command(
        name="run",
        help="run a bare-metal program from reset in M-mode",
        arguments="FILE",
        minimum=1,
        maximum=1,
        description="Loads an ELF file and runs it from reset. It ends through tohost (HTIF) or the test finisher"
        " at 0x100000; its exit status becomes rvsim's.",
        examples=(
            "rvsim run hello.elf",
            "rvsim run test.elf --signature test.signature --timeout 10",
            "rvsim run crash.elf --max-instructions 1000 --trace crash.log",
        ),
        module="rvsim.soc.cli.run",
    ),
    Command(
        name="conform",
        help="run every test program below some folders and report",
        arguments="DIR...",
        minimum=1,
        maximum=None,
        description="Every ELF file, found by its content, runs as with `run`, in parallel. A test passes if it"
        " writes 1 to tohost (or ends the run through the finisher) and, where X.reference_output lies beside X or"
        " X.elf, if its signature is the same. Status: 0 all passed, 1 some did not, 2 nothing found.",
        examples=("rvsim conform riscv-tests/isa", "rvsim conform --timeout 20 --junit results.xml suites/"),
        module="rvsim.soc.cli.conform",
    ),
    Command(
        name="disasm",
        help="disassemble an ELF file as objdump -d does",
        arguments="FILE",
        minimum=1,
        maximum=1,
        examples=("rvsim disasm a.elf",),
        module="rvsim.soc.cli.disasm",
    ),
    Command(
        name="dts",
        help="print the machine's device tree source",
        description="The machine's description as `boot` hands it to the firmware, which adds the kernel's parameters.",
        examples=("rvsim dts", "rvsim dts --memory 1G --isa rv32ima | dtc -o my.dtb"),
        module="rvsim.soc.cli.dts",
    ),
    Command(
        name="guest",
        help="build the guest image, say where it is, or remove it",
        arguments="build | path [kernel|initrd|firmware] | clean",
        minimum=1,
        maximum=2,
        examples=("rvsim guest build", 'cp "$(rvsim guest path kernel)" .', "rvsim guest clean"),
        module="rvsim.soc.cli.guest",
    ),
)

GROUPS = {
    "fidelity": "fidelity",
    "machine": "the machine",
    "guest": "what is booted",
    "run": "the run",
    "output": "results",
    "general": "general",
}
"""Headings of the help, in order."""

GRAMMAR = Grammar(OPTIONS, COMMANDS)
