"""The frozen object that stands behind the command line and the Python API: what machine to build."""

from __future__ import annotations

from rvsim.errors import UserError
from rvsim.frozen import Frozen
from rvsim.isa.config import IsaConfig
from rvsim.soc.description import RAM_BASE, TIMEBASE

MINIMUM_MEMORY = 1 << 20
MAXIMUM_MEMORY = (1 << 32) - RAM_BASE


class ConfigError(UserError, ValueError):
    """A field of :class:`SocConfig` that cannot be; one line that says what would do."""


class SocConfig(Frozen):
    """What machine to build.

    Parameters
    ----------
    isa : IsaConfig
        What the hart implements.
    memory : int
        Bytes of RAM from 0x8000_0000: whole pages, from 1 MiB to what fits below 2**32 (2 GiB).
    icount : bool
        Time is the number of instructions: a run is a function of its inputs.
    seed : int
        Unsigned, at most 64 bits: entropy of an ``icount`` run.
    reboot : bool
        A guest's reboot reboots; ``False``: it ends the run.
    timebase : int
        Frequency of ``mtime`` in Hz. The functional core counts at 10 MHz.
    verbose_firmware : bool
        Let OpenSBI print its banner, which costs a boot about half a million instructions.

    Raises
    ------
    ConfigError
        A field is out of its range.
    """

    isa: IsaConfig = IsaConfig()
    memory: int = 128 << 20
    icount: bool = False
    seed: int = 0
    reboot: bool = True
    timebase: int = TIMEBASE
    verbose_firmware: bool = False

    def validate(self) -> None:
        """Check the fields (see the class)."""
        if not isinstance(self.isa, IsaConfig):
            raise ConfigError(f"isa must be an IsaConfig such as IsaConfig.parse('rv32imac'), not {self.isa!r}")
        memory = self.memory
        if type(memory) is not int:
            raise ConfigError(f"memory must be a number of bytes, not {memory!r}")
        if memory < MINIMUM_MEMORY:
            raise ConfigError(f"memory {size_text(memory)} is too small: at least 1 MiB is needed")
        if memory > MAXIMUM_MEMORY:
            raise ConfigError(
                f"memory {size_text(memory)} is too large: RAM begins at {RAM_BASE:#x} and must end below 2**32,"
                f" so at most {size_text(MAXIMUM_MEMORY)}"
            )
        if memory % 4096:
            raise ConfigError(f"memory {memory} is not a multiple of 4096 bytes")
        if type(self.seed) is not int or not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"seed must be an unsigned number of at most 64 bits, not {self.seed!r}")
        if self.timebase != TIMEBASE:
            raise ConfigError(f"timebase {self.timebase} Hz: the functional core counts at {TIMEBASE} Hz")


def size_text(size: int) -> str:
    """A size as people write it: ``64 MiB``, ``12345 bytes``."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size and not size % (1 << shift):
            return f"{size >> shift} {unit}"
    return f"{size} bytes" if size < 10 << 20 else f"{size / (1 << 20):.1f} MiB"
