"""Running the command line as a person does: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rvsim

ROOT = Path(rvsim.__file__).parents[1]


def environment(**more):
    """The environment of a child that runs from another folder, with Python's streams as most people have them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture
def command(tmp_path):
    """``command(*words)`` runs rvsim in a folder of its own; the result has ``returncode``, ``stdout``, ``stderr``."""

    def run(*words, input=b"", timeout=120, **options):
        options.setdefault("env", environment())
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        if "stdin" not in options:
            options["input"] = input
        line = [sys.executable, "-m", "rvsim.soc", *map(str, words)]
        return subprocess.run(line, cwd=tmp_path, timeout=timeout, **options)

    return run


@pytest.fixture
def start(tmp_path):
    """As ``command``, but returns the running process; one that is left over is killed."""
    started = []

    def popen(*words, **options):
        options.setdefault("env", environment())
        line = [sys.executable, "-m", "rvsim.soc", *map(str, words)]
        process = subprocess.Popen(line, cwd=tmp_path, **options)
        started.append(process)
        return process

    yield popen
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def program(tmp_path):
    """``program(source)`` makes an ELF file in the test's folder and returns its name."""
    from tests.soc.programs import program_elf

    def build(source, name="a.elf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(program_elf(source))
        return name

    return build


@pytest.fixture(scope="session", autouse=True)
def compiled_core():
    """The core's machine code is in the cache: what rvsim says while it compiles is not what is tested."""
    from rvsim.cpu.functional.build import interpreter
    from rvsim.isa.config import IsaConfig

    interpreter(IsaConfig())
