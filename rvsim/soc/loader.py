"""What goes where in guest memory before the hart starts, checked before a byte is written."""

from __future__ import annotations

from rvsim.errors import UserError
from rvsim.frozen import Frozen
from rvsim.soc.config import size_text
from rvsim.soc.description import RAM_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.elfplan import ElfPlan, Segment
    from rvsim.soc.files import InputFile

DTB_ROOM = 0x1_0000
"""Memory kept for a device tree: OpenSBI adds nodes to it in place, so that it cannot stay in the ROM."""

_CHUNK = 1 << 20
_PAGES_BELOW = 1 << 16


class Piece(Frozen):
    """A contiguous part of guest memory and what is in it at reset.

    Parameters
    ----------
    role : str
        What it is, for messages: ``"kernel"``.
    address : int
        Physical.
    size : int
        Bytes of memory that it claims. Those behind its content are zeroed if ``zero`` is set, and are otherwise
        only kept free of other pieces.
    file, offset, length
        Content: a part of a file ...
    data : bytes
        ... or these bytes, if ``file`` is None.
    zero : bool
        See ``size``.
    """

    role: str
    address: int
    size: int
    file: InputFile | None = None
    offset: int = 0
    length: int = 0
    data: bytes = b""
    zero: bool = False

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size

    @property
    def name(self) -> str:
        """Role and file name."""
        return f"{self.role} {self.file.path}" if self.file is not None else self.role


class Layout:
    """The pieces of one machine's memory.

    Parameters
    ----------
    memory : int
        Bytes of RAM.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.end = RAM_BASE + memory
        self.pieces: list[Piece] = []

    def add(self, piece: Piece) -> Piece:
        """Claim the piece's memory.

        Raises
        ------
        UserError
            It is not in RAM, or overlaps another piece.
        """
        where = f"{piece.address:#010x}..{piece.end - 1:#010x}"
        ram = f"RAM {RAM_BASE:#010x}..{self.end - 1:#010x}"
        if piece.address < RAM_BASE or piece.address >= 1 << 32:
            raise UserError(f"{piece.name}: {where} is outside of {ram}; link or place it there")
        if piece.end > self.end:
            # From the address that it was given one can say how much would do.
            needed = -(-(piece.end - RAM_BASE) >> 20)
            raise UserError(
                f"{piece.name}: {where} does not fit into {ram}; memory {size_text(self.memory)} is too small,"
                f" try --memory {needed}M or more"
                if piece.end <= 1 << 32
                else f"{piece.name}: {where} is outside of {ram}; link or place it there"
            )
        for other in self.pieces:
            if piece.address < other.end and other.address < piece.end:
                raise UserError(
                    f"{piece.name} at {where} overlaps {other.name} at {other.address:#010x}..{other.end - 1:#010x}"
                )
        self.pieces.append(piece)
        return piece

    def is_free(self, address: int, size: int) -> bool:
        """Whether the range is in RAM and no piece is there."""
        return (
            address >= RAM_BASE
            and address + size <= self.end
            and all(address >= piece.end or piece.address >= address + size for piece in self.pieces)
        )

    def load(self, ram: memoryview) -> None:
        """Write all pieces into RAM that is all zero still and in which nothing runs yet."""
        for piece in self.pieces:
            start = piece.address - RAM_BASE
            if piece.file is not None:
                piece.file.read_into(ram[start : start + piece.length], piece.offset)
            else:
                ram[start : start + len(piece.data)] = piece.data

    def reload(self, memory: object) -> None:
        """Write all pieces again through the DMA path, which drops code that was decoded before."""
        for piece in self.pieces:
            length = piece.length if piece.file is not None else len(piece.data)
            for offset in range(0, length, _CHUNK):
                count = min(_CHUNK, length - offset)
                if piece.file is not None:
                    data = piece.file.read(piece.offset + offset, count)
                else:
                    data = piece.data[offset : offset + count]
                memory.write(piece.address + offset, data)
            if piece.zero:
                for offset in range(length, piece.size, _CHUNK):
                    memory.write(piece.address + offset, bytes(min(_CHUNK, piece.size - offset)))


def add_elf(layout: Layout, file: InputFile, plan: ElfPlan) -> None:
    """Add the segments of an ELF file.

    Raises
    ------
    UserError
        See :meth:`Layout.add`.
    """
    for segment in plan.segments:
        below = RAM_BASE - segment.address
        if 0 < below <= _PAGES_BELOW and _is_padding(file, plan, segment, below):
            if below >= segment.size:
                continue
            segment = segment.replace(
                address=RAM_BASE,
                virtual=segment.virtual + below,
                offset=segment.offset + below,
                length=max(0, segment.length - below),
                size=segment.size - below,
            )
        layout.add(
            Piece(
                role=file.role,
                address=segment.address,
                size=segment.size,
                file=file,
                offset=segment.offset,
                length=segment.length,
                zero=True,
            )
        )


def _is_padding(file: InputFile, plan: ElfPlan, segment: Segment, size: int) -> bool:
    """Whether the first ``size`` bytes are the file's own headers and zeros.

    Without a linker script, the linker puts a page with the headers in front of the program, which for a program at
    the beginning of RAM is outside of it.
    """
    data = file.read(segment.offset, min(size, segment.length))
    return not any(data[max(0, plan.headers - segment.offset) :])


def add_raw(layout: Layout, file: InputFile, address: int, size: int | None = None) -> None:
    """Add a whole file as it is, which claims ``size`` bytes (default: its length).

    Raises
    ------
    UserError
        It is empty; see also :meth:`Layout.add`.
    """
    if not file.size:
        raise file.error("is empty", "")
    layout.add(
        Piece(
            role=file.role,
            address=address,
            size=max(size or 0, file.size),
            file=file,
            length=file.size,
        )
    )


def dtb_address(layout: Layout, size: int = 0) -> int:
    """A place for a device tree of ``size`` bytes that no piece has claimed; 0 if there is none.

    Near the end of RAM, but where a 32-bit kernel maps all memory, and not across a multiple of 4 MiB, since Linux
    maps it with one large page.
    """
    room = max(DTB_ROOM, -(-(size + DTB_ROOM // 2) // 4096) * 4096)
    address = (min(layout.end, RAM_BASE + (768 << 20)) - room) & ~(DTB_ROOM - 1)
    for place in range(address, max(RAM_BASE, address - (64 << 20)) - 1, -DTB_ROOM):
        if layout.is_free(place, room) and place >> 22 == (place + room - 1) >> 22:
            return place
    return 0
