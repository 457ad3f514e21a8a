"""Files that a run writes: whole or not at all, and never one of the run's inputs.

An :class:`OutputFile` is written under a temporary name beside its own and renamed when it is complete. Where the
name is something that cannot be replaced (``/dev/stdout``, a FIFO, a device), it is written to as it is.
"""

from __future__ import annotations

import os
import stat

from rvsim.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BUFFER = 1 << 16


class OutputFile:
    """A file that appears under its name when it is complete.

    Parameters
    ----------
    path : str
        Its name.
    option : str
        The option that it was named with, for messages.

    Raises
    ------
    UserError
        It cannot be created there: no such folder, no permission, a folder of that name.
    """

    def __init__(self, path: str, option: str) -> None:
        self.path = os.fspath(path)
        self._option = option
        self._temporary: str | None = None
        self._buffer = bytearray()
        self._fd = -1
        try:
            existing = os.stat(self.path)
        except FileNotFoundError:
            existing = None
        except OSError as error:
            raise self._error(error) from None
        try:
            if existing is not None and stat.S_ISDIR(existing.st_mode):
                raise UserError(f"{option} {self.path}: is a directory; name a file")
            if existing is not None and not _replaceable(existing):
                self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                return
            # Not beside a symbolic link, but beside the file that it names: the link stays one.
            self._target = os.path.realpath(self.path)
            self._temporary = f"{self._target}.{os.getpid()}.tmp"
            self._fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            if existing is not None:
                os.fchmod(self._fd, stat.S_IMODE(existing.st_mode))
        except OSError as error:
            self._temporary = None
            raise self._error(error) from None

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises
        ------
        UserError
            The disk is full or the like; what was written is removed.
        """
        self._buffer += data
        if len(self._buffer) >= _BUFFER:
            self._drain()

    def commit(self) -> None:
        """Write what is left and give the file its name.

        Raises
        ------
        UserError
            See :meth:`write`.
        """
        if self._fd < 0:
            return
        self._drain()
        try:
            fd, self._fd = self._fd, -1
            os.close(fd)
            if self._temporary is not None:
                os.replace(self._temporary, self._target)
                self._temporary = None
        except OSError as error:
            self.discard()
            raise self._error(error) from None

    def discard(self) -> None:
        """Give up: nothing is left behind, and a file that was there before stays as it was."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            try:
                os.unlink(temporary)
            except OSError:
                return

    def _drain(self) -> None:
        if self._fd < 0:
            # Given up already; whoever still writes on the way out need not know.
            self._buffer.clear()
            return
        try:
            view = memoryview(bytes(self._buffer))
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.discard()
            raise self._error(error) from None
        self._buffer.clear()

    def _error(self, error: OSError) -> UserError:
        return UserError(f"{self._option} {self.path}: {error.strerror}; nothing was written there")


def check_writable(path: str, option: str) -> None:
    """Find out early whether a result can be written there later; nothing is created.

    Raises
    ------
    UserError
        No such folder, no permission, a folder of that name.
    """
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise UserError(f"{option} {path}: is a directory; name a file")
        where = path
    except FileNotFoundError:
        where = ""
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path}: {getattr(error, 'strerror', None) or error}") from None
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise UserError(f"{option} {path}: there is no folder {folder}")
    for needed in (where, folder) if not where or _replaceable(os.stat(path)) else (where,):
        if needed and not os.access(needed, os.W_OK):
            raise UserError(f"{option} {path}: no permission to write {needed}")


def _replaceable(existing: os.stat_result) -> bool:
    """Whether a new file may take its place: not that of a device, nor of what our own output goes to."""
    if not stat.S_ISREG(existing.st_mode):
        return False
    for fd in (1, 2):
        try:
            if os.path.samestat(existing, os.fstat(fd)):
                return False
        except OSError:
            continue
    return True


def write_whole(path: str, option: str, data: bytes) -> None:
    """Write a small file, whole or not at all.

    Raises
    ------
    UserError
        See :class:`OutputFile`.
    """
    file = OutputFile(path, option)
    file.write(data)
    file.commit()


def protect_inputs(outputs: Iterable[tuple[str, str | None]], inputs: Iterable[tuple[str, str | None]]) -> None:
    """Refuse to write over what the run reads, or one result over another.

    Each is an option's name and a path, or None where it was not given. Hard and symbolic links count as the file
    that they name.

    Raises
    ------
    UserError
        Two of them are the same file.
    """
    taken = [(name, path, _identity(path)) for name, path in inputs if path]
    for name, path in outputs:
        if not path:
            continue
        identity = _identity(path)
        for other, other_path, other_identity in taken:
            if identity == other_identity and not _is_stream(path):
                raise UserError(f"{name} {path}: would overwrite {other} {other_path}; name another file")
        taken.append((name, path, identity))


def _identity(path: str) -> object:
    try:
        status = os.stat(path)
        return status.st_dev, status.st_ino
    except (OSError, ValueError):
        return os.path.realpath(path)


def _is_stream(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
