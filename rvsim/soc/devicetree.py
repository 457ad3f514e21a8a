"""The device tree: generated from the SoC description, each device supplying its own node.

A warm start takes the finished blob from the user's cache, since making it loads all devices and the ``fdt`` package.
The entry is keyed by everything it depends on, the sources of the devices included; only the seed is put in at every
start.
"""

from __future__ import annotations

import os
import zlib

from rvsim.cachedir import cache_directory
from rvsim.isa.interrupts import MEI, SEI
from rvsim.soc.description import CLINT, FINISHER, PERIPHERALS, PLIC, RAM_BASE, RTC, UART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rvsim.regs.node import Node
    from rvsim.soc.config import SocConfig

SEED_SIZE = 32
"""Bytes of ``rng-seed``."""

# Stands for the seed in a cached blob, and can be found there.
_SEED_MARK = b"rvsim: thirty-two bytes of seed."

_CPU_INTC, _PLIC, _FINISHER = 1, 2, 3


def soc_tree(
    config: SocConfig,
    *,
    bootargs: str = "",
    initrd: tuple[int, int] | None = None,
    seed: bytes = b"",
    devices: Sequence[Node] = (),
) -> Node:
    """The machine's device tree.

    Parameters
    ----------
    config : SocConfig
        The machine.
    bootargs : str
        The kernel's command line; empty: none.
    initrd : tuple[int, int]
        Physical address of the initial RAM disk and of the first byte behind it.
    seed : bytes
        ``rng-seed``; empty: none.
    devices : Sequence[Node]
        Nodes of devices that were added to the machine.

    Raises
    ------
    ValueError
        The command line holds a NUL.
    """
    # Every device supplies its own node; they are imported here because a cached tree needs none of them.
    from rvsim.periph.clint.twin import device_tree_node as clint_node
    from rvsim.periph.finisher.twin import device_tree_node as finisher_node
    from rvsim.periph.finisher.twin import syscon_nodes
    from rvsim.periph.plic.twin import device_tree_node as plic_node
    from rvsim.periph.rtc.twin import device_tree_node as rtc_node
    from rvsim.periph.uart.twin import device_tree_node as uart_node
    from rvsim.regs.node import Node, reg

    uart = uart_node(UART.base, UART.size, interrupt=UART.interrupt, interrupt_parent=_PLIC)
    chosen: dict[str, object] = {"stdout-path": f"/soc/{uart.name}"}
    if seed:
        chosen["rng-seed"] = seed
    if bootargs:
        if "\0" in bootargs:
            raise ValueError("the kernel's command line holds a NUL character")
        chosen["bootargs"] = bootargs.encode() + b"\0"
    if initrd is not None:
        chosen["linux,initrd-start"], chosen["linux,initrd-end"] = initrd
    targets = [(_CPU_INTC, MEI), (_CPU_INTC, SEI)]
    return Node(
        "",
        {"#address-cells": 2, "#size-cells": 2, "compatible": "riscv-virtio", "model": "rvsim,virt"},
        [
            Node("chosen", chosen),
            Node(f"memory@{RAM_BASE:x}", {"device_type": "memory", "reg": reg(RAM_BASE, config.memory)}),
            _cpus(config),
            *syscon_nodes(_FINISHER),
            Node(
                "soc",
                {"#address-cells": 2, "#size-cells": 2, "compatible": "simple-bus", "ranges": None},
                [
                    finisher_node(FINISHER.base, FINISHER.size, phandle=_FINISHER),
                    rtc_node(RTC.base, RTC.size, interrupt=RTC.interrupt, interrupt_parent=_PLIC),
                    clint_node(CLINT.base, CLINT.size, hart_controllers=[_CPU_INTC]),
                    plic_node(PLIC.base, PLIC.size, phandle=_PLIC, targets=targets),
                    uart,
                    *devices,
                ],
            ),
        ],
    )


def _cpus(config: SocConfig) -> Node:
    from rvsim.regs.node import Node

    controller = Node(
        "interrupt-controller",
        {
            "#interrupt-cells": 1,
            "interrupt-controller": None,
            "compatible": "riscv,cpu-intc",
            "phandle": _CPU_INTC,
        },
    )
    cpu = {
        "device_type": "cpu",
        "reg": 0,
        "status": "okay",
        "compatible": "riscv",
        "riscv,isa": config.isa.isa_string,
        "mmu-type": "riscv,sv32",
    }
    properties = {"#address-cells": 1, "#size-cells": 0, "timebase-frequency": config.timebase}
    return Node("cpus", properties, [Node("cpu@0", cpu, [controller])])


