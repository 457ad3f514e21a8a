import pytest

from rvsim.soc import console as module
from rvsim.soc.console import Console


class Machine:
    """Prints what it was given, a piece at every run."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.pauses = 0
        self.console = Console(self, self.pause)
        self.feeder = self
        self.sent = b""

    def pause(self):
        self.pauses += 1

    def send(self, data):
        self.sent += data

    def run_until(self, condition, seconds=None):
        while self.pieces:
            self.console.transmit(self.pieces.pop(0))
            self.console.flush()
            if condition():
                break


@pytest.fixture
def make():
    return Machine


def test_a_text_is_found_across_pieces_and_only_once(make):
    machine = make(b"log", b"in: ", b"one # two # ")
    assert machine.console.expect("login: ") == "login: "
    assert machine.console.expect("# ") == "one # "
    assert machine.console.expect(b"# ") == "two # "


def test_the_machine_pauses_at_every_line(make):
    machine = make()
    for character in b"ab\nc":
        machine.console.transmit(bytes([character]))
    assert machine.pauses == 1


def test_a_long_line_is_handed_on_too(make):
    machine = make()
    machine.console.transmit(b"x" * 5000)
    assert machine.pauses == 1


def test_output_gets_everything_in_order(make):
    machine, seen = make(), []
    machine.console.output = seen.append
    machine.console.transmit(b"a")
    machine.console.transmit(b"b\n")
    assert machine.console.flush() is True
    assert machine.console.flush() is False
    assert seen == [b"ab\n"]


@pytest.mark.parametrize("cut", range(1, 11))
def test_readiness_is_noticed_wherever_the_text_was_cut(make, cut):
    machine = make()
    text = b"guest ready\n"
    for part in (b"before ", text[:cut], text[cut:]):
        assert machine.console.ready_at is None
        machine.console.transmit(part)
        machine.console.flush()
    assert machine.console.ready_at is not None


def test_a_panic_is_noticed_once_for_each_message(make):
    machine = make()
    machine.console.transmit(b"[ 1.0] Kernel panic - not syncing: no init\n")
    machine.console.flush()
    assert machine.console.panicked
    machine.console.panicked = False
    machine.console.transmit(b"more\n")
    machine.console.flush()
    assert not machine.console.panicked


def test_the_transcript_is_bounded_and_positions_stay_right(make, monkeypatch):
    monkeypatch.setattr(module, "TRANSCRIPT_LIMIT", 100)
    machine = make(*(b"%04d\n" % n for n in range(100)))
    for n in range(100):
        assert machine.console.expect(f"{n:04d}\n") == f"{n:04d}\n"
    assert len(machine.console.transcript) <= 200
    assert machine.console.transcript.endswith("0099\n")


def test_what_is_sent_may_be_text_or_bytes(make):
    machine = make()
    machine.console.send("ä")
    machine.console.send(b"\xff")
    assert machine.sent == "ä".encode() + b"\xff"


def test_bytes_that_are_no_text_do_not_matter(make):
    machine = make(b"\xff\xfe ok\n")
    assert machine.console.expect("ok") == "\ufffd\ufffd ok"
