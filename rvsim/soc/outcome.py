"""How a run ended, and the exit status that belongs to it."""

from __future__ import annotations

from rvsim.frozen import Frozen

STATUS = {"power-off": 0, "reboot": 0, "idle": 0, "stuck": 3, "panic": 3, "limit": 124, "timeout": 124}
"""Exit status of each kind; the guest decides that of ``exit``."""


class Outcome(Frozen):
    """How a run ended.

    Parameters
    ----------
    kind : str
        ``power-off``, ``exit`` (the guest said with which code), ``reboot`` (and the machine is not to), ``stuck``
        (no instruction of the guest can make progress any more), ``panic`` (of the guest's kernel), ``limit`` (of
        instructions), ``timeout``, or ``idle`` (the guest waits for input that only the caller can send).
    code : int
        The guest's own exit code, for ``exit``.
    message : str
        One line on what happened, for people.
    detail : str
        More lines, such as the hart's state; may be empty.
    """

    kind: str
    code: int = 0
    message: str = ""
    detail: str = ""

    def validate(self) -> None:
        """Raise ``ValueError`` for an unknown kind."""
        if self.kind != "exit" and self.kind not in STATUS:
            raise ValueError(f"outcome must be exit or one of {', '.join(STATUS)}, not {self.kind!r}")

    @property
    def status(self) -> int:
        """The exit status of the process: a code that does not fit eight bits must not turn into success."""
        if self.kind != "exit":
            return STATUS[self.kind]
        return self.code if 0 <= self.code <= 255 else 255

    @property
    def ended(self) -> bool:
        """Whether the machine can go no further; after ``limit``, ``timeout`` and ``idle`` it can."""
        return self.kind not in ("limit", "timeout", "idle")
