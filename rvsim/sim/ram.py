"""A behavioural RAM: requests in, responses out, as late as one likes."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


class Ram(wiring.Component):
    """A memory that answers each request in order, ``latency`` cycles later, one a cycle.

    It is a model to simulate with: an ordinary component, so that any simulator runs it, whose rows
    :meth:`rvsim.sim.Runner.memory` shares with NumPy under the name ``….rows``. Every request gets one response, writes
    too: what the row held before. An address beyond the end reads 0 and writes nothing.

    Parameters
    ----------
    depth : int
        Rows.
    width : int
        Bits of a row.
    granularity : int
        Bits that one bit of ``enable`` stands for; by default 8 where that divides the width, else the whole row.
    latency : int
        Cycles from the one in which a request is taken to the one in which its response is there: at least 1.
    init : iterable of int
        First rows.

    Members
    -------
    request : ``In(stream.Signature(...))``
        ``address`` (row), ``write``, ``data``, ``enable`` (which parts of the row are written).
    response : ``Out(stream.Signature(width))``
        The row.

    Raises
    ------
    ValueError
        A latency below 1, a granularity that does not divide the width, no rows.
    """

    def __init__(
        self, *, depth: int, width: int, granularity: int | None = None, latency: int = 1, init: Iterable[int] = ()
    ) -> None:
        if depth < 1 or width < 1:
            raise ValueError(f"a RAM has rows and bits: depth {depth}, width {width}")
        if latency < 1:
            raise ValueError(
                f"latency is {latency}: a response cannot be there in the cycle of its request, use 1 or more"
            )
        if granularity is None:
            granularity = 8 if width % 8 == 0 else width
        if granularity < 1 or width % granularity:
            raise ValueError(f"granularity {granularity} does not divide the width {width}")
        self.depth, self.width, self.granularity, self.latency = depth, width, granularity, latency
        self.rows = Memory(shape=unsigned(width), depth=depth, init=init)
        request = data.StructLayout(
            {"address": ceil_log2(depth), "write": 1, "data": width, "enable": width // granularity}
        )
        super().__init__({"request": In(stream.Signature(request)), "response": Out(stream.Signature(unsigned(width)))})

    def elaborate(self, platform: object) -> Module:
        """The rows, and a queue of responses with the time at which each is due."""
        m = Module()
        m.submodules.rows = self.rows
        read = self.rows.read_port(domain="comb")  # in the cycle of the request: later writes are not to be seen
        write = self.rows.write_port(granularity=self.granularity)
        request, response = self.request, self.response
        taken = Signal()
        m.d.comb += [
            taken.eq(request.valid & request.ready),
            read.addr.eq(request.p.address),
            write.addr.eq(request.p.address),
            write.data.eq(request.p.data),
            write.en.eq((taken & request.p.write).replicate(len(write.en)) & request.p.enable),
        ]

        # Room for as many as can be on their way, so that one a cycle can be answered.
        bits = ceil_log2(self.latency + 1)
        time = Signal(bits + 1)
        entry = data.StructLayout({"row": self.width, "due": len(time)})
        m.submodules.queue = queue = Memory(shape=entry, depth=1 << bits, init=[])
        push, head, next_due = queue.write_port(), queue.read_port(domain="comb"), queue.read_port(domain="comb")
        first, due, last = Signal(bits + 1), Signal(bits + 1), Signal(bits + 1)
        ripe = Signal()
        m.d.sync += [time.eq(time + 1), due.eq(due + ripe), last.eq(last + taken)]
        m.d.comb += [
            request.ready.eq((last - first)[: len(last)] != 1 << bits),
            push.addr.eq(last),
            push.data.eq(Cat(read.data, (time + self.latency)[: len(time)])),
            push.en.eq(taken),
            head.addr.eq(first),
            response.payload.eq(head.data.row),
            # They were taken one a cycle, so at most one becomes due now; that it was stays known if nobody takes it.
            next_due.addr.eq(due),
            ripe.eq((due != last) & (next_due.data.due == time)),
            response.valid.eq((first != due) | ripe),
        ]
        with m.If(response.valid & response.ready):
            m.d.sync += first.eq(first + 1)
        return m
