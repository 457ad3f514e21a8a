"""What ``Print`` and properties have to say: taken from the log that compiled code leaves, formatted, and told.

The texts are those of Amaranth's own simulator, formatted by Python from the values in the log.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from operator import itemgetter

from .code.layout import LOST, Buffer, Layout, MessagePlace
from .graph.lowering import Design, Message
from .netlist import Chunk

_PROPERTIES = {"assert": "Assertion violated", "assume": "Assumption violated"}


def to_stdout(text: str) -> None:
    """Where texts go by default: Python's standard output, whatever that is now."""
    print(text, end="")


class Voice:
    """One statement: how its entries in the log become text.

    Attributes
    ----------
    is_property
        It speaks only when it is violated.
    location
        ``file:line``.
    process
        What it stops when it is violated, in Amaranth's simulator: statements of a module in a domain run in order.
    """

    def __init__(self, message: Message, place: MessagePlace) -> None:
        cell = message.cell
        self.is_property, self.location = cell.kind in _PROPERTIES, cell.location
        self.process = (cell.module, message.clock, message.edge)
        template = "".join(_template(chunk) for chunk in cell.message)
        if self.is_property:
            template = f"{_PROPERTIES[cell.kind]}: {template}" if cell.message else _PROPERTIES[cell.kind]
        elif cell.kind == "cover":
            template = f"Coverage hit at {_literal(cell.location)}: {template}\n"
        self._template = template
        chunks = [chunk for chunk in cell.message if isinstance(chunk, Chunk)]
        self._convert = []
        codes = ["<"]
        for index, (chunk, (_, size)) in enumerate(zip(chunks, place.values)):
            codes.append(f"{size}s" if size > 8 or not chunk.value else "q" if chunk.signed else "Q")
            if not chunk.value:
                self._convert.append((index, _nothing))
            elif size > 8:
                self._convert.append((index, _wide_signed if chunk.signed else _wide))
            if chunk.specification.endswith("s"):
                self._convert.append((index, _string))
        self._values = struct.Struct("".join(codes))

    def text(self, entry: bytes) -> str:
        """The text of an entry's values.

        Raises
        ------
        ValueError, OverflowError
            They are no text: not UTF-8 under ``{:s}``, not a character under ``{:c}``.
        """
        values = self._values.unpack(entry)
        if self._convert:
            values = list(values)
            for index, convert in self._convert:
                values[index] = convert(values[index])
        return self._template.format(*values)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _template(chunk: str | Chunk) -> str:
    return _literal(chunk) if isinstance(chunk, str) else f"{{:{chunk.specification.removesuffix('s')}}}"


def _nothing(raw: bytes) -> int:
    return 0


def _wide(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _wide_signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _string(value: int) -> str:
    """Characters from the least significant byte on; zeros do not count."""
    return value.to_bytes(-(-value.bit_length() // 8), "little").replace(b"\0", b"").decode()


class Messages:
    """Entries of a log that wait to be told.

    Parameters
    ----------
    design, layout, buffer
        The design, and where its log is.
    """

    def __init__(self, design: Design, layout: Layout, buffer: Buffer) -> None:
        self._layout, self._buffer = layout, buffer
        self._voices = [(Voice(m, place), place.size) for m, place in zip(design.messages, layout.messages)]
        self._waiting: deque[tuple[Voice, bytes]] = deque()
        self._violated: list[tuple[Voice, str]] = []
        self._lost = False

    def tell(self, out: Callable[[str], object], where: str = "") -> None:
        """Hand texts over in the order in which they came up, then raise what was violated.

        Parameters
        ----------
        out
            Gets one text after another, with its line ends. If it raises an exception, the rest waits for the next
            time.
        where
            Said of violated properties, after their place in the source. Without it, texts and order are those of
            Amaranth's simulator: what follows a violated property in its module and domain is not reached.

        Raises
        ------
        AssertionError
            ``Assert`` or ``Assume`` was violated; the traceback ends at the statement. Further ones are its notes.
        RuntimeError
            The log was too small for what came up in a single cycle.
        """
        self.take()
        while self._waiting:
            voice, entry = self._waiting.popleft()
            if not where and any(voice.process == other.process for other, _ in self._violated):
                continue
            text = voice.text(entry)
            if voice.is_property:
                self._violated.append((voice, f"{text} ({voice.location}, {where})" if where else text))
            else:
                out(text)
        if self._violated:
            (first, text), *others = self._violated
            self._violated.clear()
            error = AssertionError(text)
            for _, text in others:
                error.add_note(text)
            raise_at(first.location, error)
        if self._lost:
            self._lost = False
            raise RuntimeError(
                f"Print and properties had more to say in one cycle than the {self._layout.log_bytes} bytes that are "
                f"kept of it: the rest is lost"
            )

    def take(self) -> None:
        """Empty the log into what waits to be told."""
        layout = self._layout
        fired = struct.unpack_from("<Q", self._buffer, layout.fired)[0]
        if not fired:
            return
        self._lost |= bool(fired & LOST)
        end = fired & (LOST - 1)
        log = self._buffer[layout.log : layout.log + end]
        self.forget()
        entries, position = [], 0
        while position < end:
            index, instant = struct.unpack_from("<QQ", log, position)
            voice, size = self._voices[index]
            entries.append((instant, index, voice, log[position + 16 : position + size]))
            position += size
        # Within an instant compiled code takes them in any order: they are to come in that of the source.
        entries.sort(key=itemgetter(0, 1))
        self._waiting.extend((voice, entry) for _, _, voice, entry in entries)

    def forget(self, *, waiting: bool = False) -> None:
        """Empty the log; also of what waits to be told."""
        if waiting:
            self._waiting.clear()
            self._violated.clear()
            self._lost = False
        struct.pack_into("<Q", self._buffer, self._layout.fired, 0)


def raise_at(location: str, error: Exception) -> None:
    """Raise an exception from a line of a source file (``file:line``), as its traceback says."""
    file, _, line = location.rpartition(":")
    if not file:
        raise error
    exec(compile("\n" * (int(line) - 1) + "raise error", file, "exec"), {"error": error})
