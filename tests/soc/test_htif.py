import struct

import pytest

from rvsim.isa import assemble
from rvsim.soc import Machine, SocConfig
from rvsim.soc.htif import ENOSYS, Htif
from tests.soc.programs import RAM

TOHOST, FROMHOST, CALL, TEXT = RAM, RAM + 8, RAM + 64, RAM + 256


class Memory:
    def __init__(self):
        self.bytes = bytearray(4096)

    def read(self, address, size):
        if address < RAM or address + size > RAM + 4096:
            raise ValueError("outside")
        return bytes(self.bytes[address - RAM : address - RAM + size])

    def write(self, address, data):
        self.read(address, len(data))
        self.bytes[address - RAM : address - RAM + len(data)] = data


class Host:
    def __init__(self):
        self.memory = Memory()
        self.printed, self.codes, self.pauses = b"", [], 0
        self.htif = Htif(
            self.memory, TOHOST, FROMHOST, transmit=self.transmit, exit=self.codes.append, pause=self.pause
        )

    def transmit(self, data):
        self.printed += data

    def pause(self):
        self.pauses += 1

    def store(self, offset, word):
        self.memory.write(TOHOST + offset, struct.pack("<I", word & 0xFFFF_FFFF))
        self.htif.stored()

    def command(self, value, order=(0, 4)):
        for offset in order:
            self.store(offset, value >> 8 * offset)

    def call(self, *words):
        self.memory.write(CALL, struct.pack("<8Q", *words, *[0] * (8 - len(words))))
        self.command(CALL)
        if self.htif.settling:
            self.htif.settle()
        result = struct.unpack("<q", self.memory.read(CALL, 8))[0]
        answer = struct.unpack("<Q", self.memory.read(FROMHOST, 8))[0]
        return result, answer

    @property
    def tohost(self):
        return struct.unpack("<Q", self.memory.read(TOHOST, 8))[0]


@pytest.fixture
def host():
    return Host()


def test_an_odd_value_is_an_exit_code(host):
    host.command(42 << 1 | 1)
    assert host.codes == [42]


def test_the_low_word_alone_is_taken_after_a_while(host):
    host.store(0, 7 << 1 | 1)
    assert host.codes == []
    assert host.htif.settling
    assert host.pauses == 1
    host.htif.settle()
    assert host.codes == [7]


@pytest.mark.parametrize("order", [(0, 4), (4, 0)])
@pytest.mark.parametrize("character", [ord("a"), ord("b"), 0, 255])
def test_a_character_is_printed_in_whatever_order_its_words_come(host, order, character):
    host.command(1 << 56 | 1 << 48 | character, order)
    if host.htif.settling:
        host.htif.settle()
    assert host.printed == bytes([character])
    assert host.codes == []
    assert host.tohost == 0


def test_storing_zero_is_no_command(host):
    host.command(0)
    assert not host.htif.settling
    assert host.pauses == 0


def test_a_write_prints_and_tells_how_much(host):
    host.memory.write(TEXT, b"hello")
    assert host.call(64, 1, TEXT, 5) == (5, 1)
    assert host.call(64, 2, TEXT, 2) == (2, 1)
    assert host.printed == b"hellohe"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((64, 0, TEXT, 5), 9),
        ((64, 3, TEXT, 5), 9),
        ((64, 1, RAM - 4, 8), 14),
        ((64, 1, TEXT, 1 << 31), 14),
        ((64, 1, TEXT, (1 << 64) - 1), 14),
        ((64, 1, (1 << 64) - 1, 1), 14),
        ((56, 0, TEXT, 0), ENOSYS),
        ((1 << 63, 0, 0, 0), ENOSYS),
    ],
)
def test_what_it_does_not_do_is_an_error_of_the_call(host, arguments, error):
    assert host.call(*arguments) == (-error, 1)
    assert host.printed == b""


def test_an_exit_call_ends_the_run(host):
    host.call(93, 3)
    assert host.codes == [3]


def test_an_exit_code_is_a_word(host):
    host.call(93, (1 << 64) - 1)
    assert host.codes == [0xFFFF_FFFF]


@pytest.mark.parametrize("address", [0, 2, RAM - 64, RAM + 4096 - 32, 0xFFFF_FFFE])
def test_a_call_from_nowhere_is_answered_and_ignored(host, address):
    host.command(address)
    if host.htif.settling:
        host.htif.settle()
    assert (host.printed, host.codes) == (b"", [])


def test_a_sign_extended_address_is_taken(host):
    host.memory.write(TEXT, b"hello")
    host.memory.write(CALL, struct.pack("<8Q", 64, 1, TEXT, 5, 0, 0, 0, 0))
    host.command(CALL | 0xFFFF_FFFF << 32)
    assert host.printed == b"hello"


def test_an_unknown_device_is_ignored(host):
    host.command(9 << 56 | 1)
    assert (host.printed, host.codes, host.tohost) == (b"", [], 0)


def test_a_character_is_delivered_when_it_comes(host):
    host.command(1 << 56)
    host.htif.settle()
    assert host.htif.reading
    host.htif.receive(ord("x"))
    assert not host.htif.reading
    assert struct.unpack("<Q", host.memory.read(FROMHOST, 8))[0] == 1 << 56 | 0x100 | ord("x")


def test_a_program_without_fromhost_gets_no_answers(host):
    host.htif = Htif(host.memory, TOHOST, 0, transmit=host.transmit, exit=host.codes.append, pause=host.pause)
    host.command(1 << 56 | 1 << 48 | 65)
    assert host.printed == b"A"
    assert host.memory.read(RAM + 8, 8) == bytes(8)


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("first, second", [("sw a1, 0(sp)", "sw a3, 4(sp)"), ("sw a3, 4(sp)", "sw a1, 0(sp)")])
def test_characters_written_back_to_back_all_arrive(first, second, stepped):
    """The next command begins while the time of the last one still runs."""
    program = assemble(
        f"""
            la sp, tohost
            la a0, message
            li a3, 0x01010000
        1:  lbu a1, 0(a0)
            beqz a1, 9f
        2:  lw t3, 0(sp)
            lw t4, 4(sp)
            or t3, t3, t4
            bnez t3, 2b
            {first}
            {second}
            addi a0, a0, 1
            j 1b
        9:  lw t3, 0(sp)
            bnez t3, 9b
            li t1, 7
            sw t1, 0(sp)
        1:  j 1b
        message: .asciz "Hello, world!"
        .balign 8
        tohost: .space 8
        """,
        RAM,
    )
    machine = Machine(SocConfig(memory=1 << 20))
    machine.load_bytes(program.bytes, symbols={"tohost": program.symbols["tohost"]})
    if stepped:
        machine.step_through(machine.hart[0].step)
    outcome = machine.run(instructions=10_000)
    assert machine.console.transcript == "Hello, world!"
    assert (outcome.kind, outcome.code) == ("exit", 3)
