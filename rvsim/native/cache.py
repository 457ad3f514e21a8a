"""Machine code kept in the user's cache and mapped executable on a warm start, without LLVM.

A cached object is valid for one *stamp*: a text that names every source file with size and modification time, and
whatever else decides the code. It is compared in full, so a stale entry can never be taken for the right one.
"""

from __future__ import annotations

import ctypes
import marshal
import mmap
import os
import struct
import sys
import time
import zlib

from rvsim.cachedir import cache_directory

#: Sources that changed after this cannot be what this process has imported.
_IMPORTED_AT = time.time_ns()

_MAGIC = b"rvsimobj3"
_HEAD = struct.Struct("<9sIIQ")  # magic, length of the marshalled header, CRC-32 of header and code, the code's length

#: So many entries of one kind are kept by default, the least recently used ones go.
KEEP = 12


def source_stamp(*directories: str) -> str:
    """Names, sizes and modification times of the source files in some directories (not below them)."""
    lines = [sys.version, sys.platform, os.uname().machine]
    for directory in directories:
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name.endswith((".py", ".txt")):
                    status = entry.stat()
                    lines.append(f"{directory}/{entry.name} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}")
    return "\n".join(lines)


def changed_since_import(*directories: str) -> bool:
    """Whether a source file there was changed while this process ran, which may have imported the old one."""
    for directory in directories:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".txt")) and entry.stat().st_ctime_ns > _IMPORTED_AT:
                    return True
    return False


def _path(kind: str, stamp: str) -> str:
    return os.path.join(cache_directory("code"), f"{kind}-{zlib.crc32(stamp.encode()):08x}.bin")


class Code:
    """Machine code in memory.

    Attributes
    ----------
    symbols
        Name → address.
    extra
        What the producer stored along with it (marshallable).
    size
        Bytes of machine code; 0 if unknown.
    """

    def __init__(self, base: int, offsets: dict[str, int], extra: object, keep: object, size: int = 0) -> None:
        self.symbols = {name: base + offset for name, offset in offsets.items()}
        self.extra, self.size = extra, size
        self._keep = keep

    def function(self, name: str, result: object, *parameters: object) -> object:
        """A callable for an exported function; the GIL is released while it runs."""
        return ctypes.CFUNCTYPE(result, *parameters)(self.symbols[name])


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    )  # fmt: skip
    return libc


def map_code(code: bytes, descriptor: int = -1, offset: int = 0) -> int:
    """Address of executable memory with that code: from a file, or a copy where that is not possible.

    Raises
    ------
    OSError
        Executable mappings are refused.
    """
    failed = ctypes.c_void_p(-1).value
    libc = _libc()
    if descriptor >= 0:
        address = libc.mmap(None, len(code), mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, descriptor, offset)
        if address != failed:
            return address
    size = -(-len(code) // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if address == failed:
        raise OSError(ctypes.get_errno(), "no memory for generated code")
    ctypes.memmove(address, code, len(code))
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "this system refuses executable mappings")
    return address


def load(kind: str, stamp: str) -> Code | None:
    """The cached code for a stamp, or ``None``. A damaged or foreign file counts as absent."""
    try:
        descriptor = os.open(_path(kind, stamp), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None  # somebody else could have written it
        data = os.pread(descriptor, status.st_size, 0)
        magic, header_length, check, length = _HEAD.unpack_from(data)
        start = -(-(_HEAD.size + header_length) // mmap.PAGESIZE) * mmap.PAGESIZE
        code = data[start:]
        header_bytes = data[_HEAD.size : _HEAD.size + header_length]
        if magic != _MAGIC or len(code) != length or zlib.crc32(code, zlib.crc32(header_bytes)) != check:
            return None
        header = marshal.loads(header_bytes)
        if header["stamp"] != stamp:
            return None
        os.utime(descriptor)  # what is used stays
        return Code(map_code(code, descriptor, start), header["symbols"], header["extra"], None, len(code))
    except (struct.error, ValueError, EOFError, TypeError, KeyError, OSError):
        return None
    finally:
        os.close(descriptor)


def store(
    kind: str,
    stamp: str,
    code: bytes,
    symbols: dict[str, int],
    extra: object,
    *,
    keep: int = KEEP,
    limit: int | None = None,
) -> None:
    """Keep code for later starts. Not being able to (a full or read-only disk) is no error: it is only slower.

    Parameters
    ----------
    keep, limit
        Entries of this kind that stay, and bytes that they may have together.
    """
    header = marshal.dumps({"stamp": stamp, "symbols": symbols, "extra": extra})
    check = zlib.crc32(code, zlib.crc32(header))
    head = _HEAD.pack(_MAGIC, len(header), check, len(code)) + header
    head += bytes(-len(head) % mmap.PAGESIZE)
    path = _path(kind, stamp)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(head + code)
        os.replace(temporary, path)
        _prune(os.path.dirname(path), kind, keep, limit)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            return


def _prune(directory: str, kind: str, keep: int, limit: int | None) -> None:
    entries = [e for e in os.scandir(directory) if e.name.startswith(f"{kind}-") and e.name.endswith(".bin")]
    entries.sort(key=lambda e: e.stat().st_mtime, reverse=True)
    total = 0
    for index, entry in enumerate(entries):
        total += entry.stat().st_size
        if index >= keep or (limit is not None and index and total > limit):
            os.unlink(entry.path)
