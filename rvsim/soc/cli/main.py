"""From the words of a command line to an exit status; every error becomes one line on standard error."""

from __future__ import annotations

import os
import sys

from rvsim.errors import UserError
from rvsim.soc.cli import grammar
from rvsim.soc.cli.options import GRAMMAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SIGPIPE, SIGINT = 13, 2


def parse(words: Sequence[str]) -> grammar.Arguments:
    """A command line understood.

    Raises
    ------
    UserError
        What does not parse, in one line.
    """
    words = list(words)
    split = grammar.read(GRAMMAR, words)
    if split is None:
        from rvsim.soc.cli import parser

        split = parser.parse(GRAMMAR, words)
    return grammar.interpret(GRAMMAR, *split)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return the exit status."""
    words = sys.argv[1:] if words is None else words
    if hasattr(sys.stdout, "reconfigure"):
        # File names are bytes: they leave as they came, whatever the locale makes of them.
        sys.stdout.reconfigure(errors="surrogateescape")
    debug = "debug" in words or "--log-level=debug" in words
    try:
        arguments = parse(words)
        debug = arguments.log_level == "debug"
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _fail(str(error), 2, debug)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "rvsim":
            raise
        return _fail(
            f"the Python package {error.name!r} is missing: run `make setup` in rvsim's folder,"
            " then `. .venv/bin/activate`",
            2,
            debug,
        )
    except KeyboardInterrupt:
        _silence(sys.stdout)
        return 128 + SIGINT
    except BrokenPipeError:
        # Whoever read our output has seen enough: the same status as from a death by SIGPIPE, and no words.
        _silence(sys.stdout)
        return 128 + SIGPIPE
    except OSError as error:
        # An error without a file name comes from a stream, and what is written to one here is the command's result.
        where = f"{error.filename}: " if error.filename else "standard output: "
        _silence(sys.stdout)
        return _fail(f"{where}{error.strerror or error}", 2, debug)


def _dispatch(arguments: grammar.Arguments) -> int:
    command = GRAMMAR.commands[arguments.command]
    if arguments.version:
        from rvsim import __version__

        print(f"rvsim {__version__}")
        return 0
    if arguments.help:
        from rvsim.soc.cli import usage

        text = usage.command_help(GRAMMAR, command) if command.name else usage.overview(GRAMMAR)
        sys.stdout.write(text)
        return 0
    module = __import__(command.module, fromlist=["run"])
    return module.run(arguments)


def _fail(message: str, status: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    try:
        sys.stderr.write(f"rvsim: {' '.join(message.splitlines())}\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
    return status


def _silence(stream: object) -> None:
    """Let nothing more be written to a stream whose other end is gone, not even at the interpreter's exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
