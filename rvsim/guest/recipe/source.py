"""Changing other people's sources, in a way that notices when they have changed themselves."""

from __future__ import annotations

import os

from rvsim.guest.run import ToolFailed


def edit(tree: str, name: str, old: str, new: str, after: str = "", times: int = 1) -> None:
    """Replace ``old`` by ``new`` in a source file, ``times`` times behind the last mention of ``after``.

    Raises
    ------
    ToolFailed
        The file does not have it so often: the source changed under the recipe.
    """
    path = os.path.join(tree, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    at = text.rfind(after) if after else 0
    if at < 0 or text.count(old, at) < times:
        raise ToolFailed(f"{path}: {old!r} is not there {times} times")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:at] + text[at:].replace(old, new, times))
