"""The self-test as a binary: assembled once, then taken from the user's cache while its sources stay the same."""

from __future__ import annotations

import os

from rvsim.cachedir import cache_directory
from rvsim.soc.description import RAM_BASE

ORIGIN = RAM_BASE
"""Where the program is to be loaded and entered."""

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program.S")


def program_path() -> str:
    """Path of the flat binary.

    Raises
    ------
    UserError
        The cache cannot be written.
    """
    folder = cache_directory("selftest")
    path = os.path.join(folder, f"{_key()}.bin")
    if not os.path.exists(path):
        from rvsim.soc.output import write_whole

        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            from rvsim.errors import UserError

            raise UserError(f"{folder}: {error.strerror}; the self-test is kept there (see XDG_CACHE_HOME)") from None
        write_whole(path, "self-test", build())
    return path


def program() -> bytes:
    """The flat binary; where the cache cannot be used it is assembled each time, which costs a tenth of a second."""
    from rvsim.errors import UserError

    try:
        with open(program_path(), "rb") as file:
            return file.read()
    except (OSError, UserError):
        return build()


def build() -> bytes:
    """Assemble it."""
    from rvsim.isa.assembler import assemble

    with open(SOURCE, encoding="utf-8") as file:
        return bytes(assemble(file.read(), ORIGIN))


def _key() -> str:
    """Names what the binary is made of: the source, and the instruction tables and assembler as they stand."""
    import hashlib

    import rvsim.isa

    digest = hashlib.sha256()
    for top, suffix in ((os.path.dirname(SOURCE), ".S"), (os.path.dirname(rvsim.isa.__file__), ".py")):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                if name.endswith(suffix):
                    with open(os.path.join(folder, name), "rb") as file:
                        content = file.read()
                    digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
