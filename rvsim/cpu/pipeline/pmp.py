"""Physical memory protection: the regions that the registers describe, and a check of an access against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from rvsim.isa.protection import LEVEL_BITS, PMP_A, PMP_L, PMP_NA4, PMP_NAPOT, PMP_OFF, PMP_R, PMP_TOR, PMP_W, PMP_X
from rvsim.isa.traps import Privilege

__all__ = ["REGION", "Access", "Pmp", "PmpPage", "PmpRegions"]


class Access(enum.Enum, shape=2):
    """Kind of an access: which permission it needs."""

    READ = 0
    WRITE = 1
    EXECUTE = 2


#: What an entry covers and permits. It is ``active`` if it covers anything; ``first`` and ``last`` count words, in a
#: physical address space of 34 bits.
REGION = data.StructLayout({"active": 1, "first": 32, "last": 32, "locked": 1, "read": 1, "write": 1, "execute": 1})


class PmpRegions(wiring.Component):
    """Decodes the PMP registers once, for all units that check accesses (section 3.7.1).

    Parameters
    ----------
    entries : int
        Number of entries, 0 to 16.

    Members
    -------
    cfg : ``In(8).array(entries)``, addr : ``In(32).array(entries)``
        The registers ``pmpcfg`` (a byte each) and ``pmpaddr``.
    update : ``In(1)``
        They have changed. The regions follow in the next cycle; without it they stay as they are, which are none
        after reset.
    regions : ``Out(REGION).array(entries)``
        What each entry covers and permits.
    any_active : ``Out(1)``
        There is an active region.
    """

    def __init__(self, *, entries: int = 16) -> None:
        _check(entries)
        super().__init__(
            {
                "cfg": In(8).array(entries),
                "addr": In(32).array(entries),
                "update": In(1),
                "regions": Out(REGION).array(entries),
                "any_active": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Each entry becomes a range of words."""
        m = Module()
        active: list[Signal] = []
        previous: Value | int = 0
        for number, (cfg, addr, region) in enumerate(zip(self.cfg, self.addr, self.regions)):
            covers, first, last = Signal(name=f"covers{number}"), Signal(32, name=f"first{number}"), Signal(32)
            ones = Signal(32, name=f"ones{number}")
            m.d.comb += [first.eq(addr), last.eq(addr), ones.eq(addr ^ (addr + 1))]
            with m.Switch(cfg & PMP_A):
                with m.Case(PMP_OFF):
                    pass
                with m.Case(PMP_TOR):
                    m.d.comb += [first.eq(previous), last.eq(addr - 1), covers.eq(previous < addr)]
                with m.Case(PMP_NA4):
                    m.d.comb += covers.eq(1)
                with m.Case(PMP_NAPOT):  # the trailing ones and the zero above them count words
                    m.d.comb += [first.eq(addr & ~ones), last.eq(addr | ones), covers.eq(1)]
            with m.If(self.update):
                m.d.sync += [
                    region.active.eq(covers),
                    region.first.eq(first),
                    region.last.eq(last),
                    region.locked.eq((cfg & PMP_L).any()),
                    region.read.eq((cfg & PMP_R).any()),
                    region.write.eq((cfg & PMP_W).any()),
                    region.execute.eq((cfg & PMP_X).any()),
                ]
            active.append(covers)
            previous = addr
        with m.If(self.update):
            m.d.sync += self.any_active.eq(sum(active) != 0 if active else 0)
        return m


class Pmp(wiring.Component):
    """Whether an access is permitted (section 3.7.1); combinational.

    The lowest-numbered region that holds any byte of the access decides. It has to hold all of them; then locked
    regions bind every mode, others S and U. Where there is no such region, M-mode may do anything, and the others
    nothing if there are entries at all.

    Parameters
    ----------
    entries : int
        Number of entries, 0 to 16.

    Members
    -------
    regions : ``In(REGION).array(entries)``, any_active : ``In(1)``
        From :class:`PmpRegions`. Without ``any_active`` no region is looked at.
    privilege : ``In(Privilege)``
        Mode that accesses.
    kind : ``In(Access)``
        What it does.
    address : ``In(34)``
        First byte.
    size : ``In(3)``
        Bytes, 1 to 4.
    allowed : ``Out(1)``
        The answer.

    Raises
    ------
    ValueError
        Another number of entries.
    """

    def __init__(self, *, entries: int = 16) -> None:
        _check(entries)
        self._entries = entries
        super().__init__(
            {
                "regions": In(REGION).array(entries),
                "any_active": In(1),
                "privilege": In(Privilege),
                "kind": In(Access),
                "address": In(34),
                "size": In(3),
                "allowed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The first region that touches the access has to hold it, and permit it."""
        m = Module()
        first, last, machine = Signal(32), Signal(32), Signal()
        m.d.comb += [
            first.eq(self.address[2:]),
            last.eq((self.address + self.size - 1)[2:34]),
            machine.eq(self.privilege == Privilege.M),
            self.allowed.eq(machine if self._entries else 1),
        ]
        with m.If(self.any_active):
            for region, whole in _deciding(m, self.regions, first, last):
                permits = Mux(
                    self.kind == Access.READ,
                    region.read,
                    Mux(self.kind == Access.WRITE, region.write, region.execute),
                )
                m.d.comb += self.allowed.eq(whole & (permits | (machine & ~region.locked)))
        return m


class PmpPage(wiring.Component):
    """Whether a whole page is open to S and U, so that nobody has to ask about each access; combinational.

    Where it is not, single accesses still may be permitted, which :class:`Pmp` says.

    Parameters
    ----------
    entries : int
        Number of entries, 0 to 16.

    Members
    -------
    regions : ``In(REGION).array(entries)``, any_active : ``In(1)``
        From :class:`PmpRegions`.
    enable : ``In(1)``
        Look; without it the page is not open.
    ppn : ``In(22)``, superpage : ``In(1)``
        The page; the lower half of a superpage's number is zero.
    open : ``Out(1)``
        All of it may be read, written and executed.

    Raises
    ------
    ValueError
        Another number of entries.
    """

    def __init__(self, *, entries: int = 16) -> None:
        _check(entries)
        self._entries = entries
        super().__init__(
            {
                "regions": In(REGION).array(entries),
                "any_active": In(1),
                "enable": In(1),
                "ppn": In(22),
                "superpage": In(1),
                "open": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The first region that touches it has to hold it, and permit everything."""
        m = Module()
        if not self._entries:
            m.d.comb += self.open.eq(self.enable)
        first, last = Signal(32), Signal(32)
        m.d.comb += [
            first.eq(Cat(Const(0, LEVEL_BITS), self.ppn)),
            last.eq(first | Cat(Const(-1, LEVEL_BITS), self.superpage.replicate(LEVEL_BITS))),
        ]
        with m.If(self.enable & self.any_active):
            for region, whole in _deciding(m, self.regions, first, last):
                m.d.comb += self.open.eq(whole & region.read & region.write & region.execute)
        return m


def _deciding(m: Module, regions: Sequence[data.View], first: Value, last: Value) -> Iterator[tuple[data.View, Value]]:
    """Each region, under the condition that it is the one that decides on some words; whether it holds all of them.

    One region after the other: simulators, unlike gates, stop at the first that decides.
    """
    for number, region in enumerate(regions):
        touches = region.active & (region.first <= last) & (first <= region.last)
        with m.If(touches) if number == 0 else m.Elif(touches):
            yield region, (region.first <= first) & (last <= region.last)


def _check(entries: int) -> None:
    if not 0 <= entries <= 16:
        raise ValueError(f"there are 0 to 16 PMP entries, not {entries}")
