"""Find the interpreter's machine code in the cache, or make it."""

from __future__ import annotations

import os

from rvsim.isa.config import IsaConfig
from rvsim.native import cache
from rvsim.native.cache import Code

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))
#: Directories whose files decide the generated code.
_SOURCES = (_HERE, *(os.path.join(_ROOT, *parts) for parts in (("isa",), ("isa", "sets"), ("native",))))

EXPORTS = ("run", "initialize", "host_touched", "host_flush", "host_forget_stores", "host_translate", "host_csr")


def stamp(config: IsaConfig) -> str:
    """Everything that decides the interpreter's code (see :mod:`rvsim.native.cache`)."""
    fields = [f"{n}={sorted(v) if isinstance(v, frozenset) else v}" for n, v in zip(config._fields, config._values())]
    return "\n".join((*fields, cache.source_stamp(*_SOURCES)))


def interpreter(config: IsaConfig, on_build=None) -> Code:  # noqa: ANN001
    """The interpreter for a configuration.

    Parameters
    ----------
    config
        What the hart implements.
    on_build
        Called without arguments before the interpreter is compiled, which takes about a second: not in the cache.
    """
    wanted = stamp(config)
    code = cache.load("functional", wanted)
    if code is None:
        if on_build is not None:
            on_build()
        code = compile_interpreter(config, wanted)
    return code


def compile_interpreter(config: IsaConfig, wanted: str, pairs: list[tuple[str, str, str]] | None = None) -> Code:
    """Compile the interpreter and, with the default pairs, keep it in the cache."""
    from rvsim.native import compiler, link

    from .generate import generate

    text, labels = generate(config, pairs)
    data = compiler.compile_object(text)
    try:
        blob, symbols = link.link(data)
        base = cache.map_code(blob)
    except (link.CannotLink, OSError):
        addresses, keep = compiler.load_object(data, EXPORTS)
        return Code(0, addresses, labels, keep)
    exported = {name: symbols[name] for name in EXPORTS}
    if pairs is None and not cache.changed_since_import(*_SOURCES):
        cache.store("functional", wanted, blob, exported, labels)
    return Code(base, exported, labels, None)
