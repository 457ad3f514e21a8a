"""``python -m rvsim.sim``: how fast a design runs, and where its time goes."""

from .cli.command import main

if __name__ == "__main__":
    raise SystemExit(main())
