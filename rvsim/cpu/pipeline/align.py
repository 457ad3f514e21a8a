"""Bytes to lanes and back: loads and stores of any size at any address, over one or two words of memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LoadAlign", "Size", "StoreAlign"]


class Size(enum.Enum, shape=2):
    """Bytes of an access as a power of two, as in the low bits of ``funct3``."""

    BYTE = 0
    HALF = 1
    WORD = 2


class StoreAlign(wiring.Component):
    """The words and lanes that an access touches, and a store's bytes in their lanes; combinational.

    An access whose last bytes lie in the following word needs two requests, the second one at the next word address.

    Members
    -------
    offset : ``In(2)``
        Address of the access within its first word.
    size : ``In(Size)``
        How many bytes.
    value : ``In(32)``
        What to store, in the low bytes.
    crosses : ``Out(1)``
        The access needs the following word, too.
    first_sel, second_sel : ``Out(4)``
        Bytes of the first and of the following word.
    data : ``Out(32)``
        What to write: the same for both words, since each byte has its own lane.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "offset": In(2),
                "size": In(Size),
                "value": In(32),
                "crosses": Out(1),
                "first_sel": Out(4),
                "second_sel": Out(4),
                "data": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The bytes are rotated, the mask is shifted."""
        m = Module()
        lanes, mask = Signal(8), Signal(4)
        with m.Switch(self.size):
            with m.Case(Size.BYTE):
                m.d.comb += mask.eq(0b0001)
            with m.Case(Size.HALF):
                m.d.comb += [mask.eq(0b0011), self.crosses.eq(self.offset == 3)]
            with m.Default():
                m.d.comb += [mask.eq(0b1111), self.crosses.eq(self.offset != 0)]
        m.d.comb += [
            lanes.eq(mask << self.offset),
            self.first_sel.eq(lanes[:4]),
            self.second_sel.eq(lanes[4:]),
        ]
        with m.Switch(self.offset):
            for offset in range(4):
                with m.Case(offset):
                    m.d.comb += self.data.eq(self.value.rotate_left(8 * offset))
        return m


class LoadAlign(wiring.Component):
    """A load's value from the word or words that hold it; combinational.

    Members
    -------
    offset : ``In(2)``
        Address of the load within its first word.
    size : ``In(Size)``
        How many bytes.
    signed : ``In(1)``
        Extend the sign, else zeros.
    first, second : ``In(32)``
        The word at the address and, if the access crosses its end, the following one; else anything.
    value : ``Out(32)``
        What the load writes to ``rd``.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "offset": In(2),
                "size": In(Size),
                "signed": In(1),
                "first": In(32),
                "second": In(32),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift, then extend."""
        m = Module()
        bytes_ = Signal(32)
        m.d.comb += bytes_.eq(Cat(self.first, self.second) >> Cat(Const(0, 3), self.offset))
        with m.Switch(self.size):
            for size, width in ((Size.BYTE, 8), (Size.HALF, 16)):
                with m.Case(size):
                    sign = bytes_[width - 1] & self.signed
                    m.d.comb += self.value.eq(Cat(bytes_[:width], sign.replicate(32 - width)))
            with m.Default():
                m.d.comb += self.value.eq(bytes_)
        return m
