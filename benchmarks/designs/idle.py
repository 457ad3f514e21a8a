"""The CPU-like design beside bus masters that mostly wait: descriptor walkers, as disk and network controllers have.

A walker is told by a doorbell how far its ring is filled. For each entry it gathers a chain of descriptors, sums what
the readable ones point to, fills the writable ones, and reports the job in a ring of completions. All of them share
one memory behind a round-robin arbiter. A list of register writes sets them up; then a slow counter rings.
"""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .cpu import Cpu, program

CHAIN = 4  # descriptors of a chain
AREA = 256  # words of shared memory that belong to one walker
JOBS, RING = 6, 8  # different chains; entries of the ring
RING_AT, USED_AT, BUFFERS_AT = 72, 80, 128  # words into the area; descriptors come first


class Descriptor(data.Struct):
    """Four words of memory: where a buffer is, how long in bytes, what to do with it, what follows."""

    address: 64
    length: 32
    more: 1  # another descriptor follows
    write: 1  # fill the buffer
    reserved: 14
    following: 16


class Request(data.Struct):
    """Of a walker to the memory."""

    write: 1
    address: 32
    data: 32


class Setting(data.Struct):
    """A write of a walker's register."""

    valid: 1
    walker: 8
    register: 3
    value: 64


#: Registers: tables of descriptors, ring and completions (byte addresses), entries of the ring, how far it is filled.
TABLE, ENTRIES, USED, SIZE, TAIL = range(5)


