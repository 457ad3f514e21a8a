"""A small builder of LLVM text IR: values with operators, structured control flow, tail calls.

The text is what ``llvmlite.binding.parse_assembly`` takes. Types are LLVM's own names (``i1`` … ``i64``, ``ptr``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

#: Branch weights: metadata that a module must define (see :meth:`Module.text`).
LIKELY, UNLIKELY = "!prof !0", "!prof !1"


class Value:
    """An SSA value or a constant of an integer type or ``ptr``.

    Operators need operands of one type; a Python integer becomes a constant of that type. ``>>`` is a logical
    shift; comparisons are methods (``eq``, ``ult``, ``slt`` …) and give an ``i1``.
    """

    __slots__ = ("constant", "function", "text", "type")

    def __init__(self, function: Function, type: str, text: str, constant: int | None = None) -> None:
        self.function, self.type, self.text, self.constant = function, type, text, constant

    @property
    def width(self) -> int:
        """Width of an integer type in bits."""
        return int(self.type[1:])

    def _binary(self, op: str, other: Value | int, type: str | None = None) -> Value:
        f = self.function
        other = f.value(other, self.type)
        if other.type != self.type:
            raise TypeError(f"{op}: {self.type} {self.text} and {other.type} {other.text}")
        if other.constant == 0 and op in ("add", "or", "xor", "shl", "lshr", "ashr", "sub"):
            return self
        return f.emit(type or self.type, f"{op} {self.type} {self.text}, {other.text}")

    def __add__(self, other: Value | int) -> Value:
        return self._binary("add", other)

    def __sub__(self, other: Value | int) -> Value:
        return self._binary("sub", other)

    def __mul__(self, other: Value | int) -> Value:
        return self._binary("mul", other)

    def __and__(self, other: Value | int) -> Value:
        return self._binary("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._binary("or", other)

    def __xor__(self, other: Value | int) -> Value:
        return self._binary("xor", other)

    def __invert__(self) -> Value:
        return self._binary("xor", -1)

    def __lshift__(self, other: Value | int) -> Value:
        return self._binary("shl", other)

    def __rshift__(self, other: Value | int) -> Value:
        return self._binary("lshr", other)

    def op(self, name: str, other: Value | int) -> Value:
        """Any other binary instruction by its LLVM name: ``ashr``, ``udiv``, ``urem``, …"""
        return self._binary(name, other)

    def _compare(self, predicate: str, other: Value | int) -> Value:
        return self._binary(f"icmp {predicate}", other, "i1")

    def eq(self, other: Value | int) -> Value:
        """One bit: equal."""
        return self._compare("eq", other)

    def ne(self, other: Value | int) -> Value:
        """One bit: not equal."""
        return self._compare("ne", other)

    def ult(self, other: Value | int) -> Value:
        """One bit: less than, unsigned."""
        return self._compare("ult", other)

    def ule(self, other: Value | int) -> Value:
        """One bit: less than or equal, unsigned."""
        return self._compare("ule", other)

    def slt(self, other: Value | int) -> Value:
        """One bit: less than, signed."""
        return self._compare("slt", other)

    def sle(self, other: Value | int) -> Value:
        """One bit: less than or equal, signed."""
        return self._compare("sle", other)

    def to(self, type: str, *, signed: bool = False) -> Value:
        """Truncated, extended, or converted between ``i64`` and ``ptr``."""
        if type == self.type:
            return self
        f = self.function
        if self.constant is not None and type != "ptr":
            negative = signed and self.constant >> (self.width - 1)
            return f.value(self.constant - (1 << self.width) if negative else self.constant, type)
        if type == "ptr":
            return f.emit(type, f"inttoptr {self.type} {self.text} to ptr")
        if self.type == "ptr":
            return f.emit(type, f"ptrtoint ptr {self.text} to {type}")
        wide = int(type[1:]) > self.width
        op = ("sext" if signed else "zext") if wide else "trunc"
        return f.emit(type, f"{op} {self.type} {self.text} to {type}")

    def at(self, offset: Value | int) -> Value:
        """The pointer ``offset`` bytes further."""
        offset = self.function.value(offset, "i64")
        if offset.constant == 0:
            return self
        return self.function.emit("ptr", f"getelementptr i8, ptr {self.text}, i64 {offset.text}")

    def select(self, then: Value, otherwise: Value | int) -> Value:
        """``then`` if this bit is set, else ``otherwise``."""
        otherwise = self.function.value(otherwise, then.type)
        return self.function.emit(
            then.type, f"select i1 {self.text}, {then.type} {then.text}, {otherwise.type} {otherwise.text}"
        )


class Variable:
    """A mutable local; promoted to SSA by the compiler."""

    def __init__(self, function: Function, type: str, pointer: Value) -> None:
        self.function, self.type, self.pointer = function, type, pointer

    def get(self) -> Value:
        """Its value here."""
        return self.function.load(self.type, self.pointer)

    def set(self, value: Value | int) -> None:
        """Change it."""
        self.function.store(self.function.value(value, self.type), self.pointer)


class Function:
    """One function under construction; its blocks are written in order."""

    def __init__(self, name: str, result: str, parameters: Sequence[tuple[str, str]], linkage: str) -> None:
        self.name, self.result, self.linkage = name, result, linkage
        self.parameters = [Value(self, type, f"%{label}") for type, label in parameters]
        self._allocas: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._parts: list[str] = []
        self._frame = 0
        #: The current block already ends with a terminator.
        self.ended = False

    def text(self) -> str:
        """The definition."""
        parameters = ", ".join(f"{p.type} {p.text}" for p in self.parameters)
        head = f"define {self.linkage} {self.result} @{self.name}({parameters}) nounwind {{"
        frame = [f"  %frame = alloca [{self._frame} x i8], align 16"] if self._frame or self._parts else []
        return "\n".join((head, *frame, *self._allocas, *self._lines, "}", *self._parts))

    # -- pieces of a large function

    @contextmanager
    def part(self) -> Iterator[None]:
        """Code that becomes a function of its own, called here: compilers take more than linear time for large ones.

        Parameters and the frame can be used inside; other values and variables from outside cannot, nor the other
        way round.
        """
        name = f"{self.name}.part{self._fresh('')}"
        outer = (self._lines, self._allocas, self.ended)
        self._lines, self._allocas, self.ended = [], [], False
        yield
        self._terminate("ret void")
        given = (*((p.type, p.text) for p in self.parameters), ("ptr", "%frame"))
        listed = ", ".join(f"{type} {text}" for type, text in given)
        head = f"define internal void @{name}({listed}) noinline nounwind {{"
        self._parts.append("\n".join((head, *self._allocas, *self._lines, "}")))
        self._lines, self._allocas, self.ended = outer
        self.line(f"call void @{name}({listed})")

    def in_frame(self, size: int) -> int:
        """Offset of ``size`` more bytes that this function and its parts share."""
        offset = -(-self._frame // 8) * 8
        self._frame = offset + size
        return offset

    def frame(self, offset: int) -> Value:
        """Pointer to what :meth:`in_frame` gave."""
        return Value(self, "ptr", "%frame").at(offset)

    # -- values

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def value(self, value: Value | int, type: str) -> Value:
        """``value`` itself, or the constant of that type."""
        if isinstance(value, Value):
            return value
        if type == "ptr":
            if value:
                raise TypeError("the only constant pointer is null")
            return Value(self, "ptr", "null", 0)
        width = int(type[1:])
        value &= (1 << width) - 1
        shown = value - (1 << width) if width > 1 and value >> (width - 1) else value
        return Value(self, type, str(shown), value)

    def emit(self, type: str, text: str) -> Value:
        """A new value: the result of an instruction given as text."""
        name = self._fresh("%v")
        self.line(f"{name} = {text}")
        return Value(self, type, name)

    def line(self, text: str) -> None:
        """An instruction without a result. Code after a terminator is unreachable: a block of its own."""
        if self.ended:
            self.label(self._fresh("dead"))
        self._lines.append("  " + text)

    def load(self, type: str, pointer: Value, *, align: int | None = None) -> Value:
        """The value at a pointer; ``align=1`` for one of unknown alignment."""
        return self.emit(type, f"load {type}, ptr {pointer.text}" + (f", align {align}" if align else ""))

    def store(self, value: Value, pointer: Value, *, align: int | None = None) -> None:
        """Store to a pointer."""
        self.line(f"store {value.type} {value.text}, ptr {pointer.text}" + (f", align {align}" if align else ""))

    def variable(self, type: str, initial: Value | int) -> Variable:
        """A mutable local with an initial value."""
        name = self._fresh("%m")
        self._allocas.append(f"  {name} = alloca {type}")
        made = Variable(self, type, Value(self, "ptr", name))
        made.set(initial)
        return made

    def buffer(self, size: int) -> Value:
        """Pointer to ``size`` bytes of stack, 16-byte aligned."""
        name = self._fresh("%b")
        self._allocas.append(f"  {name} = alloca [{size} x i8], align 16")
        return Value(self, "ptr", name)

    def symbol(self, name: str) -> Value:
        """Address of a global or function."""
        return Value(self, "ptr", f"@{name}")

    def intrinsic(self, name: str, *arguments: Value, flags: str = "") -> Value:
        """An overloaded intrinsic such as ``llvm.ctpop`` on one integer type; ``flags`` are further arguments."""
        type = arguments[0].type
        listed = ", ".join(f"{a.type} {a.text}" for a in arguments) + (f", {flags}" if flags else "")
        return self.emit(type, f"call {type} @{name}.{type}({listed})")

    # -- control flow

    def label(self, name: str) -> None:
        """Start a block."""
        self._lines.append(f"{name}:")
        self.ended = False

    def _terminate(self, text: str) -> None:
        self.line(text)
        self.ended = True

    def branch(self, label: str) -> None:
        """Jump, unless the block has already ended."""
        if not self.ended:
            self._terminate(f"br label %{label}")

    def branch_if(self, condition: Value, then: str, otherwise: str, weights: str = "") -> None:
        """Conditional jump."""
        self._terminate(
            f"br i1 {condition.text}, label %{then}, label %{otherwise}" + (f", {weights}" if weights else "")
        )

    def new_label(self, prefix: str = "L") -> str:
        """A label not used yet."""
        return self._fresh(prefix)

    @contextmanager
    def if_(self, condition: Value, weights: str = "") -> Iterator[None]:
        """Code that runs only if ``condition`` is set."""
        then, after = self._fresh("then"), self._fresh("after")
        self.branch_if(condition, then, after, weights)
        self.label(then)
        yield
        self.branch(after)
        self.label(after)

    def if_else(self, condition: Value, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Either of two pieces of code."""
        yes, no, after = self._fresh("then"), self._fresh("else"), self._fresh("after")
        self.branch_if(condition, yes, no)
        ends = []
        for label, body in ((yes, then), (no, otherwise)):
            self.label(label)
            body()
            ends.append(self.ended)
            self.branch(after)
        if all(ends):
            self.ended = True
        else:
            self.label(after)

    @contextmanager
    def loop(self) -> Iterator[str]:
        """Endless loop; yields the label behind it, which ``branch`` leaves to."""
        head, after = self._fresh("loop"), self._fresh("after")
        self.branch(head)
        self.label(head)
        yield after
        self.branch(head)
        self.label(after)

    def switch(self, value: Value, cases: Mapping[int, Callable[[], None]], default: Callable[[], None]) -> None:
        """One piece of code by value; falls through to what follows."""
        after, other = self._fresh("after"), self._fresh("other")
        labels = {number: self._fresh("case") for number in cases}
        listed = " ".join(f"{value.type} {number}, label %{label}" for number, label in labels.items())
        self._terminate(f"switch {value.type} {value.text}, label %{other} [{listed}]")
        for label, body in (*((labels[n], b) for n, b in cases.items()), (other, default)):
            self.label(label)
            body()
            self.branch(after)
        self.label(after)

    def call(
        self, result: str, callee: str | Value, *arguments: Value | int, types: Sequence[str] = ()
    ) -> Value | None:
        """An ordinary call; integers among the arguments take their type from ``types`` (default ``i32``)."""
        listed = []
        for index, argument in enumerate(arguments):
            value = self.value(argument, types[index] if index < len(types) else "i32")
            listed.append(f"{value.type} {value.text}")
        target = callee.text if isinstance(callee, Value) else f"@{callee}"
        text = f"call {result} {target}({', '.join(listed)})"
        if result == "void":
            self.line(text)
            return None
        return self.emit(result, text)

    def tail(self, callee: str | Value, *arguments: Value) -> None:
        """A guaranteed tail call (``musttail``) to a function of this one's own type."""
        target = callee.text if isinstance(callee, Value) else f"@{callee}"
        listed = ", ".join(f"{a.type} {a.text}" for a in arguments)
        self.line(f"musttail call {self.result} {target}({listed})")
        self._terminate("ret void")

    def ret(self, value: Value | int | None = None) -> None:
        """Return."""
        if value is None:
            self._terminate("ret void")
        else:
            value = self.value(value, self.result)
            self._terminate(f"ret {value.type} {value.text}")


