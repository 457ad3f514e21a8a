"""Random designs over every kind of cell, made from a seed."""

import random

from amaranth.hdl import Array, Cat, ClockDomain, Const, Elaboratable, Module, Mux, Signal, signed, unsigned
from amaranth.lib.memory import Memory, MemoryData

WIDTHS = (1, 1, 2, 3, 5, 8, 8, 13, 16, 31, 32, 33, 64, 65, 100, 130)


class RandomDesign(Elaboratable):
    """Registers, logic, decision trees and memories, all of it observable.

    Attributes
    ----------
    inputs, signals
        Signals that a test bench drives, and all signals that can be compared.
    """

    def __init__(self, seed, *, size=30, domains=("sync",)):
        self.seed, self.size, self.domains = seed, size, domains
        r = random.Random(seed)
        self.inputs = [Signal(self._shape(r), name=f"in{n}") for n in range(r.randrange(1, 4))]
        self.registers = [
            Signal(self._shape(r), name=f"r{n}", init=r.getrandbits(16) % 2, reset_less=r.random() < 0.2)
            for n in range(r.randrange(2, 2 + size // 4))
        ]
        self.wires = [Signal(self._shape(r), name=f"w{n}") for n in range(r.randrange(2, 2 + size // 2))]
        self.signals = [*self.inputs, *self.registers, *self.wires]
        self._random = r

    @staticmethod
    def _shape(r):
        width = r.choice(WIDTHS)
        return signed(width) if r.random() < 0.3 else unsigned(width)

    def _leaf(self, sources):
        r = self._random
        if r.random() < 0.15 or not sources:
            shape = self._shape(r)
            return Const(r.getrandbits(shape.width), shape)
        return r.choice(sources)

    def _value(self, sources, depth=2):
        r = self._random
        if depth == 0 or r.random() < 0.2:
            return self._leaf(sources)
        kind = r.randrange(14)
        a = self._value(sources, depth - 1)
        if kind == 0:
            return r.choice((lambda: ~a, lambda: -a, a.bool, a.any, a.all, a.xor, lambda: abs(a)))()
        if kind == 1:
            low = r.randrange(len(a) + 1)
            return a[low : r.randrange(low, len(a) + 1)] if len(a) > 1 else a
        if kind == 2:
            return Cat(a, self._value(sources, depth - 1), a[:1])[:140]
        if kind == 3:
            return Mux(self._value(sources, depth - 1), a, self._value(sources, depth - 1))
        if kind == 4:
            amount = self._value(sources, 0)[:4].as_unsigned()
            return (a << amount)[:140] if r.random() < 0.4 else a >> amount
        if kind == 5:
            # Of signals only: pysim shifts what it has at hand, and an operator's result may have lost or not yet
            # gained its sign there (Amaranth's reference: bits above are zero, or the sign of a signed value).
            a = r.choice(sources)
            width = r.randrange(1, max(2, min(len(a), 9)))
            offset = self._value(sources, 0)[:5].as_unsigned()
            return a.bit_select(offset, width) if r.random() < 0.5 else a.word_select(offset, width)
        if kind == 6:
            return Array([a, self._value(sources, depth - 1), self._leaf(sources)])[
                self._leaf(sources)[:2].as_unsigned()
            ]
        if kind == 7:
            return r.choice((a.as_signed, a.as_unsigned))() if len(a) else a
        if kind == 8 and 0 < len(a) <= 12:
            patterns = ["".join(r.choice("01-") for _ in range(len(a))) for _ in range(r.randrange(1, 4))]
            return a.matches(*patterns)
        b = self._value(sources, depth - 1)
        if kind == 9:
            return r.choice(
                (lambda: a == b, lambda: a != b, lambda: a < b, lambda: a <= b, lambda: a > b, lambda: a >= b)
            )()
        if kind == 10:
            return r.choice((lambda: a & b, lambda: a | b, lambda: a ^ b))()
        if kind == 11 and len(a) + len(b) <= 140:
            return a * b
        if kind == 12 and max(len(a), len(b)) <= 64:
            return r.choice((lambda: a // b, lambda: a % b))()
        return r.choice((lambda: a + b, lambda: a - b))()

    def _assign(self, m, domain, target, sources):
        r = self._random
        value = self._value(sources)
        if len(target) > 1 and r.random() < 0.25:
            low = r.randrange(len(target))
            target = target[low : r.randrange(low + 1, len(target) + 1)]
        elif len(target) > 4 and r.random() < 0.1:
            target = target.bit_select(self._value(sources, 0)[:3].as_unsigned(), 2)
        m.d[domain] += target.eq(value)

    def _tree(self, m, domain, targets, sources, depth):
        r = self._random
        for _ in range(r.randrange(1, 3)):
            choice = r.random()
            if depth == 0 or choice < 0.4:
                self._assign(m, domain, r.choice(targets), sources)
            elif choice < 0.7:
                with m.If(self._value(sources, 1)):
                    self._tree(m, domain, targets, sources, depth - 1)
                if r.random() < 0.4:
                    with m.Elif(self._value(sources, 1)):
                        self._tree(m, domain, targets, sources, depth - 1)
                if r.random() < 0.6:
                    with m.Else():
                        self._tree(m, domain, targets, sources, depth - 1)
            else:
                value = self._leaf(sources)[: r.randrange(1, 5)]
                with m.Switch(value):
                    for number in range(r.randrange(1, 4)):
                        if len(value) and r.random() < 0.3:
                            pattern = "".join(r.choice("01-") for _ in range(len(value)))
                            with m.Case(pattern):
                                self._tree(m, domain, targets, sources, depth - 1)
                        elif number < 1 << len(value):
                            with m.Case(number):
                                self._tree(m, domain, targets, sources, depth - 1)
                    if r.random() < 0.5:
                        with m.Default():
                            self._tree(m, domain, targets, sources, depth - 1)

    def elaborate(self, platform):
        r, m = self._random, Module()
        for name in self.domains:
            if name != "sync":
                m.domains += ClockDomain(name)
            ticks = Signal(2, name=f"ticks_{name}")  # so that every domain is there
            m.d[name] += ticks.eq(ticks + 1)
        state = [*self.inputs, *self.registers]
        # Wires only look at earlier ones, so that there is no loop.
        for index, wire in enumerate(self.wires):
            self._tree(m, "comb", [wire], [*state, *self.wires[:index]], 2)
        groups = [[] for _ in self.domains]
        for register in self.registers:
            r.choice(groups).append(register)
        for domain, registers in zip(self.domains, groups):
            for _ in range(len(registers)):
                self._tree(m, domain, registers, self.signals, 3)
        if r.random() < 0.6:
            self._memory(m)
        return m

    def _memory(self, m):
        r = self._random
        width, depth = r.choice((1, 4, 8, 16, 36, 64, 80)), r.choice((1, 2, 5, 8, 16))
        data = MemoryData(shape=unsigned(width), depth=depth, init=[r.getrandbits(width) for _ in range(depth)])
        m.submodules.memory = memory = Memory(data)
        writes = []
        for _ in range(r.randrange(0, 3)):
            granularity = r.choice([None, *(g for g in (1, 4, 8) if width % g == 0)])
            domain = r.choice(self.domains)
            port = memory.write_port(domain=domain, granularity=granularity)
            writes.append((port, domain))
            m.d.comb += [
                port.addr.eq(self._value(self.signals)), port.data.eq(self._value(self.signals)),
                port.en.eq(self._value(self.signals)),
            ]  # fmt: skip
        for _ in range(r.randrange(1, 3)):
            domain = r.choice(["comb", *self.domains])
            transparent = [port for port, other in writes if other == domain and r.random() < 0.5]
            port = memory.read_port(domain=domain, transparent_for=transparent)
            m.d.comb += port.addr.eq(self._value([*self.inputs, *self.registers]))
            if domain != "comb":
                m.d.comb += port.en.eq(self._value([*self.inputs, *self.registers], 1))
            self.signals = [*self.signals, port.data]
