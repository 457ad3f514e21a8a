"""``python -m rvsim.soc`` and the installed ``rvsim``."""

from __future__ import annotations

import os
import sys

from rvsim.soc.cli.main import main


def entry() -> None:
    """Run the command line and end the process at once with its status."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed_streams()
    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    # Everything is written and closed by now; taking the interpreter apart would cost another two milliseconds.
    os._exit(status)


def _open_closed_streams() -> None:
    """Put ``/dev/null`` where a standard stream was closed: the next file opened would take its place."""
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (open to the end)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    entry()
