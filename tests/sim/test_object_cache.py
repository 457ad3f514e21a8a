"""Compiled designs in the user's cache; runs in threads, and their interruption."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.cachedir import cache_directory
from rvsim.native import cache, compiler
from rvsim.sim import CompiledEngine, Runner, model, private


class Summing(Elaboratable):
    """Adds up the rows of a memory."""

    def __init__(self, step=1, rows=(1, 2, 3)):
        self.step, self.rows, self.total = step, rows, Signal(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = Memory(shape=16, depth=4, init=self.rows)
        port, place = rom.read_port(domain="comb"), Signal(2)
        m.d.comb += port.addr.eq(place)
        m.d.sync += [place.eq(place + 1), self.total.eq(self.total + port.data * self.step)]
        return m


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def no_compiler(monkeypatch):
    """From here on nothing can be compiled."""

    def forbid():
        monkeypatch.setattr(compiler, "compile_object", lambda *_: pytest.fail("was not in the cache"))

    return forbid


def total(**options):
    dut = Summing(**options)
    run = Runner(dut)
    run(8)
    return run[dut.total]


def entries():
    return sorted(os.listdir(cache_directory("code")))


def test_second_time_nothing_is_compiled(no_compiler):
    assert total() == 12
    no_compiler()
    assert total() == 12


def test_engine_of_the_simulator_is_cached_too(no_compiler):
    def simulate():
        dut, seen = Summing(), []
        simulator = Simulator(dut, engine=CompiledEngine)
        simulator.add_clock(1e-6)

        async def bench(ctx):
            await ctx.tick().repeat(8)
            seen.append(ctx.get(dut.total))

        simulator.add_testbench(bench)
        simulator.run()
        return seen

    assert simulate() == [12]
    no_compiler()
    assert simulate() == [12]


def test_contents_of_memories_are_not_part_of_the_code(no_compiler):
    assert total() == 12
    no_compiler()
    assert total(rows=(10, 20, 30)) == 120


def test_another_design_has_another_entry():
    assert total() == 12
    before = entries()
    assert total(step=3) == 36
    assert len(entries()) > len(before)


def test_damaged_entries_are_made_again():
    assert total() == 12
    for name in entries():
        path = os.path.join(cache_directory("code"), name)
        with open(path, "r+b") as file:
            file.seek(-3, os.SEEK_END)
            file.write(b"xyz")
    assert total() == 12


def test_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "rvsim").write_text("a file where a directory should be")
    assert total() == 12


def test_size_of_the_cache_is_limited(monkeypatch):
    monkeypatch.setattr(model, "KEPT", 3)
    for step in range(1, 8):
        assert total(step=step) == 12 * step
    assert len(entries()) == 3
    total(step=7)
    monkeypatch.setattr(model, "KEPT", 1000)
    monkeypatch.setattr(model, "KEPT_BYTES", 1)
    total(step=9)
    assert len(entries()) == 1


def test_entry_in_use_is_the_last_to_go():
    for number in range(4):
        cache.store("test", f"{number}", b"\xc3", {}, None, keep=4)
    for path in os.scandir(cache_directory("code")):
        os.utime(path, (1, 1))
    assert cache.load("test", "0") is not None
    cache.store("test", "4", b"\xc3", {}, None, keep=2)
    assert cache.load("test", "0") is not None
    assert cache.load("test", "1") is None


def test_several_processes_share_a_cache():
    program = "import sys; from tests.sim.test_object_cache import total; sys.exit(total(step=5) != 60)"
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], cwd=root) for _ in range(4)]
    assert [p.wait(60) for p in processes] == [0] * 4
    assert not [name for name in entries() if name.endswith(".tmp")]


def test_other_release_of_amaranth_is_refused(monkeypatch):
    monkeypatch.setattr(private.amaranth, "__version__", "0.6.0")
    with pytest.raises(ImportError, match=r"supports Amaranth 0\.5\.x; this is 0\.6\.0"):
        private.check_version()


# -- threads and Ctrl-C


def test_runners_in_threads_are_independent():
    results = {}

    def work(step):
        dut = Summing(step=step)
        run = Runner(dut)
        for _ in range(50):
            run(4000)
        results[step] = run[dut.total]

    threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {step: step * 6 * 50_000 % (1 << 32) for step in (1, 2, 3)}


def test_interpreter_is_free_while_a_design_runs():
    run = Runner(Summing())
    ticks, ended = 0, threading.Event()

    def work():
        run(20_000_000)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not ended.wait(0.001):
        ticks += 1
    thread.join(60)
    assert run.cycle == 20_000_000
    assert ticks > 0


def test_ctrl_c_stops_between_cycles_and_the_run_can_go_on():
    dut = Summing()
    run = Runner(dut)

    def press():
        while run.cycle < 1000:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(1 << 60)
    thread.join(60)
    stopped = run.cycle
    assert run[dut.total] == (6 * (stopped // 4) + (0, 1, 3, 6)[stopped % 4]) % (1 << 32)
    run(4)
    assert run.cycle == stopped + 4
