"""Which files are tests, and what their outcome means."""

import os
import struct
import xml.etree.ElementTree as ET

import pytest

from rvsim.errors import UserError
from rvsim.soc.conform import (
    FAIL,
    PASS,
    SKIP,
    TIMED_OUT,
    Result,
    compare_signature,
    find_programs,
    judge,
    junit,
    reference_of,
    unsupported,
)
from rvsim.soc.outcome import Outcome


def elf(kind=2, machine=243, bits=1, order=1):
    return b"\x7fELF" + bytes([bits, order, 1]) + bytes(9) + struct.pack("<HH", kind, machine) + bytes(32)


def test_programs_are_found_by_their_content_in_order_and_once(tmp_path):
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    for name in ("b", "a.elf", "sub/c.out", "sub/deeper/d"):
        (tmp_path / name).write_bytes(elf())
    (tmp_path / "a.dump").write_text("ELF in words")
    (tmp_path / "empty.elf").write_bytes(b"")
    (tmp_path / "z_again").symlink_to("b")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.elf")
    found = [os.path.relpath(path, tmp_path) for path in find_programs([str(tmp_path), str(tmp_path / "sub")])]
    assert found == ["a.elf", "b", "sub/c.out", "sub/deeper/d"]
    assert find_programs([str(tmp_path / "b")]) == [str(tmp_path / "b")]
    assert find_programs([str(tmp_path / "a.dump")]) == []


def test_a_folder_that_is_missing_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="nowhere: No such file"):
        find_programs([str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (elf(), ""),
        (elf(kind=3), ""),
        (elf(bits=2), "64-bit"),
        (elf(machine=62), "not for RISC-V (machine 62)"),
        (elf(order=2), "big-endian"),
        (elf(kind=1), "an object file"),
        (b"\x7fELF\x01", ""),  # damaged: a failure, with the reason that the loader gives
    ],
)
def test_what_is_no_test_for_this_machine_is_said_so(tmp_path, content, reason):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert unsupported(str(path)) == reason


def test_a_reference_lies_beside_the_program(tmp_path):
    for name in ("a.elf", "b", "c.elf"):
        (tmp_path / name).write_bytes(elf())
    for name in ("a.reference_output", "b.reference_output", "c.elf.reference_output"):
        (tmp_path / name).write_text("")
    assert reference_of(str(tmp_path / "a.elf")) == str(tmp_path / "a.reference_output")
    assert reference_of(str(tmp_path / "b")) == str(tmp_path / "b.reference_output")
    assert reference_of(str(tmp_path / "c.elf")) == str(tmp_path / "c.elf.reference_output")
    assert reference_of(str(tmp_path / "d")) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        ("deadbeef\n00000001\n", "DEADBEEF\n00000001", ""),
        ("00000000\n00000001\n", "00000000\n00000002\n", "signature differs in line 2: 00000001, expected 00000002"),
        ("00000000\n", "00000000\n00000002\n", "signature has 1 words, expected 2"),
        ("00000000\n00000001\n", "00000000\n", "signature has 2 words, expected 1"),
        (None, "00000000\n", "no signature: the program defines no begin_signature and end_signature"),
        ("", "", ""),
    ],
)
def test_signatures_are_compared_word_by_word(ours, theirs, difference):
    assert compare_signature(ours, theirs) == difference


@pytest.mark.parametrize(
    ("outcome", "verdict", "number"),
    [
        (Outcome(kind="power-off"), PASS, 0),
        (Outcome(kind="exit", code=0), PASS, 0),
        (Outcome(kind="exit", code=1337), FAIL, 1337),
        (Outcome(kind="stuck", message="stuck"), FAIL, 0),
        (Outcome(kind="reboot"), FAIL, 0),
        (Outcome(kind="timeout"), TIMED_OUT, 0),
        (Outcome(kind="limit"), TIMED_OUT, 0),
    ],
)
def test_outcomes_become_verdicts(outcome, verdict, number):
    assert judge(outcome)[:2] == (verdict, number)


def test_results_survive_the_way_between_processes():
    result = Result(path="a", verdict=FAIL, number=3, detail="test 3", seconds=0.5, console=b"x")
    assert Result.restored(result.carried()) == result


def test_junit_is_well_formed_whatever_the_program_printed():
    results = [
        Result(path="s/a", verdict=PASS, seconds=0.25),
        Result(path='s/b"<&>', verdict=FAIL, number=3, detail="test 3", console=bytes(range(256)) + b"]]>&amp;"),
        Result(path="c", verdict=TIMED_OUT, detail="5 s"),
        Result(path="s/\udcff", verdict=SKIP, detail="64-bit"),
    ]
    root = ET.fromstring(junit(results, "suite", 1.5).encode())
    assert root.attrib == {
        "name": "suite",
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
        "time": "1.500",
    }
    cases = root.findall("testcase")
    assert [case.get("name") for case in cases][:3] == ["a", 'b"<&>', "c"]
    assert cases[1].find("failure").get("message") == "test 3"
    assert cases[1].find("system-out").text.endswith("]]>&amp;")
    assert cases[2].find("failure").get("type") == "timeout"
    assert cases[3].find("skipped").get("message") == "64-bit"
