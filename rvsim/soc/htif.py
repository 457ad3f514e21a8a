"""The host-target interface of Spike and of benchmark suites: two doublewords in memory, ``tohost`` and ``fromhost``.

A command is device (bits 63:56), function (55:48) and payload. Device 0 is system calls: an odd payload ends the run
with exit code payload >> 1, an even one is the address of eight doublewords (number, arguments) that the result comes
back in. Device 1 is a console: function 0 asks for a character, function 1 writes one.

On RV32 a doubleword is stored as two words, in either order, and many programs store the low word only. A command is
therefore taken when the second word has been stored, or :data:`SETTLE` instructions after the first.

Everything that the guest passes is untrusted. No host file is ever opened.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE = 32
"""Instructions after which a store of one word is taken for the whole command."""

SYS_WRITE, SYS_EXIT = 64, 93
ENOSYS, EBADF, EFAULT = 38, 9, 14

_SYSTEM, _CONSOLE = 0, 1
_GET, _PUT = 0, 1
_MAGIC_WORDS = struct.Struct("<8Q")
_WORD = 0xFFFF_FFFF


class Htif:
    """One machine's host-target interface.

    Parameters
    ----------
    memory
        The machine's memory: ``read(address, size)`` and ``write(address, data)``, bounds-checked.
    tohost, fromhost : int
        Physical addresses; ``fromhost`` 0: the program has none.
    transmit : Callable[[bytes], None]
        Takes what the guest prints.
    exit : Callable[[int], None]
        Called with the exit code.
    pause : Callable[[], None]
        Makes the run return after the current instruction, to ask :attr:`settling`.
    """

    def __init__(
        self,
        memory: object,
        tohost: int,
        fromhost: int,
        *,
        transmit: Callable[[bytes], None],
        exit: Callable[[int], None],
        pause: Callable[[], None],
    ) -> None:
        self._memory = memory
        self._tohost = tohost
        self._fromhost = fromhost
        self._transmit = transmit
        self._exit = exit
        self._pause = pause
        self.begun = 0
        """Commands of which a word was stored."""
        self.settling = False
        """One word of a command was stored: the run must not go further than :data:`SETTLE` instructions."""
        self.reading = False
        """The guest has asked for a character."""

    def reset(self) -> None:
        """Forget what was asked before."""
        self.settling = self.reading = False

    def stored(self) -> None:
        """The guest stored into ``tohost``."""
        if self.settling:
            self.settle()
        elif self._command():
            self.settling = True
            self.begun += 1
            self._pause()

    def settle(self) -> None:
        """Take the command as it stands."""
        self.settling = False
        command = self._command()
        if not command:
            return
        self._memory.write(self._tohost, bytes(8))
        device, function, payload = command >> 56, command >> 48 & 0xFF, command & (1 << 48) - 1
        if command >> 32 == _WORD:
            # A pointer or code that was sign-extended to 64 bits.
            device, function, payload = _SYSTEM, 0, command & _WORD
        if device == _SYSTEM and function == 0:
            if payload & 1:
                self._exit(payload >> 1)
            else:
                self._system_call(payload)
        elif device == _CONSOLE and function == _PUT:
            self._transmit(bytes((payload & 0xFF,)))
            self._respond(_CONSOLE << 56 | _PUT << 48)
        elif device == _CONSOLE and function == _GET:
            self.reading = True

    def receive(self, character: int) -> None:
        """Answer the guest's request for a character."""
        self.reading = False
        self._respond(_CONSOLE << 56 | _GET << 48 | 0x100 | character)

    def _command(self) -> int:
        return int.from_bytes(self._memory.read(self._tohost, 8), "little")

    def _respond(self, value: int) -> None:
        if self._fromhost:
            self._memory.write(self._fromhost, value.to_bytes(8, "little"))

    def _system_call(self, address: int) -> None:
        try:
            number, *arguments = _MAGIC_WORDS.unpack(self._memory.read(address, _MAGIC_WORDS.size))
        except ValueError:
            # Where the call's own words are not in memory, there is nowhere to put an error either.
            self._respond(1)
            return
        if number == SYS_EXIT:
            self._exit(arguments[0] & _WORD)
            return
        result = self._write(*arguments[:3]) if number == SYS_WRITE else -ENOSYS
        self._memory.write(address, (result & (1 << 64) - 1).to_bytes(8, "little"))
        self._respond(1)

    def _write(self, fd: int, address: int, size: int) -> int:
        if fd not in (1, 2):
            return -EBADF
        try:
            data = self._memory.read(address & _WORD, size & _WORD)
        except ValueError:
            return -EFAULT
        self._transmit(bytes(data))
        return len(data)