class Module:
    """Functions and constant tables of one compilation."""

    def __init__(self) -> None:
        self._functions: list[Function] = []
        self._globals: list[str] = []

    def function(
        self, name: str, result: str, parameters: Sequence[tuple[str, str]], *, exported: bool = False
    ) -> Function:
        """Begin a function; ``exported`` ones can be found by name in the linked blob."""
        made = Function(name, result, parameters, "dso_local" if exported else "hidden")
        self._functions.append(made)
        return made

    def exported(self) -> list[str]:
        """Names of the functions that can be found in the linked blob."""
        return [f.name for f in self._functions if f.linkage == "dso_local"]

    def table(self, name: str, type: str, values: Sequence[int | str]) -> None:
        """A constant array."""
        listed = ", ".join(f"{type} {v}" for v in values)
        self._globals.append(f"@{name} = hidden constant [{len(values)} x {type}] [{listed}], align 16")

    def text(self) -> str:
        """The module as text."""
        weights = ('!0 = !{!"branch_weights", i32 2000, i32 1}', '!1 = !{!"branch_weights", i32 1, i32 2000}')
        bodies = [f.text() for f in self._functions]
        for function in self._functions:
            if not function.ended:
                raise ValueError(f"@{function.name} does not end with a return or a tail call")
        declared = sorted(
            {
                f"declare {type} @{name}.{type}({', '.join([type] * count)}{flag})"
                for name, count, flag in _INTRINSICS
                for type in ("i8", "i16", "i32", "i64")
                if not (name == "llvm.bswap" and type == "i8")
                if any(f"@{name}.{type}(" in body for body in bodies)
            }
        )
        return "\n".join((*weights, *declared, *self._globals, *bodies, ""))


_INTRINSICS = (
    ("llvm.ctlz", 1, ", i1"),
    ("llvm.cttz", 1, ", i1"),
    ("llvm.ctpop", 1, ""),
    ("llvm.bswap", 1, ""),
    ("llvm.fshl", 3, ""),
    ("llvm.fshr", 3, ""),
)
