"""Wishbone B4, members and names as in amaranth-soc, so that cores for either can be joined."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BurstTypeExt", "CycleType", "Feature", "Interface", "Signature"]

_WIDTHS = (8, 16, 32, 64)


class CycleType(enum.Enum, shape=3):
    """Cycle type identifier (Wishbone B4, table 4-2)."""

    CLASSIC = 0b000
    CONST_BURST = 0b001
    INCR_BURST = 0b010
    END_OF_BURST = 0b111


class BurstTypeExt(enum.Enum, shape=2):
    """Burst type extension (Wishbone B4, table 4-3)."""

    LINEAR = 0b00
    WRAP_4 = 0b01
    WRAP_8 = 0b10
    WRAP_16 = 0b11


class Feature(enum.Enum):
    """Optional signals of a Wishbone interface."""

    ERR = "err"
    RTY = "rty"
    STALL = "stall"
    LOCK = "lock"
    CTI = "cti"
    BTE = "bte"


_OPTIONAL = {
    Feature.ERR: In(1),
    Feature.RTY: In(1),
    Feature.STALL: In(1),
    Feature.LOCK: Out(1),
    Feature.CTI: Out(CycleType),
    Feature.BTE: Out(BurstTypeExt),
}


class Signature(wiring.Signature):
    """Signature of a Wishbone bus, from the initiator's point of view.

    Parameters
    ----------
    addr_width : int
        Width of the address, which counts units of ``data_width``.
    data_width : 8, 16, 32 or 64
        Width of the data in bits.
    granularity : 8, 16, 32, 64 or None
        Bits that one select signal stands for; None: ``data_width``.
    features : iterable of :class:`Feature`
        Optional signals; their values as strings do as well.

    Members
    -------
    adr : ``Out(addr_width)``
        Address.
    dat_w : ``Out(data_width)``
        Data to the target.
    dat_r : ``In(data_width)``
        Data from the target, valid with ``ack``.
    sel : ``Out(data_width // granularity)``
        Which parts of the data take part.
    cyc : ``Out(1)``
        A bus cycle is in progress.
    stb : ``Out(1)``
        A request is made.
    we : ``Out(1)``
        It is a write.
    ack : ``In(1)``
        The request is answered.
    err : ``In(1)``, with ``Feature.ERR``
        It is answered with an error, instead of ``ack``.
    rty : ``In(1)``, with ``Feature.RTY``
        It has to be made again, instead of ``ack``.
    stall : ``In(1)``, with ``Feature.STALL``
        Pipelined mode: the request is not accepted in this cycle.
    lock : ``Out(1)``, with ``Feature.LOCK``
        Keep the arbiter from another initiator.
    cti : ``Out(CycleType)``, with ``Feature.CTI``
        Cycle type.
    bte : ``Out(BurstTypeExt)``, with ``Feature.BTE``
        Burst type.

    Raises
    ------
    TypeError
        ``addr_width`` is not a non-negative integer.
    ValueError
        A width or a feature is not one of those above, or ``granularity`` exceeds ``data_width``.
    """

    def __init__(
        self,
        *,
        addr_width: int,
        data_width: int,
        granularity: int | None = None,
        features: Iterable[Feature | str] = frozenset(),
    ) -> None:
        if granularity is None:
            granularity = data_width
        if type(addr_width) is not int or addr_width < 0:
            raise TypeError(f"Address width must be a non-negative integer, not {addr_width!r}")
        if data_width not in _WIDTHS:
            raise ValueError(f"Data width must be one of 8, 16, 32, 64, not {data_width!r}")
        if granularity not in _WIDTHS:
            raise ValueError(f"Granularity must be one of 8, 16, 32, 64, not {granularity!r}")
        if granularity > data_width:
            raise ValueError(f"Granularity {granularity} may not exceed data width {data_width}")
        self._addr_width = addr_width
        self._data_width = data_width
        self._granularity = granularity
        self._features = frozenset(map(Feature, features))
        super().__init__(
            {
                "adr": Out(addr_width),
                "dat_w": Out(data_width),
                "dat_r": In(data_width),
                "sel": Out(data_width // granularity),
                "cyc": Out(1),
                "stb": Out(1),
                "we": Out(1),
                "ack": In(1),
                **{feature.value: member for feature, member in _OPTIONAL.items() if feature in self._features},
            }
        )

    @property
    def addr_width(self) -> int:
        """Width of ``adr`` in bits."""
        return self._addr_width

    @property
    def data_width(self) -> int:
        """Width of ``dat_r`` and ``dat_w`` in bits."""
        return self._data_width

    @property
    def granularity(self) -> int:
        """Bits that one bit of ``sel`` stands for."""
        return self._granularity

    @property
    def features(self) -> frozenset[Feature]:
        """Optional signals that it has."""
        return self._features

    def create(self, *, path: Iterable[str | int] | None = None, src_loc_at: int = 0) -> Interface:
        """An :class:`Interface` of this signature."""
        return Interface(self, path=path, src_loc_at=1 + src_loc_at)

    def _parameters(self) -> tuple:
        return self._addr_width, self._data_width, self._granularity, self._features

    def __eq__(self, other: object) -> bool:
        return type(other) is Signature and self._parameters() == other._parameters()

    __hash__ = None

    def __repr__(self) -> str:
        optional = sorted(feature.value for feature in self._features)
        return (
            f"wishbone.Signature(addr_width={self._addr_width}, data_width={self._data_width}, "
            f"granularity={self._granularity}, features={optional})"
        )


class Interface(wiring.PureInterface):
    """A Wishbone bus: signals as the members of :class:`Signature`."""

    @property
    def addr_width(self) -> int:
        """Width of ``adr`` in bits."""
        return self.signature.addr_width

    @property
    def data_width(self) -> int:
        """Width of ``dat_r`` and ``dat_w`` in bits."""
        return self.signature.data_width

    @property
    def granularity(self) -> int:
        """Bits that one bit of ``sel`` stands for."""
        return self.signature.granularity

    @property
    def features(self) -> frozenset[Feature]:
        """Optional signals that it has."""
        return self.signature.features
