"""The whole interpreter as one module of LLVM text."""

from __future__ import annotations

import os

from rvsim.isa.config import IsaConfig
from rvsim.isa.tables import instructions
from rvsim.native.ir import Module

from . import control, csr, decode, handlers, memory, run, translation
from .handlers import Spec

#: Pairs of instructions worth one handler, most frequent first; written by ``benchmarks/tuning/pairs.py``.
PAIRS_FILE = os.path.join(os.path.dirname(__file__), "pairs.txt")


def read_pairs(path: str = PAIRS_FILE) -> list[tuple[str, str, str]]:
    """(first, second, forwarded operand) of each line ``first second [rs1|rs2]``; ``#`` begins a comment."""
    pairs = []
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                words = line.split("#")[0].split()
                if words:
                    pairs.append((words[0], words[1], words[2] if len(words) > 2 else ""))
    except FileNotFoundError:
        pass
    return pairs


def generate(config: IsaConfig, pairs: list[tuple[str, str, str]] | None = None) -> tuple[str, list[str]]:
    """Text of the module, and the labels of its handlers in the order of their numbers."""
    module = Module()
    available = instructions(config)
    singles = handlers.specs(available)
    by_label = {spec.label: spec for spec in singles}
    numbers = {spec.label: n for n, spec in enumerate(singles)}
    symbols = [spec.symbol for spec in singles]
    aligned_jumps = not config.has("c")
    for spec in singles:
        handlers.emit(module, spec.symbol, (spec,), "", aligned_jumps)
    fused: dict[tuple[str, str, str], int] = {}
    for first, second, forward in read_pairs() if pairs is None else pairs:
        if first not in by_label or second not in by_label:
            continue
        a, b = by_label[first], by_label[second]
        if not (a.fuses_first and b.fuses_second) or (first, second, forward) in fused:
            continue
        name = f"p_{first}_{second}_{forward}".replace(".", "_")
        handlers.emit(module, name, (a, b), forward, aligned_jumps)
        fused[first, second, forward] = len(symbols)
        symbols.append(name)
    split, illegal = len(symbols), len(symbols) + 1
    symbols += ["h_split", "h_illegal"]
    decode.Decoder(module, available, numbers, fused, split, illegal).emit()
    translation.emit(module, config)
    memory.emit(module, config)
    control.emit(module, config)
    csr.emit(module, config)
    run.emit(module)
    # Handlers as 32-bit offsets from the table: half the size of addresses, and nothing to relocate.
    table = "ptrtoint (ptr @t_handlers to i64)"
    offsets = [f"trunc (i64 sub (i64 ptrtoint (ptr @{symbol} to i64), i64 {table}) to i32)" for symbol in symbols]
    module.table("t_handlers", "i32", offsets)
    return module.text(), [*numbers, *(" ".join(k).strip() for k in fused), "split", "illegal"]


__all__ = ["Spec", "generate", "read_pairs"]
