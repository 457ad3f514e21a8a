"""``python -m rvsim.sim``: finds designs, says what is wrong in one line, reports as text and as data."""

import json
import subprocess
import sys

import pytest

from rvsim.sim.cli.command import main

DESIGNS = """
from amaranth.hdl import *

class Quiet(Elaboratable):
    _MustUse__silence = True  # not all of them are used in every test

class Counter(Quiet):
    def __init__(self, width=8):
        self.width = width
        self.enable = Signal()
    def elaborate(self, platform):
        m = Module()
        self.count = Signal(self.width, name="count")
        with m.If(self.enable):
            m.d.sync += self.count.eq(self.count + 1)
        return m

class Sized(Quiet):
    def __init__(self, width, depth=4):
        self.width = width
    def elaborate(self, platform):
        return Counter(self.width).elaborate(platform)

class Broken(Quiet):
    def elaborate(self, platform):
        raise IndexError("no such stage")

class Black(Quiet):
    def elaborate(self, platform):
        m = Module()
        m.submodules.cell = Instance("vendor_cell", i_a=Signal())
        return m

class Talks(Quiet):
    def elaborate(self, platform):
        m = Module()
        m.d.sync += Print("hello")
        return m

class Fails(Quiet):
    def elaborate(self, platform):
        m, n = Module(), Signal(4)
        m.d.sync += [n.eq(n + 1), Assert(n < 9, "too far")]
        return m

class Outside(Quiet):
    def elaborate(self, platform):
        m = Module()
        m.d.comb += Signal(name="wire").eq(Signal(name="input"))
        return m

made = Counter()
number = 3

def switch_on(run):
    run["enable"] = 1

def trip(run):
    run["enabel"] = 1
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    (tmp_path / "counters.py").write_text(DESIGNS)
    (tmp_path / "wrong.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "counters", raising=False)
    yield tmp_path / "counters.py"
    sys.modules.pop("counters", None)


def run(*arguments):
    """Exit status; argparse's own way out included."""
    try:
        return main(arguments)
    except SystemExit as error:
        return error.code


def refused(capsys, *arguments):
    """What standard error says of a mistake."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    "target", ["counters.py:Counter", "counters:Counter", "counters.py:made", "counters.py:Sized(2*4)",
               "counters.py:Counter(width=9)", "./counters.py:lambda: Counter(3)"],
)  # fmt: skip
def test_designs_are_found(file, capsys, target):
    assert run("explain", target, "--cycles", "100", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["target"] == target and found["design"]["registers"] == 1


def test_explain_says_that_inputs_are_held_or_who_drove_them(file, capsys):
    assert run("explain", "counters.py:Counter", "--cycles", "100") == 0
    assert "inputs held at their initial values" in capsys.readouterr().out
    assert run("explain", "counters.py:Counter", "--cycles", "100", "--json", "--drive", "counters.py:switch_on") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inputs"] == "inputs as counters.py:switch_on left them"
    assert [g["taken"] for g in found["guards"] if g["condition"] == "enable"] == [1]


def test_bench_measures_what_it_is_told_to(file, capsys):
    assert run("bench", "counters.py:Counter", "--cycles", "1000", "--skip", "10", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["speed"]["cycles"] == 1000 and found["speed"]["first_cycle"] == 10
    assert found["speed"]["slowest"] <= found["speed"]["cycles_per_second"] <= found["speed"]["fastest"]


@pytest.mark.slow
def test_bench_has_amaranths_simulator_beside_it(file, capsys):
    assert run("bench", "counters.py:Counter", "--cycles", "1000", "--pysim") == 0
    assert "pysim" in capsys.readouterr().out
    assert "no clock" in refused(capsys, "bench", "counters.py:Outside", "--cycles", "1000", "--pysim")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["counters.py"], "write MODULE:CLASS"),
        (["countres.py:Counter"], "no file 'countres.py'; near: counters.py"),
        (["countres:Counter"], "no module 'countres'"),
        (["wrong.py:Counter"], "needs the module 'nowhere_to_be_found'"),
        (["counters.py:Couter"], "no 'Couter'; near: Counter"),
        (["counters.py:Sized"], "Sized needs arguments: width"),
        (["counters.py:Sized("], "is no Python expression"),
        (["counters.py:Counter(wdith=3)"], "unexpected keyword argument 'wdith'"),
        (["counters.py:number"], "number is an int, not an Amaranth design"),
        (["counters.py:Broken"], "elaborating Broken failed: IndexError: no such stage (counters.py:"),
        (["counters.py:Black"], "vendor_cell"),
        (["counters.py:Counter", "--clocks", "fast=3"], "no clock domain is named 'fast'"),
        (["counters.py:Counter", "--clocks", "sync"], "'sync' is not DOMAIN=N"),
        (["counters.py:Counter", "--cycles", "0"], "at least one cycle"),
        (["counters.py:Counter", "--skip", "many"], "'many' is no number of cycles"),
        (["counters.py:Counter", "--drive", "counters.py:trip"], "near: enable"),
        (["counters.py:Counter", "--drive", "counters.py:number"], "not a function"),
        (["counters.py:Fails"], "too far"),
        ([], "required"),
    ],
)
@pytest.mark.parametrize("command", ["bench", "explain"])
def test_mistakes_are_one_line(file, capsys, command, arguments, said):
    assert said in refused(capsys, command, *arguments)


def test_what_the_design_prints_is_not_on_standard_output(file, capsys):
    assert run("explain", "counters.py:Talks", "--cycles", "20", "--skip", "2", "--json") == 0
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert captured.err == "hello\nhello\n"


def test_relative_imports_work_in_packages_and_in_plain_folders(file, capsys):
    for folder, package in (("packed", True), ("plain", False)):
        (file.parent / folder).mkdir()
        if package:
            (file.parent / folder / "__init__.py").write_text("")
        (file.parent / folder / "part.py").write_text(DESIGNS)
        (file.parent / folder / "top.py").write_text("from .part import Counter\n")
        assert run("explain", f"{folder}/top.py:Counter", "--cycles", "10", "--json") == 0
        json.loads(capsys.readouterr().out)


def test_it_runs_as_a_module(file):
    command = [sys.executable, "-m", "rvsim.sim", "explain", "counters.py:Counter", "--cycles", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("counters.py:Counter\n") and done.stderr == ""


def test_design_that_a_package_gives_only_when_asked_is_found(capsys):
    assert main(["bench", "rvsim.sim:Ram(depth=4, width=8)", "--cycles", "1000"]) == 0
    assert "million cycles a second" in capsys.readouterr().out
    assert main(["bench", "rvsim.sim:Rom"]) == 2
    assert "rvsim.sim has no 'Rom'" in capsys.readouterr().err


def test_another_amaranth_and_a_full_disk_are_one_line(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import amaranth; amaranth.__version__ = '0.6.0'")
    command = [sys.executable, "-m", "rvsim.sim"]
    other = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path), "PATH": ""}
    )
    assert (other.returncode, other.stdout) == (2, "")
    assert "supports Amaranth 0.5.x; this is 0.6.0" in other.stderr and "Traceback" not in other.stderr
    with open("/dev/full", "w") as full:
        written = subprocess.run(
            [*command, "bench", "rvsim.sim:Ram(depth=4, width=8)", "--cycles", "1000"], stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert written.returncode == 1
    assert "the report cannot be written: [Errno 28]" in written.stderr and "Traceback" not in written.stderr
