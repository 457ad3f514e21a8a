"""The boot ROM: reset code, what firmware wants to know, and the device tree where RAM has no place for it."""

from __future__ import annotations

import struct

from rvsim.soc.description import BOOT_ROM

# OpenSBI, include/sbi/fw_dynamic.h: magic "OSBI", version 2, then where and how the next stage begins.
FW_DYNAMIC_MAGIC = 0x4942534F
FW_DYNAMIC_VERSION = 2
NEXT_MODE_S = 1
OPTION_NO_BOOT_PRINTS = 1

_CODE = (
    0x00000297,  # auipc t0, 0
    0x02428613,  # addi  a2, t0, 36        # a2 = fw_dynamic_info
    0xF1402573,  # csrrs a0, mhartid, zero
    0x0202A583,  # lw    a1, 32(t0)        # a1 = device tree
    0x01C2A283,  # lw    t0, 28(t0)        # entry of the first program
    0x00028067,  # jalr  zero, 0(t0)
    0x00000013,  # addi  zero, zero, 0
)
_LAYOUT = struct.Struct(f"<{len(_CODE)}I II 6I")
_DTB_OFFSET = 0x100

DTB_ADDRESS = BOOT_ROM.base + _DTB_OFFSET
DTB_LIMIT = BOOT_ROM.size - _DTB_OFFSET


def boot_rom(
    entry: int, device_tree: int, *, next_address: int = 0, options: int = 0, blob: bytes = b"", boot_hart: int = 0
) -> bytes:
    """The ROM's content from its base on.

    It sets ``a0`` to the hart's number, ``a1`` to ``device_tree`` and ``a2`` to ``struct fw_dynamic_info``, and jumps
    to ``entry`` in M-mode.

    Parameters
    ----------
    entry : int
        Physical address of the first program: firmware, or a bare-metal program.
    device_tree : int
        Physical address of the flattened device tree, 0 for none.
    next_address : int
        Where OpenSBI's ``fw_dynamic`` continues in S-mode.
    options : int
        ``fw_dynamic_info.options``; :data:`OPTION_NO_BOOT_PRINTS` silences OpenSBI.
    blob : bytes
        A device tree to keep in the ROM, at :data:`DTB_ADDRESS`; at most :data:`DTB_LIMIT` bytes.
    boot_hart : int
        Hart that ``fw_dynamic`` boots on.
    """
    if len(blob) > DTB_LIMIT:
        raise ValueError(f"a device tree of {len(blob)} bytes does not fit into the boot ROM ({DTB_LIMIT})")
    info = (FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, next_address, NEXT_MODE_S, options, boot_hart)
    code = _LAYOUT.pack(*_CODE, entry, device_tree, *info)
    return code + bytes(_DTB_OFFSET - len(code)) + blob if blob else code
