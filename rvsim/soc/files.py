"""Opening the files a user names, and saying in one line what is wrong with them."""

from __future__ import annotations

import os
import stat

from rvsim.errors import UserError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO (pipe)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


class InputFile:
    """A regular file, kept open so that a reboot finds the same content even if the name is replaced meanwhile.

    Parameters
    ----------
    path : str
        Its name.
    role : str
        What it is wanted for, such as ``"kernel"``: messages begin with it.

    Raises
    ------
    UserError
        It is missing, unreadable, or not a regular file (opening a FIFO would wait for ever).
    """

    def __init__(self, path: str, role: str) -> None:
        self.path = os.fspath(path)
        self.role = role
        self.fd = -1
        try:
            status = os.stat(self.path)
            if not stat.S_ISREG(status.st_mode):
                kind = next((name for test, name in _KINDS if test(status.st_mode)), "no regular file")
                raise UserError(f"{role} {self.path}: is {kind}; a regular file is needed")
            self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise UserError(f"{role} {self.path}: no such file") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{role} {self.path}: {getattr(error, 'strerror', None) or error}") from None
        self.size = os.fstat(self.fd).st_size

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """``size`` bytes at ``offset`` (default: all to the end), fewer where the file ends before."""
        size = self.size - offset if size is None else size
        parts = []
        try:
            while size > 0 and (part := os.pread(self.fd, min(size, 1 << 30), offset)):
                parts.append(part)
                offset += len(part)
                size -= len(part)
        except OSError as error:
            raise UserError(f"{self.role} {self.path}: {error.strerror}") from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill ``target`` from ``offset`` on without another copy.

        Raises
        ------
        UserError
            The file ends before, because it was cut short since it was looked at.
        """
        try:
            while target:
                count = os.preadv(self.fd, [target], offset)
                if not count:
                    raise self.error("was cut short while it was read", "")
                target, offset = target[count:], offset + count
        except OSError as error:
            raise UserError(f"{self.role} {self.path}: {error.strerror}") from None

    def error(self, problem: str, remedy: str) -> UserError:
        """The exception that says ``problem`` of this file and what to do."""
        return UserError(f"{self.role} {self.path}: {problem}{'; ' if remedy else ''}{remedy}")
