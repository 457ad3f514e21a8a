"""argparse, derived from the table: for command lines that :func:`rvsim.soc.cli.grammar.read` leaves alone.

One flat parser takes the options wherever they stand; commands and operands are sorted out afterwards, the same
way as for the fast reader, in :func:`rvsim.soc.cli.grammar.interpret`.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from rvsim.errors import UserError
from rvsim.soc.cli.grammar import Grammar, Option, near

# Stands behind "=" for a value that was left out; no command line can contain it.
_NO_VALUE = "\0"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


class _Record(argparse.Action):
    """Notes the option and its word, in the order given, so that both readers have the same result."""

    def __init__(self, *, option: Option, given: list[tuple[Option, str | None]], **keywords: object) -> None:
        super().__init__(**keywords)
        self.option = option
        self.given = given

    def __call__(self, parser, namespace, values, option_string=None) -> None:  # noqa: ANN001
        plain = isinstance(values, str) and values != _NO_VALUE
        self.given.append((self.option, values if plain else None))


def parse(grammar: Grammar, words: list[str]) -> tuple[list[tuple[Option, str | None]], list[str]]:
    """Options with their words and all other words; the same result as the fast reader's where that has one.

    Raises
    ------
    UserError
        An unknown option (with near matches), a value that is missing or was not expected.
    """
    given: list[tuple[Option, str | None]] = []
    parser = _Parser(prog="rvsim", add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in grammar.options:
        parser.add_argument(
            *([option.short] if option.short else []),
            option.name,
            action=_Record,
            option=option,
            given=given,
            dest=argparse.SUPPRESS,
            nargs=None if option.metavar else 0,
        )
    parser.add_argument("words", nargs="*")
    end = words.index("--") if "--" in words else len(words)
    before, after = words[:end], words[end + 1 :]
    # argparse's own optional values would swallow a command or a file: it sees them only with "=".
    optional = {option.name for option in grammar.options if option.value_optional}
    before = [f"{word}={_NO_VALUE}" if word in optional else word for word in before]
    try:
        namespace, unknown = parser.parse_known_intermixed_args(before)
    except argparse.ArgumentError as error:
        raise UserError(_explain(grammar, error)) from None
    if unknown:
        name = unknown[0].partition("=")[0]
        names = [option.name for option in grammar.options]
        raise UserError(f"unknown option {name}{near(name, names)}")
    return given, [*namespace.words, *after]


def _explain(grammar: Grammar, error: argparse.ArgumentError) -> str:
    name = (error.argument_name or "").split("/")[-1]
    option = grammar.by_name.get(name)
    if option is not None and option.metavar:
        return f"{name} needs a value: {name} {option.metavar}"
    if option is not None:
        return f"{name} takes no value"
    return str(error)
