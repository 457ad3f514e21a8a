"""Interrupt codes: bit numbers of ``mip``, ``mie``, ``mideleg`` (privileged specification 1.12, section 3.1.9).

Plain numbers, because a warm start has no time to import ``enum``; :class:`rvsim.isa.traps.Interrupt` has them as one.
"""

from __future__ import annotations

SSI, MSI, STI, MTI, SEI, MEI = 1, 3, 5, 7, 9, 11
