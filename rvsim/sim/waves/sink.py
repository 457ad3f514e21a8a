"""Where a waveform is written to: what is in the file is valid at any time, whatever happens to the disk."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TextIO


class Sink:
    """A file by name, or a text stream.

    Parameters
    ----------
    target
        Name of a file, which is made or overwritten; or a text stream, which stays open.

    Raises
    ------
    OSError
        It cannot be written; nothing is left behind.
    """

    def __init__(self, target: str | os.PathLike | TextIO) -> None:
        self._stream, self._descriptor, self._own = None, None, False
        if isinstance(target, str | os.PathLike):
            self.name = os.fspath(target)
            self._descriptor = os.open(self.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            self._own = True
        elif hasattr(target, "write"):
            self.name = str(getattr(target, "name", "the stream"))
            self._stream = target
            with contextlib.suppress(OSError, AttributeError, ValueError):
                # Beneath the stream's own buffer, which would try again what failed.
                target.flush()
                self._descriptor = target.fileno()
        else:
            raise TypeError(f"a waveform goes to a file's name or a text stream, not to {target!r}")
        status = None if self._descriptor is None else os.fstat(self._descriptor)
        self._regular = status is not None and stat.S_ISREG(status.st_mode)
        self._good = self._position()
        self._broken = False

    def _position(self) -> int | None:
        """Where the next byte goes to, if it is possible to come back there."""
        with contextlib.suppress(OSError, AttributeError, ValueError):
            if self._regular:
                return os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if self._descriptor is None:
                return self._stream.tell()
        return None

    def write(self, data: bytes) -> None:
        """Write whole moments. If that is interrupted, the same has to be written again.

        Raises
        ------
        OSError
            It cannot be written; complete moments up to there are in the file, and nothing more will be.
        """
        if self._broken:
            return
        if self._position() != self._good:
            self._back(self._good)  # an interrupted attempt
        done = 0
        try:
            if self._descriptor is None:
                self._stream.write(data.decode())
                self._stream.flush() if hasattr(self._stream, "flush") else None
            else:
                while done < len(data):
                    done += os.write(self._descriptor, memoryview(data)[done : done + (1 << 24)])
        except OSError as error:
            self._broken = True
            whole = data.rfind(b"\n#", 0, done) + 1
            if self._good is not None:
                self._back(self._good + whole)
            raise type(error)(error.errno, error.strerror or str(error), self.name) from None
        self._good = self._position()

    def _back(self, position: int | None) -> None:
        """Drop everything from a position on."""
        if position is None:
            return
        with contextlib.suppress(OSError, AttributeError, ValueError):
            if self._regular:
                os.ftruncate(self._descriptor, position)
                os.lseek(self._descriptor, position, os.SEEK_SET)
            else:
                self._stream.seek(position)
                self._stream.truncate()

    def close(self) -> None:
        """No more will be written."""
        if self._own and self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._broken = None, True

    def remove(self) -> None:
        """Leave no file behind that has nothing in it."""
        own, regular = self._own, self._regular
        self.close()
        if own and regular:
            with contextlib.suppress(OSError):
                os.unlink(self.name)
