"""Random hierarchies with everything that a domain, a memory or the left side of an assignment can be."""

import random
import warnings

from amaranth.hdl import (
    Array,
    Cat,
    ClockDomain,
    Const,
    DomainRenamer,
    Elaboratable,
    EnableInserter,
    Module,
    Mux,
    ResetInserter,
    Shape,
    Signal,
    Value,
    ValueCastable,
    signed,
    unsigned,
)  # fmt: skip
from amaranth.lib import data, enum
from amaranth.lib.memory import Memory, MemoryData

WIDTHS = (0, 1, 1, 2, 3, 4, 7, 8, 8, 12, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 129, 200)
#: The widest value that expressions are allowed to grow to.
LIMIT = 260


class Colour(enum.Enum, shape=unsigned(3)):
    BLACK, RED, GREEN, BLUE = 0, 1, 4, 6


class Wrapped(ValueCastable):
    """A value in a coat."""

    def __init__(self, value):
        self.value = value

    def shape(self):
        return self.value.shape()

    def as_value(self):
        return self.value


LAYOUTS = (
    data.StructLayout({"a": 3, "b": signed(5), "c": data.ArrayLayout(unsigned(4), 3)}),
    data.StructLayout(
        {"x": data.StructLayout({"p": 1, "q": signed(9)}), "colour": Colour, "z": data.ArrayLayout(7, 5)}
    ),
    data.UnionLayout({"whole": 12, "parts": data.ArrayLayout(signed(3), 4)}),
    data.ArrayLayout(data.StructLayout({"v": 1, "n": 6}), 4),
    data.FlexibleLayout(20, {"low": data.Field(unsigned(6), 1), "mid": data.Field(signed(8), 5)}),
)


