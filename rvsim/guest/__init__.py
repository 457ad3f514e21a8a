"""The default guest: OpenSBI, Linux and busybox for RV32, built from Debian's packages into the user's cache.

Names are imported when they are first used, so that locating a built image (the warm path) loads nothing
of the build.
"""

from __future__ import annotations

_HOMES = {
    "GuestImage": "rvsim.guest.image",
    "guest_paths": "rvsim.guest.image",
    "recipe_key": "rvsim.guest.image",
    "build": "rvsim.guest.builder",
    "clean": "rvsim.guest.builder",
}

__all__ = ["GuestImage", "build", "clean", "guest_paths", "recipe_key"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(__import__(home, fromlist=[name]), name)
    globals()[name] = value
    return value
