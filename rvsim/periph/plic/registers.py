"""Registers of the platform-level interrupt controller (RISC-V PLIC specification 1.0.0, memory map)."""

from __future__ import annotations

from rvsim.regs.map import Field, Register, RegisterMap, State

SIZE = 0x60_0000
SOURCES = 96
PRIORITY_BITS = 3
MAX_SOURCES = 1024
# The specification has room for 15872 contexts; this window of address space, for so many.
MAX_CONTEXTS = (SIZE - 0x20_0000) // 0x1000


def plic_map(contexts: int = 2, sources: int = SOURCES) -> RegisterMap:
    """The map for so many contexts, and for ``sources`` interrupt numbers, of which 0 means "none".

    Raises
    ------
    ValueError
        A number is out of range.
    """
    if type(contexts) is not int or not 1 <= contexts <= MAX_CONTEXTS:
        raise ValueError(f"PLIC: contexts must be an integer from 1 to {MAX_CONTEXTS}, not {contexts!r}")
    if type(sources) is not int or not 2 <= sources <= MAX_SOURCES:
        raise ValueError(f"PLIC: sources must be an integer from 2 to {MAX_SOURCES}, not {sources!r}")
    width = -(-sources // 32) * 32
    return RegisterMap(
        name="plic",
        size=SIZE,
        sizes=(4,),
        description="Platform-level interrupt controller with level-triggered gateways.",
        registers=(
            Register(
                name="priority",
                offset=4,
                count=sources - 1,
                on_write="update",
                fields=(Field(name="level", bit=0, width=PRIORITY_BITS, description="0 never interrupts"),),
                description="priority of sources 1, 2, …: index 0 is source 1",
            ),
            Register(
                name="pending",
                offset=0x1000,
                width=width,
                fields=(
                    Field(
                        name="sources",
                        bit=1,
                        width=sources - 1,
                        access="ro",
                        hardware="rw",
                        description="bit n: source n waits to be claimed",
                    ),
                ),
                description="pending interrupts; a claim clears them",
            ),
            Register(
                name="enable",
                offset=0x2000,
                width=width,
                count=contexts,
                stride=0x80,
                on_write="update_context",
                fields=(
                    Field(
                        name="sources",
                        bit=1,
                        width=sources - 1,
                        description="bit n: source n may interrupt this context",
                    ),
                ),
                description="enabled sources, per context",
            ),
            Register(
                name="threshold",
                offset=0x20_0000,
                count=contexts,
                stride=0x1000,
                on_write="update_context",
                fields=(
                    Field(name="level", bit=0, width=PRIORITY_BITS, description="only higher priorities interrupt"),
                ),
                description="priority threshold, per context",
            ),
            Register(
                name="claim",
                offset=0x20_0004,
                count=contexts,
                stride=0x1000,
                hardware="w",
                on_read="claim_interrupt",
                on_write="complete_interrupt",
                description="a read claims the best pending enabled source (0: none), whatever the threshold; "
                "a write of its number completes it",
            ),
        ),
        state=(
            State(name="level", width=sources, description="input lines, one bit per source"),
            State(name="claimed", width=sources, description="sources claimed and not completed"),
        ),
    )
