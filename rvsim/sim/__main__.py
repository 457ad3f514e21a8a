"""``python -m rvsim.sim``: how fast a design runs, and where its time goes."""

import sys


def entry() -> int:
    """Run the command; 2 if another version of Amaranth is installed."""
    try:
        from .cli.command import main
    except ImportError as error:
        print(f"rvsim.sim: {error}", file=sys.stderr)
        return 2
    return main()


if __name__ == "__main__":
    raise SystemExit(entry())
