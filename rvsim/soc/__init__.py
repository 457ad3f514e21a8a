"""The computer: description, machine, loader, device tree, Python API, command line.

Names are imported when they are first used: a warm start pays for nothing that it does not need.
"""

from __future__ import annotations

_HOMES = {
    "Machine": "rvsim.soc.machine",
    "SocConfig": "rvsim.soc.config",
    "Outcome": "rvsim.soc.outcome",
    "ConsoleClosed": "rvsim.soc.console",
}

__all__ = ["ConsoleClosed", "Machine", "Outcome", "SocConfig"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(__import__(home, fromlist=[name]), name)
    globals()[name] = value
    return value
