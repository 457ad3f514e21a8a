"""Structures shared with Python, as generated code sees them."""

from __future__ import annotations

import ctypes

from rvsim.native.ir import Function, Module, Value

from .context import offset

_SIZES = {4: "i32", 8: "i64"}


class Fields:
    """Fields of a structure that a pointer leads to."""

    def __init__(self, f: Function, pointer: Value, structure: type) -> None:
        self.f, self.pointer = f, pointer
        self.types = {name: kind for name, kind, *_ in structure._fields_}
        self.structure = structure

    def at(self, name: str) -> Value:
        """Pointer to a field."""
        return self.pointer.at(offset(self.structure, name))

    def get(self, name: str) -> Value:
        """A field as 64 bits (32-bit ones are signed)."""
        kind = _SIZES[ctypes.sizeof(self.types[name])]
        return self.f.load(kind, self.at(name)).to("i64", signed=True)

    def pointer_to(self, name: str) -> Value:
        """A field that is an address."""
        return self.get(name).to("ptr")

    def set(self, name: str, value: Value | int) -> None:
        """Change a 64-bit field."""
        self.f.store(self.f.value(value, "i64"), self.at(name))

    def element(self, name: str, index: Value, structure: type) -> Fields:
        """An element of the array whose address is in a field."""
        return Fields(self.f, self.pointer_to(name).at(index * ctypes.sizeof(structure)), structure)


def function(
    module: Module, name: str, result: str, *parameters: tuple[str, str], exported: bool = False
) -> tuple[Function, list[Value]]:
    """Begin a function; it and its parameters."""
    f = module.function(name, result, parameters, exported=exported)
    return f, f.parameters
