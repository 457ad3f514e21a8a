import os
import shutil
import subprocess

import fdt
import pytest

from rvsim.isa import IsaConfig
from rvsim.regs.node import Node
from rvsim.soc import SocConfig, devicetree
from rvsim.soc.description import CLINT, PLIC, RTC, UART
from rvsim.soc.devicetree import soc_blob

SEED = bytes(range(32))


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def value(blob, path, name):
    return fdt.parse_dtb(blob).get_property(name, path)


def test_it_names_every_block_where_the_description_puts_it():
    blob = soc_blob(SocConfig())
    for name, block in (("serial", UART), ("rtc", RTC), ("clint", CLINT), ("plic", PLIC)):
        reg = value(blob, f"/soc/{name}@{block.base:x}", "reg")
        assert list(reg.data) == [0, block.base, 0, block.size]
    assert value(blob, f"/soc/serial@{UART.base:x}", "interrupts").value == UART.interrupt
    assert value(blob, "/chosen", "stdout-path").value == f"/soc/serial@{UART.base:x}"


def test_it_lists_nothing_that_the_machine_lacks():
    tree = fdt.parse_dtb(soc_blob(SocConfig()))
    assert sorted(node.name for node in tree.get_node("/soc").nodes) == [
        "clint@2000000",
        "plic@c000000",
        "rtc@101000",
        "serial@10000000",
        "test@100000",
    ]


def test_memory_and_isa_are_the_configurations():
    config = SocConfig(memory=64 << 20, isa=IsaConfig.parse("rv32imac_zba"))
    blob = soc_blob(config)
    assert list(value(blob, "/memory@80000000", "reg").data) == [0, 0x8000_0000, 0, 64 << 20]
    assert value(blob, "/cpus/cpu@0", "riscv,isa").value == "rv32imac_zicsr_zifencei_zba"
    assert value(blob, "/cpus", "timebase-frequency").value == 10_000_000


def test_chosen_holds_what_the_kernel_is_told():
    blob = soc_blob(SocConfig(), bootargs="quiet a=ä", initrd=(0x8440_0000, 0x8450_0000), seed=SEED)
    assert b"".join(word.to_bytes(4, "big") for word in value(blob, "/chosen", "rng-seed").data) == SEED
    assert value(blob, "/chosen", "linux,initrd-end").value == 0x8450_0000
    assert "quiet a=ä\0".encode() in blob
    bare = fdt.parse_dtb(soc_blob(SocConfig()))
    assert [p.name for p in bare.get_node("/chosen").props] == ["stdout-path"]


def test_a_cached_tree_is_the_same_but_for_the_seed(monkeypatch):
    first = soc_blob(SocConfig(), bootargs="quiet", seed=SEED)
    monkeypatch.setattr(devicetree, "soc_tree", None)
    again = soc_blob(SocConfig(), bootargs="quiet", seed=SEED[::-1])
    assert again == first.replace(SEED, SEED[::-1])
    with pytest.raises(TypeError):
        soc_blob(SocConfig(memory=64 << 20), bootargs="quiet", seed=SEED)


def test_a_damaged_cache_entry_is_made_again(tmp_path):
    first = soc_blob(SocConfig())
    (entry,) = (tmp_path / "rvsim" / "devicetree").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert soc_blob(SocConfig()) == first


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "rvsim").write_text("a file where a folder should be")
    assert soc_blob(SocConfig()) == soc_blob(SocConfig())


def test_the_cache_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(devicetree, "_SLOTS", 2)
    for number in range(8):
        soc_blob(SocConfig(), bootargs=f"n={number}")
    assert len(os.listdir(tmp_path / "rvsim" / "devicetree")) <= 2


def test_devices_that_were_added_are_listed():
    extra = Node("dice@20000000", {"reg": [0, 0x2000_0000, 0, 16], "compatible": "example,dice"})
    blob = soc_blob(SocConfig(), devices=[extra])
    assert value(blob, "/soc/dice@20000000", "compatible").value == "example,dice"


def test_a_seed_of_another_size_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        soc_blob(SocConfig(), seed=b"short")


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
def test_dtc_finds_nothing_to_complain_about(tmp_path):
    blob = tmp_path / "machine.dtb"
    blob.write_bytes(soc_blob(SocConfig(), bootargs="quiet", initrd=(0x8440_0000, 0x8450_0000), seed=SEED))
    # interrupt_provider: the RISC-V binding of the hart's controller has no #address-cells, and QEMU has none either.
    command = ["dtc", "-I", "dtb", "-O", "dtb", "-W", "no-interrupt_provider", "-o", os.devnull, str(blob)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
