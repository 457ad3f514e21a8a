"""Result files: whole or not at all, and never over an input."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from rvsim.errors import UserError
from rvsim.soc.output import OutputFile, protect_inputs, write_whole


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a"
    file = OutputFile(str(path), "--trace")
    file.write(b"x" * 200_000)
    assert not path.exists()
    file.commit()
    assert path.read_bytes() == b"x" * 200_000
    assert os.listdir(tmp_path) == ["a"]


def test_giving_up_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    file = OutputFile(str(path), "--trace")
    file.write(b"x" * 200_000)
    file.discard()
    file.write(b"more")
    file.commit()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_replacing_keeps_permissions_and_links(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    (tmp_path / "link").symlink_to("a")
    write_whole(str(tmp_path / "link"), "--trace", b"new")
    assert (tmp_path / "link").is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line():
    with pytest.raises(UserError, match=r"^--trace /dev/full: No space left on device"):
        write_whole("/dev/full", "--trace", b"x")


def test_a_full_disk_leaves_no_part(tmp_path):
    # A limit on the file size stands in for a full disk: both end a write in the middle.
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from rvsim.soc.output import write_whole; write_whole('a', '--trace', b'x' * 1_000_000)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "UserError: --trace a: File too large" in result.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["missing/a", ".", "a\0b"])
def test_what_cannot_be_created_is_refused_at_once(tmp_path, name):
    with pytest.raises((UserError, ValueError)):
        OutputFile(str(tmp_path / name), "--trace")
    assert os.listdir(tmp_path) == []


def test_a_fifo_is_written_to_as_it_is(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    seen = []
    reader = threading.Thread(target=lambda: seen.append(path.read_bytes()))
    reader.start()
    write_whole(str(path), "--trace", b"x")
    reader.join()
    assert seen == [b"x"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_inputs_are_protected_under_every_name(tmp_path):
    program = tmp_path / "a.elf"
    program.write_text("")
    (tmp_path / "soft").symlink_to("a.elf")
    os.link(program, tmp_path / "hard")
    for name in ("a.elf", "soft", "hard", "./a.elf", "../" + tmp_path.name + "/a.elf"):
        with pytest.raises(UserError, match=r"would overwrite FILE"):
            protect_inputs([("--trace", f"{tmp_path}/{name}")], [("FILE", str(program))])
    protect_inputs([("--trace", str(tmp_path / "b")), ("--stats-json", None)], [("FILE", str(program))])


def test_two_results_need_two_files(tmp_path):
    with pytest.raises(UserError, match=r"--stats-json .*: would overwrite --trace"):
        protect_inputs([("--trace", str(tmp_path / "x")), ("--stats-json", f"{tmp_path}/./x")], [])
    protect_inputs([("--trace", "/dev/null"), ("--stats-json", "/dev/null")], [])


def test_what_standard_output_goes_to_is_added_to(tmp_path):
    code = (
        "import os; os.write(1, b'before\\n');"
        "from rvsim.soc.output import write_whole; write_whole('/dev/stdout', '--stats-json', b'stats\\n');"
        "os.write(1, b'after\\n')"
    )
    with open(tmp_path / "out", "ab") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\nstats\nafter\n"
    assert os.listdir(tmp_path) == ["out"]
