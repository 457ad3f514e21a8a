"""The help texts, written from the table."""

from __future__ import annotations

import textwrap

from rvsim.soc.cli.grammar import SELF_TEST, Command, Grammar, Option
from rvsim.soc.cli.options import GROUPS

_WIDTH = 100
_COLUMN = 26

_STATUS = """\
exit status:
  0     the guest powered off (run: the guest's own status)
  2     a mistake in the command line or in a file it names
  3     the hart is stuck, or the kernel panicked
  124   the time or instruction limit was reached
  128+n ended by signal n (130: Ctrl-C)
"""

_ESCAPES = """\
in a terminal:
  Ctrl-A x  leave       Ctrl-A h  list all escapes       Ctrl-A Ctrl-A  send Ctrl-A to the guest
"""


def overview(grammar: Grammar) -> str:
    """``rvsim --help``: commands, every option by group, exit status."""
    lines = [
        "usage: rvsim [--fast | --cycle] [OPTIONS] [COMMAND] [ARGUMENTS]",
        "       python -m rvsim.soc ...        (the same)",
        "",
        "A RISC-V computer you can look inside. Its addresses are those of QEMU's `virt` board.",
        "",
        "commands:",
    ]
    for command in grammar.commands.values():
        head = f"{command.name} {command.arguments}".strip() or "(none)"
        lines += _entry(head, command.help)
    lines += ["", "Options may stand before or after the command; of one given twice the last wins."]
    for group, title in GROUPS.items():
        options = [option for option in grammar.options if option.group == group]
        if options:
            lines += ["", f"{title}:"]
            for option in options:
                lines += _entry(_spelling(option), option.help + _only(option))
    return "\n".join([*lines, "", _STATUS, _ESCAPES]) + "\n`rvsim COMMAND --help` tells more about one command.\n"


def command_help(grammar: Grammar, command: Command) -> str:
    """``rvsim COMMAND --help``: what it does, examples, the options that it takes."""
    lines = [f"usage: rvsim [OPTIONS] {command.name} {command.arguments}".rstrip(), ""]
    lines += textwrap.wrap(_sentence(command.help), _WIDTH)
    if command.description:
        lines += ["", *textwrap.wrap(command.description, _WIDTH)]
    if command.examples:
        lines += ["", "examples:", *(f"  {example}" for example in command.examples)]
    for group, title in GROUPS.items():
        options = [
            option
            for option in grammar.options
            if option.group == group and (option.commands is None or command.name in option.commands)
        ]
        if options:
            lines += ["", f"{title}:"]
            for option in options:
                lines += _entry(_spelling(option), option.help)
    text = "\n".join(lines) + "\n"
    if command.name in (SELF_TEST, "boot", "run"):
        text += "\n" + _STATUS
    if command.name == "boot":
        text += "\n" + _ESCAPES
    return text


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _spelling(option: Option) -> str:
    text = f"{option.short}, {option.name}" if option.short else option.name
    if option.value_optional:
        return f"{text}[={option.metavar}]"
    return f"{text} {option.metavar}".rstrip()


def _only(option: Option) -> str:
    if option.commands is None:
        return ""
    named = [name for name in option.commands if name]
    if SELF_TEST in option.commands:
        named.append("self-test")
    return f"  [{', '.join(named)}]"


def _entry(head: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, _WIDTH - _COLUMN - 2) or [""]
    indent = " " * (_COLUMN + 2)
    lines = [indent + line for line in wrapped]
    if len(head) < _COLUMN - 1:
        lines[0] = f"  {head:<{_COLUMN}}{wrapped[0]}"
        return lines
    return [f"  {head}", *lines]