class Walker(wiring.Component):
    """A bus master that waits for its doorbell.

    Members
    -------
    settings, request, response, interrupt
        Register writes; the memory (one answer for each request); a pulse for each completed job.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__({
            "settings": In(Setting),
            "request": Out(stream.Signature(Request)),
            "response": In(stream.Signature(32, always_ready=True)),
            "interrupt": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table, entries, used = Signal(64), Signal(64), Signal(64)
        size, tail, head, entry = Signal(16), Signal(16), Signal(16), Signal(16)
        chain = Array(Signal(Descriptor, name=f"descriptor{n}") for n in range(CHAIN))
        count, index = Signal(range(CHAIN + 1)), Signal(range(CHAIN))
        word, left = Signal(2), Signal(32)
        address, following = Signal(64), Signal(64)
        total, mixed, first, waited = Signal(64), Signal(32), Signal(16), Signal(16)
        faults = Signal(8)
        current = Signal(Descriptor)
        m.d.comb += current.eq(chain[index])
        request, response = self.request, self.response

        mine = self.settings.valid & (self.settings.walker == self.number)
        with m.If(mine), m.Switch(self.settings.register):
            for register, target in enumerate((table, entries, used, size, tail)):
                with m.Case(register):
                    m.d.sync += target.eq(self.settings.value)

        def ask(state: str, where: object, then: str, *, store: object = None) -> None:
            """A state that makes a request, and (for reads) one that waits for the answer."""
            with m.State(state):
                inside = where[32:] == 0
                m.d.comb += [request.valid.eq(inside), request.p.address.eq(where[:32])]
                if store is not None:
                    m.d.comb += [request.p.write.eq(1), request.p.data.eq(store)]
                with m.If(~inside):
                    m.next = "FAULT"
                with m.Elif(request.ready):
                    m.d.sync += waited.eq(0)
                    m.next = then
                with m.Else():
                    m.d.sync += waited.eq(waited + 1)

        with m.FSM():
            with m.State("IDLE"), m.If(head != tail):
                m.d.sync += [count.eq(0), index.eq(0), total.eq(0), mixed.eq(0)]
                m.next = "LOCATE"
            with m.State("LOCATE"):
                m.d.sync += address.eq(entries + Cat(0, 0, head & (size - 1)))
                m.next = "RING"
            ask("RING", address, "RING_ANSWER")
            with m.State("RING_ANSWER"), m.If(response.valid):
                m.d.sync += [entry.eq(response.payload), first.eq(response.payload)]
                m.next = "LOOK_UP"
            with m.State("LOOK_UP"):
                m.d.sync += [address.eq(table + (entry << 4)), word.eq(0)]
                m.next = "DESCRIPTOR"
            ask("DESCRIPTOR", address, "DESCRIPTOR_ANSWER")
            with m.State("DESCRIPTOR_ANSWER"), m.If(response.valid):
                target = chain[count[:2]]
                m.d.sync += target.as_value().word_select(word, 32).eq(response.payload)
                m.d.sync += [word.eq(word + 1), address.eq(address + 4)]
                m.next = "DESCRIPTOR"
                with m.If(word == 3):
                    m.d.sync += [count.eq(count + 1), entry.eq(response.payload[16:])]
                    m.next = "START"
                    with m.If(response.payload[0]):
                        m.next = "LOOK_UP"
                        with m.If(count == CHAIN - 1):
                            m.next = "FAULT"
            with m.State("START"):
                m.d.sync += [following.eq(current.address), left.eq(current.length)]
                m.next = "NEXT"
                with m.If(current.length != 0):
                    m.next = "READ"
                    with m.If(current.write):
                        m.next = "WRITE"
            ask("READ", following, "READ_ANSWER")
            with m.State("READ_ANSWER"), m.If(response.valid):
                m.d.sync += [
                    mixed.eq((mixed.rotate_left(5) ^ response.payload) + left),
                    following.eq(following + 4), left.eq(left - 4), total.eq(total + 4),
                ]  # fmt: skip
                m.next = "READ"
                with m.If(left <= 4):
                    m.next = "NEXT"
            ask("WRITE", following, "WRITTEN", store=mixed)
            with m.State("WRITTEN"):
                m.d.sync += [
                    mixed.eq(mixed ^ (mixed << 7) ^ (mixed >> 9)),
                    following.eq(following + 4), left.eq(left - 4), total.eq(total + 4),
                ]  # fmt: skip
                m.next = "WRITE"
                with m.If(left <= 4):
                    m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += index.eq(index + 1)
                m.next = "START"
                with m.If(index == count - 1):
                    m.d.sync += address.eq(used + Cat(0, 0, 0, 0, head & (size - 1)))
                    m.next = "USED_ENTRY"
            ask("USED_ENTRY", address, "USED_MOVE", store=Cat(first, head))
            ask("USED_TOTAL", address, "USED_MOVE2", store=total[:32])
            for state, then in (("USED_MOVE", "USED_TOTAL"), ("USED_MOVE2", "USED_MIXED")):
                with m.State(state):
                    m.d.sync += address.eq(address + 4)
                    m.next = then
            ask("USED_MIXED", address, "COMPLETE", store=mixed)
            with m.State("COMPLETE"):
                m.d.comb += self.interrupt.eq(1)
                m.d.sync += head.eq(head + 1)
                m.next = "IDLE"
            with m.State("FAULT"):
                m.d.sync += [faults.eq(faults + 1), head.eq(head + 1)]
                m.next = "IDLE"
        return m


class Soc(wiring.Component):
    """The core, ``walkers`` walkers and what rings them.

    Parameters
    ----------
    walkers : int
        How many, up to 16.
    period : int
        Cycles between two doorbells; they ring in turn, one job each.

    Members
    -------
    pc, retired, jobs
        For a test bench: of the core, and how many jobs have been completed.
    """

    pc: Out(32)
    retired: Out(32)
    jobs: Out(32)

    def __init__(self, walkers: int, period: int = 1 << 14) -> None:
        self.walkers, self.period = walkers, period
        super().__init__()

    @property
    def memories(self) -> dict[str, Memory]:
        """Memories by name, for a test bench, once the design is elaborated."""
        return {**{f"cpu.{n}": m for n, m in self._cpu.memories.items()}, **self._shared}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cpu = cpu = Cpu(program())
        self._cpu, self._shared = cpu, {}
        m.d.comb += [self.pc.eq(cpu.pc), self.retired.eq(cpu.retired)]
        if not self.walkers:
            m.d.comb += self.jobs.eq(0)
            return m
        walkers = [Walker(n) for n in range(self.walkers)]
        for n, walker in enumerate(walkers):
            m.submodules[f"walker{n}"] = walker
        init = [word for n in range(self.walkers) for word in area(n)]
        m.submodules.shared = self._shared["shared"] = shared = Memory(shape=32, depth=16 * AREA, init=init)
        read, write = shared.read_port(), shared.write_port()

        # -- doorbells: first the walkers are set up, then a counter rings them in turn
        setup = [
            Setting.const({"valid": 1, "walker": n, "register": register, "value": value})
            for n in range(self.walkers)
            for register, value in ((TABLE, base(n)), (ENTRIES, base(n) + 4 * RING_AT),
                                    (USED, base(n) + 4 * USED_AT), (SIZE, RING))
        ]  # fmt: skip
        settings = Signal(Setting)
        step, timer, turn, rung = Signal(8), Signal(32), Signal(8), Signal(16, init=1)
        with m.If(step < len(setup)):
            m.d.sync += [settings.eq(Array(setup)[step]), step.eq(step + 1)]
        with m.Elif(timer == self.period - 1):
            m.d.sync += [timer.eq(0), turn.eq(turn + 1), settings.valid.eq(1), settings.walker.eq(turn)]
            m.d.sync += [settings.register.eq(TAIL), settings.value.eq(rung)]
            with m.If(turn == self.walkers - 1):
                m.d.sync += [turn.eq(0), rung.eq(rung + 1)]
        with m.Else():
            m.d.sync += [timer.eq(timer + 1), settings.valid.eq(0)]

        # -- arbiter: the walker after the one that was served last comes first
        last, grant, busy = Signal(range(self.walkers)), Signal(range(self.walkers)), Signal()
        requests = Cat(walker.request.valid for walker in walkers)
        with m.Switch(last):
            for n in range(self.walkers):
                with m.Case(n):
                    for other in [*range(n, -1, -1), *range(self.walkers - 1, n, -1)]:
                        with m.If(requests[other]):
                            m.d.comb += grant.eq(other)
        chosen = Signal(Request)
        m.d.comb += [
            chosen.eq(Array(walker.request.p for walker in walkers)[grant]),
            busy.eq(requests.any()),
            read.addr.eq(chosen.address[2:]), read.en.eq(busy & ~chosen.write),
            write.addr.eq(chosen.address[2:]), write.data.eq(chosen.data), write.en.eq(busy & chosen.write),
        ]  # fmt: skip
        answer = Signal()
        m.d.sync += answer.eq(busy & ~chosen.write)
        with m.If(busy):
            m.d.sync += last.eq(grant)
        for n, walker in enumerate(walkers):
            m.d.comb += [
                walker.settings.eq(settings),
                walker.request.ready.eq(busy & (grant == n)),
                walker.response.valid.eq(answer & (last == n)),
                walker.response.payload.eq(read.data),
            ]
        m.d.sync += self.jobs.eq(self.jobs + sum(walker.interrupt for walker in walkers))
        return m


def base(walker: int) -> int:
    """Byte address of a walker's area."""
    return 4 * AREA * walker


def area(walker: int) -> list[int]:
    """A walker's words of memory at the start: chains of one to three descriptors, a ring, buffers to read."""
    words = [0] * AREA
    buffer = base(walker) + 4 * BUFFERS_AT
    for job in range(JOBS):
        length = 1 + job % 3
        words[RING_AT + job] = 3 * job
        for n in range(length):
            last, at = n == length - 1, 4 * (3 * job + n)
            words[at] = buffer + 64 * (job % 4) + 32 * last
            words[at + 2] = 12 if last else 8 + 4 * job
            words[at + 3] = (not last) | last << 1 | (3 * job + n + 1) << 16
    words[RING_AT + JOBS : RING_AT + RING] = [0, 3]
    words[BUFFERS_AT:] = [(0x9E3779B1 * (n + 1) ^ walker) & 0xFFFFFFFF for n in range(AREA - BUFFERS_AT)]
    return words


def make(walkers: int = 4) -> Soc:
    """The benchmark's instance: each walker works for a hundred of some ten thousand cycles."""
    return Soc(walkers)
