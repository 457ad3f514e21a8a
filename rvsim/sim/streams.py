"""A design's streams at the host: rings that compiled code fills and drains, so that Python is entered seldom."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from amaranth.hdl import Const, DomainRenamer, Fragment, Module, Shape, ShapeCastable, Signal, unsigned
from amaranth.lib.memory import Memory

if TYPE_CHECKING:
    from .runner import Runner


class _Port:
    """What both directions share: a ring between two counters, of which the design moves one and the host the other.

    Parameters
    ----------
    interface
        The design's stream, an interface of :class:`amaranth.lib.stream.Signature`.
    domain
        The stream's clock domain.
    depth
        Items that the ring holds, rounded up to a power of two.

    Raises
    ------
    TypeError
        ``interface`` is no stream.
    ValueError
        ``depth`` is below 2.
    """

    def __init__(self, interface: object, *, domain: str = "sync", depth: int = 1024) -> None:
        if not all(hasattr(interface, member) for member in ("payload", "valid", "ready")):
            raise TypeError(f"{interface!r} is not a stream: it has to be of an amaranth.lib.stream.Signature")
        if depth < 2:
            raise ValueError(f"a ring holds at least 2 items, not {depth}")
        self.interface, self.domain = interface, domain
        self._bits = (depth - 1).bit_length()
        self._shape = interface.payload.shape()
        self._width = Shape.cast(self._shape).width
        #: Moved by the design, and by the host.
        self.inner, self.outer = (Signal(self._bits + 1, name=name) for name in ("inner", "outer"))
        #: Level at which the host is wanted, and whether it is.
        self.threshold, self.wanted = Signal(self._bits + 1, name="threshold"), Signal(name="wanted")
        self._bound: Runner | None = None

    @property
    def _run(self) -> Runner:
        if self._bound is None:
            raise RuntimeError("this end of a stream has no design yet: give it to Runner(design, ports=[...]) first")
        return self._bound

    def _ring(self) -> Memory:
        return Memory(shape=unsigned(self._width), depth=self.depth, init=[])

    @property
    def depth(self) -> int:
        """Items that the ring holds."""
        return 1 << self._bits

    def fragment(self) -> Fragment:
        """The hardware of this end, to be put beside the design."""
        return Fragment.get(DomainRenamer(self.domain)(self._elaborate()), None)

    def _elaborate(self) -> Module:
        raise NotImplementedError

    def _level(self) -> int:
        return (self._run[self.inner] - self._run[self.outer]) % (2 * self.depth)

    def bind(self, run: Runner, name: str) -> None:
        """The design is compiled: ``name`` is this end's in its hierarchy."""
        self._bound = run
        self._rows = run.memory(f"{name}.ring")

    def serve(self) -> None:
        """Do what is wanted."""
        raise NotImplementedError

    def _decode(self, raw: int) -> object:
        if isinstance(self._shape, ShapeCastable):
            return self._shape.from_bits(raw)
        if Shape.cast(self._shape).signed and self._width and raw >> (self._width - 1):
            return raw - (1 << self._width)
        return raw

    def _encode(self, value: object) -> int:
        fits = Const(value, self._shape) if isinstance(self._shape, ShapeCastable) else None
        raw = Const.cast(fits).value if fits is not None else operator.index(value)
        shape = Shape.cast(self._shape)
        low, high = (-(1 << self._width >> 1), 1 << self._width >> 1) if shape.signed else (0, 1 << self._width)
        if fits is None and not low <= raw < high:
            raise ValueError(f"{value!r} does not fit into the stream's payload, {shape!r}")
        return raw & ((1 << self._width) - 1)

    def _raw(self, row: int) -> int:
        """A row of the ring as a number."""
        if self._rows.ndim == 1:
            return int(self._rows[row])
        return sum(int(word) << (64 * n) for n, word in enumerate(self._rows[row]))