class Expressions:
    """Random values and targets.

    ``skip``: numbers of statements that are left out; ``plain``: numbers of values that become zero. Both leave all
    other choices as they are, so that a failing design can be shrunk.
    """

    def __init__(self, seed, skip=frozenset(), plain=frozenset()):
        self.r = random.Random(seed)
        self.skip, self.plain = skip, plain
        self.statements = self.values = 0

    def shape(self, limit=LIMIT):
        width = self.r.choice([w for w in WIDTHS if w <= limit])
        return signed(width) if width and self.r.random() < 0.3 else unsigned(width)

    def leaf(self, sources):
        r = self.r
        if not sources or r.random() < 0.12:
            shape = self.shape(80)
            return Const(r.choice([0, -1, 1, r.getrandbits(80)]), shape)
        return r.choice(sources)

    def value(self, sources, depth=2):
        number, self.values = self.values, self.values + 1
        value = Value.cast(self._value(sources, depth))
        if len(value) > LIMIT:
            value = value[:LIMIT]
        return Const(0, value.shape()) if number in self.plain else value

    def _value(self, sources, depth):
        r = self.r
        if depth == 0 or r.random() < 0.15:
            return self.leaf(sources)
        a = self.value(sources, depth - 1)
        kind = r.randrange(22)
        if kind == 0:
            return r.choice((lambda: ~a, lambda: -a, lambda: +a, a.bool, a.any, a.all, a.xor, lambda: abs(a)))()
        if kind == 1:
            low = r.randrange(len(a) + 1)
            return a[low : r.randrange(low, len(a) + 1)]
        if kind == 2:
            return Cat(a, self.value(sources, depth - 1), a[:1], Const(1, 1))
        if kind == 3:
            return Mux(self.value(sources, depth - 1), a, self.value(sources, depth - 1))
        if kind == 4:
            amount = self.value(sources, 0)[: r.choice((3, 6, 8))].as_unsigned()
            return a[:100] << amount if r.random() < 0.4 else a >> amount
        if kind == 5:
            return a >> self.value(sources, 0).as_unsigned()
        if kind == 6:  # of signals only: see docs/simulation.md
            return self._part(r.choice(sources), sources) if sources else a
        if kind == 7:
            rows = [self.value(sources, depth - 1) for _ in range(r.randrange(1, 6))]
            return Array(rows)[self.value(sources, 1)[:4].as_unsigned()]
        if kind == 8:
            return r.choice((a.as_signed, a.as_unsigned))() if len(a) else a
        if kind == 9 and 0 < len(a) <= 40:
            patterns = ["".join(r.choice("01---") for _ in range(len(a))) for _ in range(r.randrange(4))]
            return a.matches(*patterns)
        if kind == 10:
            n = r.randrange(len(a) + 3)
            return r.choice((a.shift_left, a.shift_right, a.rotate_left, a.rotate_right))(n) if len(a) else a
        if kind == 11:
            return a[:60].replicate(r.randrange(4))
        if kind == 12 and len(a):
            return a[:: r.choice((-1, 2))]
        if kind == 13:
            return Wrapped(a)
        b = self.value(sources, depth - 1)
        if kind == 14:
            return r.choice(
                (lambda: a == b, lambda: a != b, lambda: a < b, lambda: a <= b, lambda: a > b, lambda: a >= b)
            )()
        if kind == 15:
            return r.choice((lambda: a & b, lambda: a | b, lambda: a ^ b, lambda: a[:1].implies(b[:1])))()
        if kind == 16 and len(a) + len(b) <= LIMIT:
            return a * b
        if kind == 17 and max(len(a), len(b)) <= 130:
            return r.choice((lambda: a // b, lambda: a % b))()
        if kind == 18:
            return a - b
        return a + b

    def _part(self, value, sources):
        r = self.r
        width = r.randrange(1, max(2, min(len(value), 70) + 1))
        offset = self.value(sources, 1)[: r.choice((2, 5, 8))].as_unsigned()
        return value.bit_select(offset, width) if r.random() < 0.5 else value.word_select(offset, width)

    def target(self, targets, sources, depth=2):
        """Something that can be assigned to, made of the targets."""
        r = self.r
        target = r.choice(targets)
        if isinstance(target, data.View):
            return self._field(target, sources)
        kind = r.randrange(9) if depth else 8
        if kind == 0 and len(target):
            low = r.randrange(len(target))
            return target[low : r.randrange(low + 1, len(target) + 1)]
        if kind == 1 and len(target):
            return self._part(target, sources)
        if kind == 2:
            return Cat(self.target(targets, sources, depth - 1) for _ in range(r.randrange(1, 4)))
        if kind == 3:
            rows = [self.target(targets, sources, depth - 1) for _ in range(r.randrange(1, 4))]
            return Array(rows)[self.value(sources, 1)[:3].as_unsigned()]
        if kind == 4:
            whole = Value.cast(self.target(targets, sources, depth - 1))
            return whole[len(whole) // 3 :]
        if kind == 5:
            return Mux(self.value(sources, 1), target, self.target(targets, sources, depth - 1))
        if kind == 6:
            return r.choice((target.as_signed, target.as_unsigned))() if len(target) else target
        return target

    def _field(self, view, sources):
        """A field of a structure, however deep."""
        r = self.r
        while isinstance(view, data.View) and r.random() < 0.8:
            layout = view.shape()
            if isinstance(layout, data.ArrayLayout):
                fixed = r.random() < 0.4
                index = r.randrange(layout.length) if fixed else self.value(sources, 1)[:3].as_unsigned()
                view = view[index]
            else:
                view = view[r.choice([name for name, _ in layout])]
        return Value.cast(view)

    def assign(self, domain, targets, sources):
        """One assignment, unless it is skipped."""
        target, value = self.target(targets, sources), self.value(sources)
        number, self.statements = self.statements, self.statements + 1
        domain += [] if number in self.skip else Value.cast(target).eq(value)

    def tree(self, m, domain, targets, sources, depth=2):
        """A random decision tree of assignments."""
        r = self.r
        for _ in range(r.randrange(1, 4)):
            choice = r.random()
            if depth == 0 or choice < 0.45:
                self.assign(m.d[domain], targets, sources)
            elif choice < 0.7:
                with m.If(self.value(sources, 1)):
                    self.tree(m, domain, targets, sources, depth - 1)
                while r.random() < 0.3:
                    with m.Elif(self.value(sources, 1)):
                        self.tree(m, domain, targets, sources, depth - 1)
                if r.random() < 0.6:
                    with m.Else():
                        self.tree(m, domain, targets, sources, depth - 1)
            else:
                self._switch(m, domain, targets, sources, depth)

    def _switch(self, m, domain, targets, sources, depth):
        r = self.r
        value = self.value(sources, 1)[: r.choice((1, 2, 3, 5, 20))]
        with m.Switch(value):
            for _ in range(r.randrange(1, 5)):
                if r.random() < 0.5:
                    patterns = ["".join(r.choice("01-") for _ in range(len(value))) for _ in range(r.randrange(3))]
                else:
                    patterns = [r.randrange(1 << min(len(value), 3)) for _ in range(r.randrange(1, 3))]
                with m.Case(*patterns):
                    self.tree(m, domain, targets, sources, depth - 1)
            if r.random() < 0.5:
                with m.Default():
                    self.tree(m, domain, targets, sources, depth - 1)


class RichDesign(Elaboratable):
    """A random hierarchy.

    Parameters
    ----------
    seed, size
        Which design, and how many signals of each kind it has at most.
    asynchronous
        Whether domains may have asynchronous resets.

    Attributes
    ----------
    domains
        Clock domains; their clocks are inputs.
    inputs
        Signals that a test bench drives, resets among them.
    signals, memories
        What can be compared.
    """

    def __init__(self, seed, *, size=10, asynchronous=True, skip=frozenset(), plain=frozenset()):
        self.make = make = Expressions(seed, skip, plain)
        r, self.size = make.r, size
        self.domains = [self._domain(name, asynchronous) for name in ("sync", "other", "third")[: r.randrange(1, 4)]]
        self.inputs = [Signal(make.shape(), name=f"in{n}") for n in range(r.randrange(1, 5))]
        self.signals, self.memories = list(self.inputs), []
        self.state, self.modules = list(self.inputs), []
        for domain in self.domains:
            if domain.rst is not None:
                self.signals.append(domain.rst)

    def _domain(self, name, asynchronous):
        r = self.make.r
        style = r.choice(("none", "sync", "async" if asynchronous else "sync"))
        return ClockDomain(
            name, clk_edge=r.choice(("pos", "pos", "neg")), reset_less=style == "none", async_reset=style == "async"
        )

    def _register(self, name, *, reset_less):
        r = self.make.r
        if r.random() < 0.25:
            layout = r.choice(LAYOUTS)
            fields = {"a": r.getrandbits(3), "b": -3} if layout is LAYOUTS[0] else None
            view = Signal(layout, name=name, init=fields, reset_less=reset_less and r.random() < 0.2)
            self.signals.append(view.as_value())
            return view
        shape = self.make.shape()
        init = r.getrandbits(200) & ((1 << shape.width) - 1)
        init -= (1 << shape.width) if shape.signed and shape.width and init >> (shape.width - 1) else 0
        signal = Signal(shape, name=name, init=init, reset_less=reset_less and r.random() < 0.3)
        self.signals.append(signal)
        return signal

    def elaborate(self, platform):
        r, top = self.make.r, Module()
        top.domains += self.domains
        for domain in self.domains:
            tick = Signal(2, name=f"tick_{domain.name}")  # so that every domain is there
            top.d[domain.name] += tick.eq(tick + 1)
        self.modules = [Module() for _ in range(r.randrange(1, 2 + self.size // 3))]
        owned = [
            (domain, self._register(f"r{n}", reset_less=True))
            for n, domain in enumerate(r.choice(self.domains) for _ in range(r.randrange(1, 2 + self.size)))
        ]
        self.state += [Value.cast(register) for _, register in owned]
        self._resets(top, [*self.state[: len(self.inputs)], *(Value.cast(s) for d, s in owned if not d.async_reset)])
        for _ in range(r.randrange(3)):
            self._memory()
        known = self._wires()
        for domain, register in owned:
            others = [s for d, s in owned if d is domain]
            self._logic(domain, register, others, known)
        self._hierarchy(top)
        return top

    def _resets(self, top, calm):
        """Resets come from the bench, or from a bit of state that no asynchronous reset changes."""
        for domain in self.domains:
            if domain.rst is not None:
                source = self.make.r.choice(calm)
                if self.make.r.random() < 0.3 and len(source):
                    top.d.comb += domain.rst.eq(source[self.make.r.randrange(len(source))])
                else:
                    self.inputs.append(domain.rst)

    def _wires(self):
        """Combinational signals, each of earlier ones; some in two halves from two modules, some around a corner."""
        make, r, known = self.make, self.make.r, list(self.state)
        for n in range(r.randrange(1, 2 + self.size)):
            group = [self._register(f"w{n}_{k}", reset_less=False) for k in range(r.choice((1, 1, 2, 3)))]
            m, values = r.choice(self.modules), [Value.cast(s) for s in group]
            kind = r.random()
            if kind < 0.15 and len(values[0]) > 1:
                cut = r.randrange(1, len(values[0]))
                make.tree(m, "comb", [values[0][:cut]], known)
                make.tree(r.choice(self.modules), "comb", [values[0][cut:]], known)
            elif kind < 0.3 and len(values) > 1:
                self._corner(m, values, known)
            else:
                make.tree(m, "comb", group, known)
            known += values
        return known

    def _corner(self, m, values, known):
        """Signals whose higher bits depend on each other's lower ones: a loop of words, not of bits."""
        make, r, below = self.make, self.make.r, []
        for bit in range(min(max(map(len, values)), 12)):
            for value in values:
                if bit < len(value):
                    chosen = r.choice(below) if below else self.make.leaf(known)[:1]
                    other = r.choice([*below, make.leaf(known)[:1]])
                    condition = r.choice([*below, make.leaf(known)[:1]])
                    with m.If(condition):
                        m.d.comb += value[bit].eq(chosen ^ other)
                    if r.random() < 0.5:
                        with m.Else():
                            m.d.comb += value[bit].eq(chosen | ~other)
            below += [value[bit] for value in values if bit < len(value)]

    def _logic(self, domain, register, others, known):
        make, r = self.make, self.make.r
        value = Value.cast(register)
        if r.random() < 0.2 and len(value) > 1:  # bits from two modules
            cut = r.randrange(1, len(value))
            for part in (value[:cut], value[cut:]):
                make.tree(r.choice(self.modules), domain.name, [part], known)
            return
        index = next(n for n, other in enumerate(others) if other is register)
        module = self.modules[index % len(self.modules)]
        make.tree(module, domain.name, [register], known, depth=3)
        if index % 3 == 2 and len(value):
            with module.FSM(domain=domain.name, name=f"fsm{index}"):
                for state in range(3):
                    with module.State(f"S{state}"):
                        make.tree(module, domain.name, [register], known, depth=1)
                        with module.If(make.value(known, 1)):
                            module.next = f"S{r.randrange(3)}"

    def _memory(self):
        """A memory with ports in any domain."""
        make, r = self.make, self.make.r
        shape = r.choice((make.shape(), make.shape(), signed(6), r.choice(LAYOUTS), Colour))
        width, depth = Shape.cast(shape).width, r.choice((1, 2, 3, 5, 8, 16, 40))
        init = []
        if isinstance(shape, Shape):
            init = [Const(r.getrandbits(200), shape).value for _ in range(r.randrange(depth + 1))]
        elif shape is LAYOUTS[0]:
            init = [{"a": r.getrandbits(3), "c": [n, 15 - n, 3]} for n in range(depth)]
        memory = Memory(MemoryData(shape=shape, depth=depth, init=init))
        module, domains = r.choice(self.modules), [d.name for d in self.domains]
        setattr(module.submodules, f"memory{len(self.memories)}", memory)
        self.memories.append(memory.data)
        writes, writer = [], r.choice(domains)  # of two domains at the same instant Amaranth's simulator takes either
        for _ in range(r.randrange(3)):
            parts = [g for g in (1, 2, 4, 8) if width % g == 0]
            granularity = r.choice([None, *parts]) if isinstance(shape, Shape) and not shape.signed and width else None
            port = memory.write_port(domain=writer, granularity=granularity)
            writes.append((port, writer))
            for target in (port.addr, port.data, port.en):
                module.d.comb += Value.cast(target).eq(make.value(self.state))
        for _ in range(r.randrange(1, 3)):
            domain = r.choice(["comb", *domains])
            seen = [port for port, other in writes if other == domain and r.random() < 0.6]
            port = memory.read_port(domain=domain, transparent_for=seen)
            module.d.comb += port.addr.eq(make.value(self.state))
            if domain != "comb":
                module.d.comb += port.en.eq(make.value(self.state, 1))
            value = Value.cast(port.data)
            self.signals.append(value)
            self.state = [*self.state, value]

    def _hierarchy(self, top):
        """Modules below each other, some with inserted resets and enables or under another domain's name."""
        r, parent = self.make.r, top
        for n, module in enumerate(self.modules):
            wrapped, kind = module, r.random()
            control = Signal(name=f"control{n}")
            if kind < 0.2:
                self.inputs.append(control)
                wrapped = ResetInserter({r.choice(self.domains).name: control})(module)
            elif kind < 0.4:
                self.inputs.append(control)
                wrapped = EnableInserter({r.choice(self.domains).name: control})(module)
            setattr(parent.submodules, f"m{n}", wrapped)
            if r.random() < 0.4:
                parent = module


def quiet(make, *arguments, **options):
    """Make something without the warnings that random conditions cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*arguments, **options)


def renamed(design, old, new):
    """A design under another domain's name."""
    return DomainRenamer({old: new})(design)
