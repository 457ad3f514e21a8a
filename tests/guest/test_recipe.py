"""The recipe: every file of it belongs to a step, the archive is what the kernel reads, the benchmark is right."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess

import pytest

from rvsim.guest.image import RECIPE, recipe_files
from rvsim.guest.recipe.busybox import CONFIG
from rvsim.guest.recipe.image import CHARACTER, FOLDER, IMAGE, LINK, REGULAR, pack

BENCH = os.path.join(RECIPE, "files", "bench")


def chain(step):
    return [step, *(below for need in step.needs for below in chain(need))]


def test_every_file_of_the_recipe_belongs_to_a_step_and_every_steps_files_exist():
    declared = {name for step in chain(IMAGE) for name in step.files}
    assert declared == {name for name, _ in recipe_files(RECIPE)} - {"__init__.py"}


def test_each_step_declares_its_own_module():
    for step in chain(IMAGE):
        module = step.build.__module__.rsplit(".", 1)[1] + ".py"
        assert module in step.files, step.name


def test_a_steps_key_depends_on_what_it_needs():
    (kernel,) = (step for step in IMAGE.needs if step.name == "kernel")
    (toolchain,) = kernel.needs
    other = toolchain.replace(files=("toolchain.py", "bench.py"))
    assert kernel.replace(needs=(other,)).key != kernel.key


def test_the_kernel_configuration_sets_every_symbol_once():
    with open(os.path.join(RECIPE, "files", "kernel.config")) as file:
        lines = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    names = [line.partition("=")[0] for line in lines]
    assert all(re.fullmatch(r"CONFIG_\w+=\S+.*", line) for line in lines)
    assert len(names) == len(set(names))


def test_busybox_does_not_ask_the_terminal_where_it_is():
    asking = [name for name in CONFIG if name.endswith("ASK_TERMINAL")]
    assert len(asking) == 3 and all(CONFIG[name] is None for name in asking)


ENTRIES = [
    ("etc", FOLDER | 0o755, b""),
    ("etc/hosts", REGULAR | 0o644, b"localhost\n"),
    ("sh", LINK | 0o777, b"busybox"),
    ("console", CHARACTER | 0o600, b""),
]


def unpack(archive):
    """A reader of `newc` archives, written from the kernel's description of the format."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701" and at % 4 == 0
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, major, minor, length = fields[1], fields[6], fields[9], fields[10], fields[11]
        name = archive[at + 110 : at + 110 + length]
        assert name.endswith(b"\0")
        data = (at + 110 + length + 3) & ~3
        content = archive[data : data + size]
        at = (data + size + 3) & ~3
        if name == b"TRAILER!!!\0":
            return found
        found[name[:-1].decode()] = (mode, content, (major, minor))


def test_the_archive_reads_back_as_it_was_packed():
    found = unpack(pack(ENTRIES, {"console": (5, 1)}))
    assert {name: entry[:2] for name, entry in found.items()} == {name: (mode, data) for name, mode, data in ENTRIES}
    assert found["console"][2] == (5, 1)
    assert stat.S_ISCHR(CHARACTER) and stat.S_ISLNK(LINK) and stat.S_ISDIR(FOLDER) and stat.S_ISREG(REGULAR)


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_the_archive_is_what_cpio_reads():
    listing = subprocess.run(["cpio", "-t", "--quiet"], input=pack(ENTRIES, {}), capture_output=True, check=True)
    assert listing.stdout.decode().split() == [name for name, _, _ in ENTRIES]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The benchmark compiled for this machine."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    path = tmp_path_factory.mktemp("bench") / "bench"
    sources = [os.path.join(BENCH, name) for name in ("kernels.c", "main.c")]
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, *sources], check=True)
    return path


def test_every_kernel_has_the_right_checksum(bench):
    run = subprocess.run([bench, "0.04"], capture_output=True, text=True, check=False)
    lines = [line.split() for line in run.stdout.splitlines()]
    assert lines[0] == ["kernel", "instructions", "seconds", "MIPS", "rounds/s", "checksum"]
    assert [(line[0], line[-1]) for line in lines[1:]] == [
        (name, "ok") for name in ("integer", "memory", "branch", "call")
    ]
    assert run.returncode == 0


def test_a_wrong_result_is_reported_and_is_status_1(tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    with open(os.path.join(BENCH, "kernels.c")) as file:
        source = file.read()
    (tmp_path / "kernels.c").write_text(source.replace("x ^= x << 13", "x ^= x << 12"))
    path, main = tmp_path / "bench", os.path.join(BENCH, "main.c")
    subprocess.run(["gcc", "-O1", "-I", BENCH, "-o", path, tmp_path / "kernels.c", main], check=True)
    run = subprocess.run([path, "0.01"], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stdout.count("WRONG") == 4


@pytest.mark.parametrize(
    ("arguments", "status", "kernels"),
    [(["0.01", "memory"], 0, 1), (["nothing"], 2, 0), (["-h"], 2, 0), (["-1"], 2, 0), (["0"], 2, 0)],
)
def test_kernels_and_scale_can_be_chosen(bench, arguments, status, kernels):
    run = subprocess.run([bench, *arguments], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.count("ok")) == (status, kernels)


def test_the_kernels_need_no_libc(tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    options = ["-O2", "-ffreestanding", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns", "-c"]
    subprocess.run(["gcc", *options, "-o", tmp_path / "o", os.path.join(BENCH, "kernels.c")], check=True)
    symbols = subprocess.run(["nm", "-u", tmp_path / "o"], capture_output=True, text=True, check=True).stdout
    assert [name for name in symbols.split() if name not in ("U", "_GLOBAL_OFFSET_TABLE_")] == []
