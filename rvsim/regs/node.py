"""Device-tree nodes as plain data, before anything flattens them."""

from __future__ import annotations


class Node:
    """One device-tree node.

    Parameters
    ----------
    name : str
        Node name with its unit address, such as ``"serial@10000000"``.
    properties : dict[str, int | str | bytes | list[int] | list[str] | None]
        In order. An ``int`` is one cell and a list of ``int`` several cells (32 bits each, big-endian in the
        flattened tree), a ``str`` or a list of them is text, ``bytes`` stand as they are, ``None`` is an empty
        property.
    children : list[Node]
        In order.
    """

    __slots__ = ("children", "name", "properties")

    def __init__(
        self,
        name: str,
        properties: dict[str, int | str | bytes | list[int] | list[str] | None] | None = None,
        children: list[Node] | None = None,
    ) -> None:
        self.name = name
        self.properties = properties if properties is not None else {}
        self.children = children if children is not None else []

    def child(self, name: str) -> Node:
        """The child called ``name``; ``KeyError`` if there is none."""
        for node in self.children:
            if node.name == name:
                return node
        raise KeyError(f"{self.name or '/'} has no child {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and (self.name, self.properties, self.children) == (
            other.name,
            other.properties,
            other.children,
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.properties!r}, {self.children!r})"


def reg(base: int, size: int) -> list[int]:
    """A ``reg`` property for ``#address-cells = <2>`` and ``#size-cells = <2>``."""
    return [base >> 32, base & 0xFFFF_FFFF, size >> 32, size & 0xFFFF_FFFF]
