"""``python -m rvsim.soc`` and the installed ``rvsim``."""

from __future__ import annotations

import os
import sys

from rvsim.soc.cli.main import main


def entry() -> None:
    """Run the command line and end the process at once with its status."""
    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    # Everything is written and closed by now; taking the interpreter apart would cost another two milliseconds.
    os._exit(status)


if __name__ == "__main__":
    entry()
