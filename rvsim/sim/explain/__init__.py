"""What the engine made of a design, and where its time goes: counted, not guessed."""

from .explain import explain
from .text import text

__all__ = ["explain", "text"]
