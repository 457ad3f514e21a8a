"""Linux on the functional machine. Needs the guest image, which `make setup` builds."""

import os
import resource
import time

import pytest

from rvsim.errors import UserError
from rvsim.soc import Machine, SocConfig
from rvsim.soc.outside import InputSource


@pytest.fixture(scope="module")
def guest():
    from rvsim.guest import guest_paths

    try:
        return guest_paths()
    except UserError as error:
        pytest.skip(str(error))


def booted(guest, **fields):
    machine = Machine(SocConfig(**{"memory": 64 << 20, **fields}))
    machine.boot(guest)
    machine.console.expect("guest ready", timeout=60)
    machine.console.expect("# ", timeout=60)
    return machine


def command(machine, text):
    machine.console.send(text + "\n")
    machine.console.expect("\n", timeout=60)
    return machine.console.expect("# ", timeout=60).rpartition("\n")[0].replace("\r", "")


@pytest.mark.parametrize("memory", [64 << 20, 128 << 20, 1 << 30])
def test_it_boots_to_a_shell_and_powers_off(guest, memory):
    machine = booted(guest, memory=memory)
    assert command(machine, "echo $((6 * 7))") == "42"
    total = int(command(machine, "cat /proc/meminfo").split()[1])
    assert 0.85 * memory < total << 10 < memory
    machine.console.send("poweroff\n")
    assert machine.run(seconds=60).kind == "power-off"
    assert machine.seconds_to_ready > 0


def test_the_guest_sees_the_machine_that_was_described(guest):
    machine = booted(guest)
    tree = "/sys/firmware/devicetree/base"
    if command(machine, f"ls -d {tree}") == tree:
        assert "rv32imac" in command(machine, f"cat {tree}/cpus/cpu@0/riscv,isa; echo")
    assert "rv32imac" in command(machine, "cat /proc/cpuinfo")
    interrupts = command(machine, "cat /proc/interrupts")
    assert "PLIC" in interrupts and "ttyS0" in interrupts


def test_an_idle_shell_sleeps(guest):
    machine = booted(guest)
    machine.run(seconds=0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    read, write = os.pipe()
    machine.outside.attach(InputSource(read))
    machine.run(seconds=2)
    after = resource.getrusage(resource.RUSAGE_SELF)
    os.close(read)
    os.close(write)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert used < 0.03 * 2


def test_a_guest_may_reboot(guest):
    machine = booted(guest)
    machine.console.send("reboot -f\n")
    machine.console.expect("guest ready", timeout=60)
    machine.console.expect("# ", timeout=60)
    assert machine.reboots == 1
    machine.console.send("reboot -f\n")
    machine.config = machine.config.replace(reboot=False)
    assert machine.run(seconds=60).kind == "reboot"


def test_a_panic_ends_the_run_after_its_message(guest):
    machine = Machine(SocConfig(memory=64 << 20))
    machine.boot(guest.replace(initrd=None))
    outcome = machine.run(seconds=60)
    assert (outcome.kind, outcome.status) == ("panic", 3)
    assert "---[ end Kernel panic - not syncing" in machine.console.transcript


def test_a_panic_that_reboots_is_a_panic(guest):
    machine = Machine(SocConfig(memory=64 << 20))
    machine.boot(guest.replace(initrd=None), append="panic=-1")
    assert machine.run(seconds=60).kind == "panic"


def test_a_user_may_print_the_words_of_a_panic(guest):
    machine = booted(guest)
    assert "not syncing" in command(machine, "echo Kernel panic - not syncing")
    assert command(machine, "sleep 1; echo alive") == "alive"


def test_runs_under_icount_are_the_same(guest):
    script = b"cat /proc/interrupts\nhead -c 16 /dev/urandom | hexdump\nsleep 1; date\npoweroff\n"
    runs = set()
    for delay in (0, 0.3):
        machine = Machine(SocConfig(memory=64 << 20, icount=True, seed=1))
        machine.boot(guest)
        read, write = os.pipe()
        machine.outside.attach(InputSource(read))
        machine.run(instructions=1_000_000)
        time.sleep(delay)
        os.write(write, script)
        os.close(write)
        assert machine.run(seconds=120).kind == "power-off"
        os.close(read)
        runs.add((machine.console.transcript, machine.hart[0].instret))
    assert len(runs) == 1


def test_an_instruction_limit_at_the_prompt_does_not_wait_for_ever(guest):
    machine = booted(guest)
    begin = time.monotonic()
    assert machine.run(instructions=100_000_000).kind == "idle"
    assert time.monotonic() - begin < 10
    assert command(machine, "echo alive") == "alive"


def test_another_seed_is_another_run(guest):
    outputs = set()
    for seed in (1, 2):
        machine = booted(guest, icount=True, seed=seed)
        outputs.add(command(machine, "head -c 16 /dev/urandom | hexdump"))
    assert len(outputs) == 2


def test_what_is_typed_before_the_boot_is_not_lost(guest):
    machine = Machine(SocConfig(memory=64 << 20))
    machine.boot(guest)
    machine.console.send("echo first\necho second\npoweroff\n")
    assert machine.run(seconds=60).kind == "power-off"
    transcript = machine.console.transcript.replace("\r", "")
    assert "\nfirst\n" in transcript and "\nsecond\n" in transcript


def test_memory_too_small_for_the_guest_is_a_users_mistake(guest):
    with pytest.raises(UserError, match=r"--memory \d+M or more"):
        Machine(SocConfig(memory=4 << 20)).boot(guest)


@pytest.mark.parametrize("packed", ["gzip", "zstd"])
def test_a_compressed_kernel_boots(guest, packed, tmp_path):
    import gzip

    import zstandard

    with open(guest.kernel, "rb") as file:
        content = file.read()
    kernel = tmp_path / "kernel"
    kernel.write_bytes(gzip.compress(content, 1) if packed == "gzip" else zstandard.compress(content))
    booted(guest.replace(kernel=str(kernel)))


def test_a_large_script_is_not_lost(guest):
    machine = Machine(SocConfig(memory=64 << 20))
    machine.boot(guest)
    lines = [f"echo line {n} {'x' * (n % 200)}" for n in range(300)]
    machine.console.send("\n".join(["stty -echo", *lines, "poweroff", ""]))
    assert machine.run(seconds=120).kind == "power-off"
    transcript = machine.console.transcript.replace("\r", "")
    missing = [n for n in range(300) if f"line {n}{' ' * (n % 200 > 0)}{'x' * (n % 200)}\n" not in transcript]
    assert missing == []