class Receiver(_Port):
    """Takes what a design's stream puts out: ``Runner(dut, ports=[Receiver(dut.tx)])``.

    With a ``callback`` Python is entered in the cycle after an item has arrived, and the callback is given a list of
    items; without one only when the ring is half full, and :meth:`read` gives all of them later.
    """

    def __init__(
        self,
        interface: object,
        *,
        callback: Callable[[list], None] | None = None,
        domain: str = "sync",
        depth: int = 1024,
    ) -> None:
        super().__init__(interface, domain=domain, depth=depth)
        #: Called with a list of items as soon as there are any.
        self.callback = callback
        self._kept: list[int] = []

    def _elaborate(self) -> Module:
        m = Module()
        m.submodules.ring = ring = self._ring()
        write, source, level = ring.write_port(), self.interface, Signal(self._bits + 1)
        m.d.comb += [
            level.eq(self.inner - self.outer),
            self.wanted.eq(level >= self.threshold),
            write.addr.eq(self.inner),
            write.data.eq(source.payload),
            write.en.eq(source.valid & source.ready),
        ]
        if isinstance(source.ready, Signal):
            m.d.comb += source.ready.eq(level != self.depth)
        with m.If(source.valid & source.ready):
            m.d.sync += self.inner.eq(self.inner + 1)
        return m

    def bind(self, run: Runner, name: str) -> None:
        """See :class:`_Port`."""
        super().bind(run, name)
        self.listen(self.callback)

    def listen(self, callback: Callable[[list], None] | None) -> None:
        """Be called with what arrives, from now on; ``None``: keep it for :meth:`read`."""
        if callback is not None and not callable(callback):
            raise TypeError(f"{callback!r} cannot be called with what arrives")
        self.callback = callback
        self._run[self.threshold] = 1 if callback else self.depth // 2

    def _drain(self) -> None:
        """Keep what is in the ring."""
        level, first = self._level(), self._run[self.outer]
        if not level:
            return
        rows = [(first + n) % self.depth for n in range(level)]
        items = self._rows[rows].tolist() if self._rows.ndim == 1 else [self._raw(row) for row in rows]
        self._run[self.outer] = (first + level) % (2 * self.depth)
        self._kept += items

    def _take(self) -> list[int]:
        items, self._kept = self._kept, []
        return items

    def serve(self) -> None:
        """Empty the ring; what a callback does not take, since it raises, stays for :meth:`read`."""
        self._drain()
        if self.callback is None or not self._kept:
            return
        items = self._take()  # before the callback, which may run the design
        try:
            self.callback([self._decode(raw) for raw in items])
        except BaseException:
            self._kept[:0] = items
            raise

    def read(self) -> list:
        """All items that have arrived since the last time, in the payload's shape."""
        self._drain()
        return [self._decode(raw) for raw in self._take()]


class Sender(_Port):
    """Gives a design's stream what :meth:`write` was given, as fast as it is taken."""

    def __init__(self, interface: object, **options: object) -> None:
        super().__init__(interface, **options)
        self._waiting: list[int] = []

    def _elaborate(self) -> Module:
        m = Module()
        m.submodules.ring = ring = self._ring()
        read, sink, level = ring.read_port(domain="comb"), self.interface, Signal(self._bits + 1)
        # Here the host moves `outer` ahead of the design's `inner`.
        m.d.comb += [
            level.eq(self.outer - self.inner),
            self.wanted.eq(level < self.threshold),
            read.addr.eq(self.inner),
            sink.payload.eq(read.data),
        ]
        valid = level != 0
        if isinstance(sink.valid, Signal):
            m.d.comb += sink.valid.eq(valid)
        with m.If(sink.ready & valid):
            m.d.sync += self.inner.eq(self.inner + 1)
        return m

    def write(self, items: Iterable) -> None:
        """Queue items, in the payload's shape; any number of them.

        Raises
        ------
        ValueError
            One does not fit into the payload; none is queued then.
        """
        self._waiting += [self._encode(item) for item in items]
        self.serve()

    @property
    def pending(self) -> int:
        """Items that the design has not taken yet."""
        return len(self._waiting) + (-self._level()) % (2 * self.depth)

    def serve(self) -> None:
        """Fill the ring."""
        last, level = self._run[self.outer], (-self._level()) % (2 * self.depth)
        batch = self._waiting[: self.depth - level]
        del self._waiting[: len(batch)]
        for number, raw in enumerate(batch):
            row = (last + number) % self.depth
            if self._rows.ndim == 1:
                self._rows[row] = raw
            else:
                self._rows[row] = [raw >> (64 * n) & (1 << 64) - 1 for n in range(self._rows.shape[1])]
        self._run[self.outer] = (last + len(batch)) % (2 * self.depth)
        self._run[self.threshold] = self.depth // 2 if self._waiting else 0


def attach(design: object, ports: list[_Port]) -> Fragment:
    """The design with the host's ends of its streams beside it, as ``host0``, ``host1`` …

    Raises
    ------
    TypeError
        One of ``ports`` is none.
    ValueError
        One is there twice.
    """
    for number, port in enumerate(ports):
        if not isinstance(port, _Port):
            raise TypeError(f"ports: {port!r} is neither a Receiver nor a Sender")
        if port in ports[:number]:
            raise ValueError("ports: one end of a stream is there twice")
    fragment = Fragment.get(design, None)
    for number, port in enumerate(ports):
        fragment.add_subfragment(port.fragment(), f"host{number}")
    return fragment
