"""The translation look-aside buffer: translations of Sv32 that are remembered."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rvsim.cpu.pipeline.pmp import Access
from rvsim.isa.protection import LEVEL_BITS, PTE_A, PTE_D, PTE_G, PTE_PPN_LOW, PTE_R, PTE_U, PTE_W, PTE_X
from rvsim.isa.traps import Privilege

__all__ = ["FillPort", "FlushPort", "Tlb", "permits"]


def permits(pte: Value, kind: Value, privilege: Value, sum_: Value, mxr: Value) -> Value:
    """Whether a leaf permits an access (section 4.3.1), with A and D as Svade has them.

    Parameters
    ----------
    pte
        Page-table entry, or its low byte.
    kind
        An :class:`~rvsim.cpu.pipeline.pmp.Access`.
    privilege
        Mode of the access: S or U.
    sum_, mxr
        Bits of ``mstatus``.
    """
    bit = lambda mask: (pte & mask).any()  # noqa: E731
    execute = kind == Access.EXECUTE
    mode = Mux(privilege == Privilege.U, bit(PTE_U), ~bit(PTE_U) | (sum_ & ~execute))
    readable = bit(PTE_R) | (mxr & bit(PTE_X))
    right = Mux(execute, bit(PTE_X), Mux(kind == Access.WRITE, bit(PTE_W) & bit(PTE_D), readable))
    return mode & right & bit(PTE_A)


class FillPort(wiring.Signature):
    """A translation to be remembered.

    Members
    -------
    valid : ``Out(1)``
        There is one.
    vpn, asid : ``Out(20)``, ``Out(asid_bits)``
        Page that was looked for, and its address space.
    pte : ``Out(32)``
        The leaf.
    superpage : ``Out(1)``
        It is one of 4 MiB.
    """

    def __init__(self, asid_bits: int) -> None:
        super().__init__({"valid": Out(1), "vpn": Out(20), "asid": Out(asid_bits), "pte": Out(32), "superpage": Out(1)})


class FlushPort(wiring.Signature):
    """What ``sfence.vma`` and ``sinval.vma`` say (section 4.2.1).

    Members
    -------
    valid : ``Out(1)``
        Forget now.
    by_page, by_asid : ``Out(1)``
        Only what translates ``vpn`` (``rs1`` is not ``x0``); only what is of ``asid`` and not global (``rs2`` is
        not ``x0``).
    vpn, asid : ``Out(20)``, ``Out(asid_bits)``
        Page and address space.
    """

    def __init__(self, asid_bits: int) -> None:
        super().__init__(
            {"valid": Out(1), "by_page": Out(1), "by_asid": Out(1), "vpn": Out(20), "asid": Out(asid_bits)}
        )


class _Entry:
    """A translation: what it is found by, which bits of that count, what it yields."""

    def __init__(self, number: int, key: data.Layout, leaf: data.Layout) -> None:
        self.key, self.care = Signal(key, name=f"key{number}"), Signal(key, name=f"care{number}")
        self.leaf = Signal(leaf, name=f"leaf{number}")


class Tlb(wiring.Component):
    """A few translations, each for any page or superpage; the oldest goes first.

    A look-up hits only what permits the access. Everything else is a miss, that the walker has to look into: so
    permissions that grow need no fence, and page faults come from one place. What a fill contradicts is replaced by it.

    Parameters
    ----------
    entries : int
        How many.
    asid_bits : int
        Width of an address-space identifier.

    Members
    -------
    enable : ``In(1)``
        Look up; without it there is no hit, and no work for a simulator.
    vpn, asid : ``In(20)``, ``In(asid_bits)``
        Page to be accessed, current address space.
    kind, privilege, sum, mxr : ``In(Access)``, ``In(Privilege)``, ``In(1)``, ``In(1)``
        The access, as in :func:`permits`.
    hit : ``Out(1)``
        The access is permitted and goes to ``ppn``; combinational.
    ppn : ``Out(22)``
        Physical page, in superpages too; combinational.
    open : ``Out(1)``
        With ``hit``: PMP permits every access to the page, as it was told with the translation.
    fill : ``In(FillPort(asid_bits))``
        A translation that hits from the next cycle on.
    fill_open : ``In(1)``
        With it: ``PmpPage.open``. A change of PMP makes it untrue: flush.
    flush : ``In(FlushPort(asid_bits))``
        What does not hit from the next cycle on. A fill in the same cycle is dropped.

    Raises
    ------
    ValueError
        Less than one entry.
    """

    def __init__(self, *, entries: int = 8, asid_bits: int = 9) -> None:
        if entries < 1:
            raise ValueError(f"a TLB has entries, not {entries}")
        self._entries = entries
        #: What a look-up is compared with. A superpage does not care for the lower half of ``vpn``, a global page not
        #: for the ASID: ``care`` has those bits clear. Flip-flops that are always equal become one in synthesis.
        self._key = data.StructLayout({"vpn": 20, "asid": asid_bits, "valid": 1})
        self._leaf = data.StructLayout({"flags": 8, "ppn": 22, "superpage": 1, "open": 1})
        super().__init__(
            {
                "enable": In(1),
                "vpn": In(20),
                "asid": In(asid_bits),
                "kind": In(Access),
                "privilege": In(Privilege),
                "sum": In(1),
                "mxr": In(1),
                "hit": Out(1),
                "ppn": Out(22),
                "open": Out(1),
                "fill": In(FillPort(asid_bits)),
                "fill_open": In(1),
                "flush": In(FlushPort(asid_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A content-addressed memory, first match first."""
        m = Module()
        entries = [_Entry(number, self._key, self._leaf) for number in range(self._entries)]
        self._look_up(m, entries)
        with m.If(self.flush.valid):
            for entry in entries:
                with m.If(self._covered(entry)):
                    m.d.sync += entry.key.valid.eq(0)
        with m.Elif(self.fill.valid):
            self._remember(m, entries)
        return m

    def _look_up(self, m: Module, entries: list[_Entry]) -> None:
        leaf = Signal(self._leaf)
        with m.If(self.enable):
            for number, entry in enumerate(entries):
                matches = self._matches(entry, self.vpn, self.asid)
                with m.If(matches) if number == 0 else m.Elif(matches):
                    m.d.comb += leaf.eq(entry.leaf)
            # An empty entry, all zeros, permits nothing.
            m.d.comb += self.hit.eq(permits(leaf.flags, self.kind, self.privilege, self.sum, self.mxr))
        low = Mux(leaf.superpage, self.vpn[:LEVEL_BITS], leaf.ppn[:LEVEL_BITS])
        m.d.comb += [self.ppn.eq(Cat(low, leaf.ppn[LEVEL_BITS:])), self.open.eq(leaf.open)]

    def _matches(self, entry: _Entry, vpn: Value, asid: Value) -> Value:
        wanted = Cat(vpn, asid, Const(1, 1))
        return ((wanted ^ entry.key.as_value()) & entry.care.as_value()) == 0

    def _covered(self, entry: _Entry) -> Value:
        flush = self.flush
        page = ((flush.vpn ^ entry.key.vpn) & entry.care.vpn) == 0
        space = (flush.asid == entry.key.asid) & entry.care.asid.any()
        return (page | ~flush.by_page) & (space | ~flush.by_asid)

    def _remember(self, m: Module, entries: list[_Entry]) -> None:
        """In the place of what a look-up would find, or of the oldest."""
        fill, place, known = self.fill, Signal(range(self._entries)), Signal()
        oldest = Signal(range(self._entries))
        m.d.comb += [known.eq(1), place.eq(oldest)]
        for number, entry in enumerate(entries):
            matches = self._matches(entry, fill.vpn, fill.asid)
            with m.If(matches) if number == 0 else m.Elif(matches):
                m.d.comb += place.eq(number)
        with m.Else():
            m.d.comb += known.eq(0)
        with m.If(~known):
            m.d.sync += oldest.eq(Mux(oldest == self._entries - 1, 0, oldest + 1))
        upper_bits = 20 - LEVEL_BITS
        cares = Cat(
            (~fill.superpage).replicate(LEVEL_BITS),
            Const(-1, upper_bits),
            (~(fill.pte & PTE_G).any()).replicate(len(fill.asid)),
            Const(1, 1),
        )
        with m.Switch(place):
            for number, entry in enumerate(entries):
                with m.Case(number):
                    m.d.sync += [
                        entry.key.eq(Cat(fill.vpn, fill.asid, Const(1, 1))),
                        entry.care.eq(cares),
                        entry.leaf.flags.eq(fill.pte),
                        entry.leaf.ppn.eq(fill.pte[PTE_PPN_LOW:]),
                        entry.leaf.superpage.eq(fill.superpage),
                        entry.leaf.open.eq(self.fill_open),
                    ]
