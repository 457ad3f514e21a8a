"""The processor's own count of instructions, where the system lets a process read it."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Callable

_SYSCALL = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
_INSTRUCTIONS = 1
_SIZE = 128
_EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6


def count(work: Callable[[], object]) -> tuple[int | None, str]:
    """Instructions that this thread executes outside the kernel during ``work``; ``None`` and why if unknown."""
    number = _SYSCALL.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        return None, "the processor's counters are read on Linux only"
    attributes = bytearray(_SIZE)
    struct.pack_into("<IIQ", attributes, 0, 0, _SIZE, _INSTRUCTIONS)
    struct.pack_into("<Q", attributes, 40, _EXCLUDE_KERNEL_AND_HYPERVISOR)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = (ctypes.c_char * _SIZE).from_buffer(attributes)
    descriptor = libc.syscall(ctypes.c_long(number), buffer, 0, -1, -1, ctypes.c_ulong(8))
    if descriptor < 0:
        return None, f"the system gives no access to the processor's counters ({os.strerror(ctypes.get_errno())})"
    try:
        before = struct.unpack("<q", os.read(descriptor, 8))[0]
        work()
        return struct.unpack("<q", os.read(descriptor, 8))[0] - before, ""
    finally:
        os.close(descriptor)