def flatten(tree: Node) -> bytes:
    """The flattened tree, version 17 (Devicetree Specification 0.4, chapter 5)."""
    import fdt

    # Its default for the memory reservations is one list that all trees share.
    blob = fdt.FDT(entries=[])
    blob.header.version = 17
    blob.header.last_comp_version = 16
    blob.header.boot_cpuid_phys = 0
    blob.root = _convert(fdt, tree)
    return blob.to_dtb()


def _convert(fdt: object, node: Node) -> object:
    converted = fdt.Node(node.name or "/")
    for name, value in node.properties.items():
        if value is None:
            item = fdt.Property(name)
        elif isinstance(value, bytes):
            item = fdt.PropBytes(name, data=value)
        elif isinstance(value, str):
            item = fdt.PropStrings(name, value)
        elif isinstance(value, int):
            item = fdt.PropWords(name, value)
        elif value and isinstance(value[0], str):
            item = fdt.PropStrings(name, *value)
        else:
            item = fdt.PropWords(name, *value)
        converted.append(item)
    for child in node.children:
        converted.append(_convert(fdt, child))
    return converted


def soc_blob(
    config: SocConfig,
    *,
    bootargs: str = "",
    initrd: tuple[int, int] | None = None,
    seed: bytes = b"",
    devices: Sequence[Node] = (),
) -> bytes:
    """The flattened :func:`soc_tree`, from the cache where it is there."""
    if seed and len(seed) != SEED_SIZE:
        raise ValueError(f"the seed must have {SEED_SIZE} bytes, not {len(seed)}")
    mark = _SEED_MARK if seed else b""
    key = None if devices else _key(config, bootargs, initrd, bool(seed))
    blob = _recall(key) if key is not None else None
    if blob is None:
        blob = flatten(soc_tree(config, bootargs=bootargs, initrd=initrd, seed=mark, devices=devices))
        if key is not None:
            _remember(key, blob)
    if not seed:
        return blob
    at = blob.index(mark)
    return blob[:at] + seed + blob[at + SEED_SIZE :]


# -- the cache -----------------------------------------------------------------------------------------------------
# Direct-mapped: a file is called by eight bits of its key's checksum, so that the folder cannot grow for ever.
_SLOTS = 256


def _key(config: SocConfig, bootargs: str, initrd: tuple[int, int] | None, seeded: bool) -> bytes | None:
    here = os.path.dirname(os.path.abspath(__file__))
    room = os.path.dirname(here)
    sources = [os.path.join(here, name) for name in ("devicetree.py", "description.py", "config.py")]
    for block in PERIPHERALS:
        sources += [os.path.join(room, "periph", block.name, name) for name in ("twin.py", "registers.py")]
    sources += [os.path.join(room, "regs", "node.py"), os.path.join(room, "isa", "config.py")]
    words = [config.isa.isa_string, config.memory, config.timebase, bootargs, initrd, seeded]
    try:
        for source in sources:
            status = os.stat(source)
            words += [status.st_size, status.st_mtime_ns, status.st_ino]
    except OSError:
        return None
    return repr(words).encode()


def _slot(key: bytes) -> str:
    return os.path.join(cache_directory("devicetree"), f"{zlib.crc32(key) % _SLOTS:02x}")


def _recall(key: bytes) -> bytes | None:
    try:
        with open(_slot(key), "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return None
    if not content.startswith(key + b"\0"):
        return None
    blob = content[len(key) + 1 :]
    return blob if blob[:4] == b"\xd0\x0d\xfe\xed" and int.from_bytes(blob[4:8], "big") == len(blob) else None


def _remember(key: bytes, blob: bytes) -> None:
    """Write the entry, or go without: a cache that cannot be written only costs time."""
    path = _slot(key)
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(part, "wb") as file:
                file.write(key + b"\0" + blob)
            os.replace(part, path)
        except OSError:
            os.unlink(part)
    except OSError:
        return
