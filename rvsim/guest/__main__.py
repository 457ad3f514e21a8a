"""``python -m rvsim.guest``: building, finding and removing the guest image, for ``make`` and for scripts."""

from __future__ import annotations

import argparse
import sys

from rvsim.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; 0, or 2 for a user's mistake, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m rvsim.guest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build the image, or go on where an earlier attempt stopped")
    build.add_argument("--downloads", metavar="DIR", help="where downloaded packages lie and stay")
    build.add_argument("--jobs", type=int, metavar="N", help="compilers at a time (one per CPU)")
    commands.add_parser("path", help="print the folder of the image")
    clean = commands.add_parser("clean", help="remove all images and half-done work")
    clean.add_argument("--downloads", action="store_true", help="remove downloaded packages as well")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except UserError as error:
        print(f"rvsim: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rvsim: interrupted; the next attempt goes on from here", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.command == "path":
        import os

        from rvsim.guest import guest_paths

        print(os.path.dirname(guest_paths().kernel))
    elif options.command == "clean":
        from rvsim.guest import clean

        clean(downloads=options.downloads)
    else:
        from rvsim.guest import build

        build(downloads=options.downloads, jobs=options.jobs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
