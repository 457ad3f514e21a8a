"""Values as people write them: sizes, counts, durations. Each raises ``ValueError`` with what it expects."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BINARY = {"k": 10, "m": 20, "g": 30}
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9}


def size(word: str) -> int:
    """Bytes: ``128M``, ``1GiB``, ``65536``, ``0x8000000`` (powers of 1024)."""
    expected = "a size such as 128M, 1G or 0x8000000"
    text = word.lower().removesuffix("ib") if word[-2:] in ("iB", "ib") else word.lower()
    if not text.startswith("0x"):
        text = text.removesuffix("b")
    shift = _BINARY.get(text[-1:], 0)
    value = _integer(text[:-1] if shift else text, expected) << shift
    if value == 0:
        raise ValueError(expected)
    return value


def count(word: str) -> int:
    """A positive number: ``5000000``, ``5_000_000``, ``5M`` (powers of 1000)."""
    expected = "a number of instructions such as 5000000 or 5M"
    scale = _DECIMAL.get(word[-1:].lower(), 1)
    value = _integer(word[:-1] if scale > 1 else word, expected) * scale
    if value == 0:
        raise ValueError(expected)
    return value


def seed(word: str) -> int:
    """An unsigned number of at most 64 bits."""
    expected = "a number between 0 and 2**64-1"
    value = _integer(word, expected)
    if value >> 64:
        raise ValueError(expected)
    return value


def duration(word: str) -> float:
    """Seconds, more than none: ``5``, ``0.5``, ``5s``, ``500ms``, ``2m``."""
    expected = "a time in seconds such as 5, 0.5, 500ms or 2m"
    text, scale = word.strip(), 1.0
    for suffix, factor in (("ms", 1e-3), ("s", 1.0), ("m", 60.0)):
        if text.endswith(suffix):
            text, scale = text[: -len(suffix)], factor
            break
    try:
        value = float(text) * scale
    except ValueError:
        raise ValueError(expected) from None
    if not 0 < value < 1e9:
        raise ValueError(expected)
    return value


def choice(*allowed: str) -> Callable[[str], str]:
    """One of the words given here, in any case."""

    def convert(word: str) -> str:
        if word.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return word.lower()

    return convert


def path(word: str) -> str:
    """A file's name; not the empty word, which a shell makes of an unset variable."""
    if not word:
        raise ValueError("a file name")
    return word


def _integer(text: str, expected: str) -> int:
    # int() takes signs, spaces and digits of other scripts; none of them is meant here.
    if not (text.isascii() and text[:1].isdigit() and text.split() == [text]):
        raise ValueError(expected)
    try:
        return int(text, 0) if text.lower().startswith("0x") else int(text, 10)
    except ValueError:
        raise ValueError(expected) from None
