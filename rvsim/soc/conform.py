"""Conformance suites: which files are tests, what their outcome means, how signatures are compared.

A test is an ELF file for RV32, whatever its name. It passes if it says so (1 written to ``tohost``, or the test
finisher) and, where a reference lies beside it, if its signature is that of the reference.
"""

from __future__ import annotations

import os
import stat
import struct

from rvsim.errors import UserError
from rvsim.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rvsim.soc.machine import Machine
    from rvsim.soc.outcome import Outcome

TIMEOUT = 5.0
"""Seconds that one test may take unless the user says otherwise."""

PASS, FAIL, TIMED_OUT, SKIP = "pass", "FAIL", "TIMEOUT", "skip"

_EM_RISCV = 243
_KINDS = {1: "an object file", 4: "a core dump"}


class Result(Frozen):
    """What came of one test.

    ``number`` is that of the sub-test that failed, 0 where the program does not say; ``detail`` is one line;
    ``console`` is the end of what the program printed.
    """

    path: str
    verdict: str
    number: int = 0
    detail: str = ""
    seconds: float = 0.0
    console: bytes = b""

    def carried(self) -> tuple:
        """The fields as plain values, to pass between processes."""
        return self._values()

    @classmethod
    def restored(cls, values: tuple) -> Result:
        """The inverse of :meth:`carried`."""
        return cls(**dict(zip(cls._fields, values)))


def find_programs(roots: Iterable[str]) -> list[str]:
    """Every ELF file below the given folders (a file stands for itself), each once, in order of its name.

    Raises
    ------
    UserError
        A folder does not exist or cannot be read.
    """
    found: dict[tuple[int, int], str] = {}
    for root in roots:
        try:
            status = os.stat(root)
        except (OSError, ValueError) as error:
            raise UserError(f"conform {root}: {getattr(error, 'strerror', None) or error}") from None
        if not stat.S_ISDIR(status.st_mode):
            paths = [root]
        else:
            try:
                os.scandir(root).close()
            except OSError as error:
                raise UserError(f"conform {root}: {error.strerror}") from None
            paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
        for path in sorted(paths):
            identity = _elf_identity(path)
            if identity is not None:
                found.setdefault(identity, path)
    return list(found.values())


def _elf_identity(path: str) -> tuple[int, int] | None:
    try:
        # O_NONBLOCK: the opening of a FIFO would wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and os.read(fd, 4) == b"\x7fELF":
            return status.st_dev, status.st_ino
    except OSError:
        pass
    finally:
        os.close(fd)
    return None


def unsupported(path: str) -> str:
    """Why an ELF file is no test for this machine; empty if it is one."""
    try:
        with open(path, "rb") as file:
            header = file.read(20)
    except OSError as error:
        return str(error.strerror)
    if len(header) < 20 or header[4] not in (1, 2) or header[5] not in (1, 2):
        return ""  # damaged: it fails, with the loader's reason
    if header[5] != 1:
        return "big-endian"
    kind, machine = struct.unpack_from("<HH", header, 16)
    if machine != _EM_RISCV:
        return f"not for RISC-V (machine {machine})"
    if header[4] != 1:
        return "64-bit"
    return _KINDS.get(kind, "")


def reference_of(path: str) -> str | None:
    """The reference signature beside a program: ``X.reference_output`` for ``X.elf`` or ``X``."""
    stem = path.removesuffix(".elf")
    for candidate in dict.fromkeys((stem, path)):
        candidate += ".reference_output"
        if os.path.isfile(candidate):
            return candidate
    return None


def signature(machine: Machine) -> str | None:
    """The words from ``begin_signature`` to ``end_signature``, 4 bytes a line; None if the program has no such symbols.

    A last word that is not whole is filled up with zeros.
    """
    begin, end = (machine.symbols.get(name) for name in ("begin_signature", "end_signature"))
    if begin is None or end is None:
        return None
    try:
        data = bytes(machine.memory.read(begin, max(0, end - begin)))
    except ValueError:
        raise UserError(f"signature {begin:#010x}..{end:#010x} is outside of memory; link it into RAM") from None
    data += bytes(-len(data) % 4)
    return "".join(f"{word:08x}\n" for (word,) in struct.iter_unpack("<I", data))


def compare_signature(ours: str | None, reference: str) -> str:
    """The first difference between a signature and its reference, in a few words; empty if they are the same.

    Both are hexadecimal words, one a line; case and blank lines do not count.
    """
    if ours is None:
        return "no signature: the program defines no begin_signature and end_signature"
    words, expected = ours.lower().split(), reference.lower().split()
    for line, (word, other) in enumerate(zip(words, expected), 1):
        if word != other:
            return f"signature differs in line {line}: {word}, expected {other}"
    if len(words) != len(expected):
        return f"signature has {len(words)} words, expected {len(expected)}"
    return ""


def judge(outcome: Outcome) -> tuple[str, int, str]:
    """Verdict, test number and detail of how a run ended."""
    if outcome.kind in ("limit", "timeout"):
        return TIMED_OUT, 0, outcome.message
    if outcome.kind == "power-off" or (outcome.kind == "exit" and outcome.code == 0):
        return PASS, 0, ""
    if outcome.kind == "exit":
        return FAIL, outcome.code, f"test {outcome.code}"
    return FAIL, 0, outcome.message or outcome.kind


def junit(results: Iterable[Result], suite: str, seconds: float) -> str:
    """The results as JUnit XML."""
    results = list(results)
    count = {verdict: sum(r.verdict == verdict for r in results) for verdict in (FAIL, TIMED_OUT, SKIP)}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="{_xml(suite)}" tests="{len(results)}" failures="{count[FAIL] + count[TIMED_OUT]}"'
        f' errors="0" skipped="{count[SKIP]}" time="{seconds:.3f}">',
    ]
    for result in results:
        folder, name = os.path.split(result.path)
        head = f'  <testcase classname="{_xml(folder or ".")}" name="{_xml(name)}" time="{result.seconds:.3f}"'
        if result.verdict == PASS:
            lines.append(head + "/>")
            continue
        lines.append(head + ">")
        if result.verdict == SKIP:
            lines.append(f'    <skipped message="{_xml(result.detail)}"/>')
        else:
            kind = "timeout" if result.verdict == TIMED_OUT else "failure"
            lines.append(f'    <failure type="{kind}" message="{_xml(result.detail)}"/>')
            if result.console:
                text = result.console.decode("utf-8", "replace").replace("\r\n", "\n")
                lines.append(f"    <system-out>{_xml(text)}</system-out>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>", ""])


def _xml(text: str) -> str:
    # XML 1.0 has no way to write most control characters, nor half a surrogate pair.
    text = "".join(
        character
        if character in "\t\n"
        or (ord(character) >= 32 and not 0xD800 <= ord(character) < 0xE000 and ord(character) & 0xFFFE != 0xFFFE)
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;")):
        text = text.replace(plain, entity)
    return text
