"""What a command line is made of: options, commands, and the reading of a well-formed one.

``rvsim [FIDELITY] [OPTIONS] [COMMAND] [ARGUMENTS]``: every option may stand before or after the command and
means the same there, and of an option given twice the last one wins. An option with a value takes the next
word or follows ``=``; an option with an *optional* value takes it only after ``=``, so that no option ever
swallows a command or a file.

The declarations themselves are in :mod:`rvsim.soc.cli.options`. :func:`read` handles what nearly every command
line looks like without importing anything; what it does not fully understand goes to
:mod:`rvsim.soc.cli.parser`, which is argparse with all its messages and five milliseconds of import.
"""

from __future__ import annotations

from rvsim.errors import UserError
from rvsim.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SELF_TEST = ""
"""The name under which the absence of a command stands in the table."""


class Option(Frozen):
    """One option.

    ``convert`` makes a value of the word and raises ``ValueError`` with what it expects ("a size such as
    128M"). An option without ``metavar`` is a flag, whose ``constant`` is what its presence means.
    """

    name: str
    """Long name with its dashes; the attribute's name is derived from it unless ``target`` is given."""
    help: str
    metavar: str = ""
    convert: Callable[[str], object] = str
    default: object = None
    constant: object = True
    target: str = ""
    short: str = ""
    group: str = "machine"
    commands: tuple[str, ...] | None = None
    """Commands it makes sense with; None: all."""
    value_optional: bool = False
    """The value may be missing; then ``constant`` stands for it."""
    repeatable: bool = False
    """Its values are collected in a tuple, instead of the last one winning."""

    @property
    def attribute(self) -> str:
        """The name under which :class:`Arguments` carries it."""
        return self.target or self.name.lstrip("-").replace("-", "_")


class Command(Frozen):
    """One command: how it is called, what it takes, and which function of which module it is."""

    name: str
    help: str
    arguments: str = ""
    """The operands as they stand in the usage line."""
    minimum: int = 0
    maximum: int | None = 0
    """How many operands there may be; None: any number."""
    description: str = ""
    examples: tuple[str, ...] = ()
    module: str = ""
    """Where its ``run(arguments) -> int`` is; imported when it is used."""


class Grammar:
    """A table of options and commands, indexed."""

    def __init__(self, options: Sequence[Option], commands: Sequence[Command]) -> None:
        self.options = tuple(options)
        self.commands = {command.name: command for command in commands}
        self.by_name = {option.name: option for option in self.options}
        self.by_name.update({option.short: option for option in self.options if option.short})


class Arguments:
    """A command line understood: ``command``, ``operands``, and one attribute for each option.

    ``given`` holds the attributes that the user set, to tell a default from a choice.
    """

    command: str
    operands: tuple[str, ...]
    given: frozenset[str]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()))
        return f"Arguments({shown})"


def read(grammar: Grammar, words: Sequence[str]) -> tuple[list[tuple[Option, str | None]], list[str]] | None:
    """Options with their words, and all other words, in the order given.

    None where the line holds anything but long options spelt in full, values that do not start with a dash,
    and plain words.
    """
    given: list[tuple[Option, str | None]] = []
    plain: list[str] = []
    by_name = grammar.by_name
    rest = iter(words)
    for word in rest:
        if word[:1] != "-":
            plain.append(word)
            continue
        name, equals, value = word.partition("=")
        option = by_name.get(name)
        if option is None or name[:2] != "--":
            return None
        if option.metavar and not option.value_optional:
            if not equals:
                value = next(rest, "-")
                if value[:1] == "-":
                    return None
            given.append((option, value))
        elif not equals:
            given.append((option, None))
        elif option.value_optional:
            given.append((option, value))
        else:
            return None
    return given, plain


def interpret(grammar: Grammar, given: Sequence[tuple[Option, str | None]], plain: Sequence[str]) -> Arguments:
    """What the words mean: defaults, conversions, the command and its operands.

    Raises
    ------
    UserError
        A value that does not convert, an option that the command does not have, an unknown command, a wrong
        number of operands.
    """
    arguments = Arguments()
    values = vars(arguments)
    for option in grammar.options:
        values.setdefault(option.attribute, () if option.repeatable else option.default)
    chosen = set()
    for option, word in given:
        value = option.constant if word is None else _convert(option, word)
        if option.repeatable:
            value = (*values[option.attribute], value)
        values[option.attribute] = value
        chosen.add(option.attribute)
    arguments.given = frozenset(chosen)
    arguments.command = plain[0] if plain else SELF_TEST
    arguments.operands = tuple(plain[1:])
    if arguments.command not in grammar.commands or (plain and not plain[0]):
        raise UserError(_unknown_command(grammar, plain[0]))
    if not values.get("help"):
        _check(grammar.commands[arguments.command], arguments.operands, given)
    return arguments


def _convert(option: Option, word: str) -> object:
    try:
        return option.convert(word)
    except ValueError as error:
        raise UserError(f"{option.name}: {word!r} is not {error}") from None


def _check(command: Command, operands: tuple[str, ...], given: Sequence[tuple[Option, str | None]]) -> None:
    for option, _ in given:
        if option.commands is not None and command.name not in option.commands:
            of = ", ".join(name or "the self-test" for name in option.commands)
            raise UserError(f"{option.name} is an option of {of}, not of {command.name or 'the self-test'}")
    count = len(operands)
    if count < command.minimum:
        raise UserError(
            f"{command.name} needs {command.arguments}; `rvsim {command.name} --help` tells more"
            if not operands
            else f"{command.name} takes {command.arguments}, not just {' '.join(operands)}"
        )
    if command.maximum is not None and count > command.maximum:
        extra = operands[command.maximum]
        takes = f"takes {command.arguments}" if command.arguments else "takes no arguments"
        raise UserError(f"{command.name} {takes}: unexpected {extra!r}")


def _unknown_command(grammar: Grammar, word: str) -> str:
    import os

    if word and os.path.isfile(word):
        return f"unknown command {word!r}; did you mean `run {word}`?"
    names = [name for name in grammar.commands if name]
    return f"unknown command {word!r}{near(word, names)}"


def near(word: str, names: Sequence[str]) -> str:
    """`` (did you mean X?)``, or all names where none is near."""
    from difflib import get_close_matches

    matches = get_close_matches(word, names, n=2, cutoff=0.6)
    if matches:
        return f"; did you mean {' or '.join(matches)}?"
    return f" (there are: {', '.join(names)})" if len(names) <= 12 else "; `rvsim --help` lists them"
