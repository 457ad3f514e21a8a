"""The two readers of the command line agree, and options mean the same wherever they stand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsim.errors import UserError
from rvsim.soc.cli import grammar, parser
from rvsim.soc.cli.grammar import SELF_TEST, Command, Grammar, Option
from rvsim.soc.cli.main import parse
from rvsim.soc.cli.options import GRAMMAR

# What later commands will need and today's table does not use yet.
WIDE = Grammar(
    (
        *GRAMMAR.options,
        Option(name="--colour", metavar="WHEN", value_optional=True, constant="always", help=""),
        Option(name="--forward", metavar="SPEC", repeatable=True, help=""),
        Option(name="--output", short="-o", metavar="FILE", help=""),
    ),
    tuple(GRAMMAR.commands.values()),
)

EXAMPLES = {
    "--memory": "64M",
    "--isa": "rv32imac",
    "--seed": "7",
    "--kernel": "Image",
    "--initrd": "rootfs.cpio",
    "--append": "quiet loglevel=3",
    "--firmware": "fw.bin",
    "--dtb": "virt.dtb",
    "--timeout": "1.5",
    "--max-instructions": "10k",
    "--signature": "a.sig",
    "--trace": "a.log",
    "--stats-json": "a.json",
    "--junit": "a.xml",
    "--log-level": "debug",
}
OPERANDS = {"run": ["a.elf"], "conform": ["dir", "other"], "disasm": ["a.elf"], "guest": ["path", "kernel"]}


def positions():
    """Every option with every command that takes it."""
    for option in GRAMMAR.options:
        for name in GRAMMAR.commands:
            if option.commands is None or name in option.commands:
                yield pytest.param(option, name, id=f"{option.name} {name or 'self-test'}")


@pytest.mark.parametrize(("option", "command"), list(positions()))
def test_an_option_means_the_same_before_and_after_the_command(option, command):
    words = [option.name, EXAMPLES[option.name]] if option.metavar else [option.name]
    tail = [command, *OPERANDS.get(command, [])] if command else []
    before, after = parse([*words, *tail]), parse([*tail, *words])
    assert vars(before) == vars(after)
    assert before.command == command
    assert list(before.operands) == OPERANDS.get(command, [])
    assert before.given == {option.attribute}
    if option.metavar:
        joined = [f"{option.name}={EXAMPLES[option.name]}"]
        assert vars(parse([*joined, *tail])) == vars(before) == vars(parse([*tail, *joined]))
    if command and OPERANDS.get(command):
        between = parse([command, *words, *OPERANDS[command]])
        assert vars(between) == vars(before)


def test_the_last_one_wins_across_the_command():
    arguments = parse(["--memory", "1G", "--cycle", "run", "--memory=64M", "a.elf", "--fast"])
    assert (arguments.memory, arguments.fidelity) == (64 << 20, "fast")
    assert parse(["--fast", "run", "a.elf", "--cycle"]).fidelity == "cycle"


def test_every_option_of_the_table_has_an_example():
    assert {option.name for option in GRAMMAR.options if option.metavar} == set(EXAMPLES)


words = st.one_of(
    st.sampled_from(
        [
            *WIDE.by_name,
            *(name for name in WIDE.commands if name),
            "--",
            "-",
            "",
            "a.elf",
            "-5",
            "-x",
            "--memroy",
            "a b",
            "--a b",
        ]
    ),
    st.sampled_from([*WIDE.by_name]).map(lambda name: name + "="),
    st.tuples(st.sampled_from([*WIDE.by_name]), st.sampled_from(["64M", "", "run", "-1", "--fast", "a=b", "a b"])).map(
        "=".join
    ),
    st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
)


@settings(max_examples=800, deadline=None)
@given(st.lists(words, max_size=8))
def test_the_fast_reader_agrees_with_argparse_or_leaves_it_alone(line):
    fast = grammar.read(WIDE, line)
    if fast is not None:
        assert parser.parse(WIDE, line) == fast


@settings(max_examples=300, deadline=None)
@given(st.lists(words, max_size=8))
def test_any_command_line_is_understood_or_refused_in_one_line(line):
    try:
        arguments = parse(line)
    except UserError as error:
        assert str(error)
        assert "\n" not in str(error).replace("\\n", "")
    else:
        assert arguments.command in GRAMMAR.commands


@pytest.mark.parametrize(
    "line",
    [["--memory", "64M", "--fast", "run", "a.elf", "--icount", "--seed=3"], ["boot"], [], ["conform", "a", "b"]],
)
def test_ordinary_lines_need_no_argparse(line):
    assert grammar.read(GRAMMAR, line) is not None


def test_an_optional_value_never_swallows_a_command_or_a_file():
    for line, expected in [
        (["--colour", "run", "a.elf"], [("--colour", None)]),
        (["run", "--colour", "a.elf"], [("--colour", None)]),
        (["--colour=never", "run", "a.elf"], [("--colour", "never")]),
        (["--colour", "run", "a.elf", "-o", "x", "--colour=never"], None),
    ]:
        for result in (grammar.read(WIDE, line), parser.parse(WIDE, line)):
            if result is None:
                continue
            assert result[1] == ["run", "a.elf"]
            if expected is not None:
                assert [(option.name, word) for option, word in result[0]] == expected


def test_repeatable_options_collect_and_short_ones_work():
    line = ["--forward", "tcp::1:1", "-o", "x", "run", "a.elf", "--forward=tcp::2:2"]
    arguments = grammar.interpret(WIDE, *parser.parse(WIDE, line))
    assert arguments.forward == ("tcp::1:1", "tcp::2:2")
    assert arguments.output == "x"


def test_a_default_is_told_from_a_choice():
    assert parse(["--memory", "128M"]).given == {"memory"}
    assert parse([]).given == frozenset()
    assert parse([]).memory == 128 << 20


def test_everything_after_two_dashes_is_an_operand():
    assert parse(["run", "--", "--fast"]).operands == ("--fast",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--memroy", "64M"], "unknown option --memroy; did you mean --memory?"),
        (["bot"], "unknown command 'bot'; did you mean boot?"),
        (["--memory"], "--memory needs a value: --memory SIZE"),
        (["run", "a.elf", "--memory", "--fast"], "--memory needs a value: --memory SIZE"),
        (["--memory", "lots"], "--memory: 'lots' is not a size such as 128M, 1G or 0x8000000"),
        (["--memory", "0"], "--memory: '0' is not a size such as 128M, 1G or 0x8000000"),
        (["--fast=yes"], "--fast takes no value"),
        (["run"], "run needs FILE; `rvsim run --help` tells more"),
        (["run", "a", "b"], "run takes FILE: unexpected 'b'"),
        (["boot", "a"], "boot takes no arguments: unexpected 'a'"),
        (["disasm", "a", "--trace", "b"], "--trace is an option of the self-test, boot, run, not of disasm"),
        (["--log-level", "loud"], "--log-level: 'loud' is not one of error, warning, info, debug"),
        (["--timeout", "-1"], "--timeout: '-1' is not a time in seconds such as 5, 0.5, 500ms or 2m"),
        (["--kernel", "", "boot"], "--kernel: '' is not a file name"),
        ([""], "unknown command ''"),
    ],
)
def test_mistakes_are_named_in_one_line(line, message):
    with pytest.raises(UserError) as caught:
        parse(line)
    assert str(caught.value).startswith(message)


def test_help_wins_over_missing_operands():
    assert parse(["run", "--help"]).help
    assert parse(["-h", "conform"]).command == "conform"


def test_a_file_in_the_place_of_a_command_is_recognised(tmp_path):
    program = tmp_path / "a.elf"
    program.write_bytes(b"")
    with pytest.raises(UserError, match=r"did you mean `run .*a\.elf`\?"):
        parse([str(program)])


def test_no_command_is_the_self_test():
    assert parse(["--icount"]).command == SELF_TEST


def test_commands_name_modules_of_their_own():
    modules = [command.module for command in GRAMMAR.commands.values()]
    assert len(set(modules)) == len(modules)
    assert all(isinstance(command, Command) for command in GRAMMAR.commands.values())
