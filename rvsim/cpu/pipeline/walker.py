"""The page-table walker of Sv32."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rvsim.cpu.pipeline.pmp import Access
from rvsim.cpu.pipeline.tlb import FillPort, permits
from rvsim.isa.protection import LEVEL_BITS, PTE_A, PTE_D, PTE_PPN_LOW, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvsim.isa.traps import Privilege

__all__ = ["RESPONSE", "Walker"]

#: A word of memory, or that there is none.
RESPONSE = data.StructLayout({"data": 32, "error": 1})

#: Level of ``satp``, which points to the table of level 1.
_ROOT = 2


class Walker(wiring.Component):
    """Finds the translation of a page, or the reason why there is none (section 4.3.2).

    One walk at a time. A and D bits are as Svade has them: an access that would set them is a page fault. Entries are
    read through the port that stores go through, so that a walk sees every store before it.

    With memory that answers in the cycle after a request, the answer comes 5 cycles after ``start``, for a superpage 3.

    Parameters
    ----------
    asid_bits : int
        Width of an address-space identifier.

    Members
    -------
    start : ``In(1)``
        Walk; not seen while ``busy``. All inputs below count in this cycle only.
    vpn, asid : ``In(20)``, ``In(asid_bits)``
        Page to be translated, current address space.
    root : ``In(22)``
        ``satp.PPN``.
    kind, privilege, sum, mxr : ``In(Access)``, ``In(Privilege)``, ``In(1)``, ``In(1)``
        The access, as in :func:`~rvsim.cpu.pipeline.tlb.permits`.
    kill : ``In(1)``
        Abandon the walk: it is never ``done``. A fence has to, since what has been read is from before it. The unit
        stays ``busy`` for as long as an answer of the memory is outstanding. It overrides ``start``.
    busy : ``Out(1)``
        Started and not yet done, or abandoned and not yet quiet.
    done : ``Out(1)``
        For one cycle: the walk ends in exactly one of ``fill.valid``, ``page_fault``, ``access_fault``.
    page_fault, access_fault : ``Out(1)``
        With ``done``. An access fault is one of the walk itself: an entry where none may be.
    fill : ``Out(FillPort(asid_bits))``
        The translation.
    requests : ``Out(stream.Signature(unsigned(32)))``
        Words to be read: physical addresses of 34 bits without the lowest two. ``kill`` withdraws a request.
    allowed : ``In(1)``
        Whether ``requests.payload`` may be read: RAM, and open to a read of S-mode by PMP. Combinational; where it may
        not, there is no request, but an access fault.
    responses : ``In(stream.Signature(RESPONSE))``
        An answer to each request, in any later cycle; always ready.
    """

    def __init__(self, *, asid_bits: int = 9) -> None:
        super().__init__(
            {
                "start": In(1),
                "vpn": In(20),
                "asid": In(asid_bits),
                "root": In(22),
                "kind": In(Access),
                "privilege": In(Privilege),
                "sum": In(1),
                "mxr": In(1),
                "kill": In(1),
                "busy": Out(1),
                "done": Out(1),
                "page_fault": Out(1),
                "access_fault": Out(1),
                "fill": Out(FillPort(asid_bits)),
                "requests": Out(stream.Signature(unsigned(32))),
                "allowed": In(1),
                "responses": In(stream.Signature(RESPONSE)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """An entry is looked at, and if it points to another one, that is asked for; ``satp`` points to the first."""
        m = Module()
        self._waiting, self._level, self._pte, self._failed = Signal(), Signal(2), Signal(32), Signal()
        self._wanted = Signal(data.StructLayout({"kind": Access, "privilege": Privilege, "sum": 1, "mxr": 1}))
        m.d.comb += self.responses.ready.eq(1)
        with m.If(self.busy):
            with m.If(self._waiting):
                self._wait(m)
            with m.Elif(self.kill):
                m.d.sync += self.busy.eq(0)
            with m.Else():
                self._follow(m)
        with m.Elif(self.start & ~self.kill):
            m.d.sync += [
                self.busy.eq(1),
                self.fill.vpn.eq(self.vpn),
                self.fill.asid.eq(self.asid),
                self._wanted.kind.eq(self.kind),
                self._wanted.privilege.eq(self.privilege),
                self._wanted.sum.eq(self.sum),
                self._wanted.mxr.eq(self.mxr),
                self._pte.eq(Cat(Const(PTE_V, PTE_PPN_LOW), self.root)),
                self._level.eq(_ROOT),
                self._failed.eq(0),
            ]
        return m

    def _wait(self, m: Module) -> None:
        """For the answer, even if nobody wants it any more."""
        abandoned = Signal()
        with m.If(self.kill):
            m.d.sync += abandoned.eq(1)
        with m.If(self.responses.valid):
            m.d.sync += [
                self._waiting.eq(0),
                abandoned.eq(0),
                self.busy.eq(~(abandoned | self.kill)),
                self._level.eq(self._level - 1),
                self._pte.eq(self.responses.p.data),
                self._failed.eq(self.responses.p.error),
            ]

    def _follow(self, m: Module) -> None:
        """What the entry says: nothing good, a translation, or where to read on."""
        pte, wanted = self._pte, self._wanted
        bit = lambda mask: (pte & mask).any()  # noqa: E731
        superpage = self._level == 1
        index = Mux(superpage, self.fill.vpn[:LEVEL_BITS], self.fill.vpn[LEVEL_BITS:])
        m.d.comb += [
            self.fill.pte.eq(pte),
            self.fill.superpage.eq(superpage),
            self.requests.payload.eq(Cat(index, pte[PTE_PPN_LOW:])),
        ]
        with m.If(self._failed):
            m.d.comb += self.access_fault.eq(1)
        with m.Elif(~bit(PTE_V) | (bit(PTE_W) & ~bit(PTE_R))):
            m.d.comb += self.page_fault.eq(1)
        with m.Elif(bit(PTE_R | PTE_X)):
            aligned = ~superpage | (pte[PTE_PPN_LOW : PTE_PPN_LOW + LEVEL_BITS] == 0)
            permitted = permits(pte, wanted.kind, wanted.privilege, wanted.sum, wanted.mxr)
            with m.If(aligned & permitted):
                m.d.comb += self.fill.valid.eq(1)
            with m.Else():
                m.d.comb += self.page_fault.eq(1)
        with m.Elif(bit(PTE_A | PTE_D | PTE_U) | (self._level == 0)):
            m.d.comb += self.page_fault.eq(1)
        with m.Elif(~self.allowed):
            m.d.comb += self.access_fault.eq(1)
        with m.Else():
            m.d.comb += self.requests.valid.eq(1)
            with m.If(self.requests.ready):
                m.d.sync += self._waiting.eq(1)
        m.d.comb += self.done.eq(self.fill.valid | self.page_fault | self.access_fault)
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)
