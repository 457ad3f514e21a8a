"""Every example runs as it stands and prints what it is there to show."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SHOWS = {
    "amaranth_design.py": "100000 averages, the last of them [296, 333, 370, 407] after 1000000 cycles",
    "bare_metal.py": "10! = 3628800",
    "boot_and_run.py": "six times seven is 42, says the guest",
    "custom_peripheral.py": "the guest powered off after 5 reads",
}


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SHOWS)


@pytest.mark.parametrize("name", SHOWS)
def test_an_example_shows_what_it_should(name):
    if name.startswith("boot"):
        from rvsim.errors import UserError
        from rvsim.guest import guest_paths

        try:
            guest_paths()
        except UserError as error:
            pytest.skip(str(error))
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert SHOWS[name] in done.stdout
