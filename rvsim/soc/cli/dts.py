"""``dts``: the machine's device tree as source text."""

from __future__ import annotations

import sys

from rvsim.errors import UserError
from rvsim.soc.cli.session import configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rvsim.regs.node import Node
    from rvsim.soc.cli.grammar import Arguments


def run(arguments: Arguments) -> int:
    """Print it; 0.

    Raises
    ------
    UserError
        The machine cannot be built.
    """
    from rvsim.soc.devicetree import soc_tree

    config = configuration(arguments)
    try:
        tree = soc_tree(config, bootargs=arguments.append or "")
    except ValueError as error:
        raise UserError(f"--append: {error}") from None
    sys.stdout.write("\n".join(source(tree)) + "\n")
    return 0


def source(tree: Node) -> Iterator[str]:
    """The lines of a device-tree source file (Devicetree Specification 0.4, chapter 6)."""
    yield "/dts-v1/;"
    yield ""
    yield from _node(tree, "")


def _node(node: Node, indent: str) -> Iterator[str]:
    yield f"{indent}{node.name or '/'} {{"
    inner = indent + "\t"
    for name, value in node.properties.items():
        text = _value(value)
        yield f"{inner}{name};" if text is None else f"{inner}{name} = {text};"
    for child in node.children:
        yield ""
        yield from _node(child, inner)
    yield f"{indent}}};"


def _value(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        text = value[:-1]
        if value.endswith(b"\0") and text and all(32 <= byte < 127 for byte in text):
            return _quoted(text.decode())
        return f"[{value.hex(' ')}]"
    if isinstance(value, str):
        return _quoted(value)
    items = value if isinstance(value, (list, tuple)) else [value]
    if items and isinstance(items[0], str):
        return ", ".join(_quoted(item) for item in items)
    return f"<{' '.join(f'{item:#x}' for item in items)}>"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
