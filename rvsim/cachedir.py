"""Where rvsim keeps what it can make again."""

from __future__ import annotations

import os


def cache_directory(*parts: str) -> str:
    """``$XDG_CACHE_HOME/rvsim`` (default ``~/.cache/rvsim``) or a folder in it; not created."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification says that a relative path is to be ignored.
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "rvsim", *parts)
