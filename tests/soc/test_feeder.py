import pytest

from rvsim.soc.feeder import POLLS, Feeder


class Uart:
    def __init__(self):
        self.receiver_enabled = False
        self.pending = 0
        self.received = []
        self.pauses = 0

    def pause(self):
        self.pauses += 1

    def receive(self, data):
        self.received.append(data)

    def read(self, offset, size):
        return offset

    def write(self, offset, size, value):
        self.written = (offset, size, value)


class World:
    """An outside world with these lines."""

    def __init__(self, lines=(), interactive=False):
        self.lines = list(lines)
        self.interactive = interactive

    @property
    def open(self):
        return bool(self.lines) or self.interactive

    def line(self, *, patient):
        return self.lines.pop(0) if self.lines else b""

    def typed(self):
        return self.lines.pop(0) if self.lines else b""


@pytest.fixture
def uart():
    return Uart()


def feeder(world, uart, *, touched=True):
    made = Feeder(world, lambda: made.watch(uart), uart.pause)
    target = made.watch(uart) if touched else None
    return made, target


def test_input_is_held_until_the_receivers_interrupt_is_enabled(uart):
    made, _ = feeder(World([b"one\n", b"two\n"]), uart)
    assert not made.feed(patient=False)
    assert made.expecting and not made.listening
    uart.receiver_enabled = True
    assert made.listening
    assert made.feed(patient=False)
    assert uart.received == [b"one\n"]


def test_a_line_waits_until_the_one_before_is_in_the_fifo(uart):
    made, _ = feeder(World([b"one\n", b"two\n"]), uart)
    uart.receiver_enabled, uart.pending = True, 3
    assert not made.feed(patient=False)
    uart.pending = 0
    assert made.feed(patient=False) and made.feed(patient=False)
    assert not made.feed(patient=False)
    assert not made.expecting


def test_a_loop_over_the_line_status_reads_the_console(uart):
    made, target = feeder(World([b"one\n"]), uart)
    for _ in range(POLLS - 1):
        assert target.read(5, 1) == 5
    assert not made.reading
    target.write(0, 1, 65)
    assert uart.written == (0, 1, 65)
    for _ in range(POLLS):
        assert not made.polling and not uart.pauses
        target.read(5, 1)
    assert made.polling and made.reading
    target.read(5, 1)
    assert uart.pauses == 1
    assert made.feed(patient=False)
    target.read(0, 1)
    assert not made.reading


def test_what_somebody_types_is_not_held(uart):
    made, _ = feeder(World([b"x"], interactive=True), uart, touched=False)
    assert made.listening
    assert made.feed(patient=False)
    assert uart.received == [b"x"]
    assert not made.feed(patient=False)


def test_what_a_program_sends_is_held_and_goes_by_lines(uart):
    made, _ = feeder(World(), uart)
    made.send(b"one\ntwo\nthr")
    assert not made.feed(patient=False)
    uart.receiver_enabled = True
    while made.feed(patient=False):
        pass
    assert uart.received == [b"one\n", b"two\n", b"thr"]


def test_single_characters_for_a_guest_that_asks_for_one(uart):
    made, _ = feeder(World([b"ab\n"]), uart)
    assert [made.take_one(patient=False) for _ in range(4)] == [ord("a"), ord("b"), ord("\n"), None]


def test_nothing_is_read_for_a_guest_without_a_uart(uart):
    made, _ = feeder(World([b"one\n"]), uart, touched=False)
    assert not made.feed(patient=False)
    assert made.expecting
