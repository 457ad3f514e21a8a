"""Register maps: what they refuse, and what an access finds."""

import pytest

from rvsim.regs import Field, Register, RegisterMap


def bits(name="a", bit=0, **attributes):
    return Field(name=name, bit=bit, **attributes)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": "A"}, "field name must be a lower-case identifier, not 'A'"),
        ({"name": "2x"}, "field name must be a lower-case identifier, not '2x'"),
        ({"bit": -1}, "field 'a': bit must be a non-negative integer, not -1"),
        ({"width": 0}, "field 'a': width must be a positive integer, not 0"),
        ({"width": True}, "field 'a': width must be a positive integer, not True"),
        ({"access": "r"}, "field 'a': access must be one of rw, ro, wo, w1c, w1s, rc, not 'r'"),
        ({"hardware": "x"}, "field 'a': hardware access must be one of r, rw, w, -, not 'x'"),
        ({"reset": 2}, "field 'a': reset value 2 does not fit 1 bits"),
        ({"reset": -1}, "field 'a': reset value -1 does not fit 1 bits"),
        ({"reset": 1, "hardware": "w"}, "field 'a': a reset value needs a field that is held, not driven by hardware"),
    ],
)
def test_a_field_that_cannot_be_is_refused(attributes, message):
    with pytest.raises(ValueError) as caught:
        bits(**attributes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": "a-b"}, "register name must be a lower-case identifier, not 'a-b'"),
        ({"offset": -4}, "register 'r': offset must be a non-negative integer, not -4"),
        ({"width": 12}, "register 'r': width must be a positive multiple of 8, not 12"),
        ({"count": -1}, "register 'r': count must be a non-negative integer, not -1"),
        ({"stride": 2}, "register 'r': stride must be at least 4 bytes, not 2"),
        ({"fields": (bits(), bits())}, "register 'r': two fields are called 'a'"),
        (
            {"fields": (bits(bit=30, width=3),)},
            "register 'r': field 'a' ends at bit 32, but the register has 32 bits",
        ),
        ({"fields": (bits(width=4), bits(name="b", bit=3))}, "register 'r': field 'b' overlaps 'a'"),
        (
            {"fields": (bits(),), "access": "ro"},
            "register 'r': access, hardware and reset belong to its fields",
        ),
    ],
)
def test_a_register_that_cannot_be_is_refused(attributes, message):
    with pytest.raises(ValueError) as caught:
        Register(**{"name": "r", "offset": 0, **attributes})
    assert str(caught.value) == message


def word(name, offset, **attributes):
    return Register(name=name, offset=offset, **attributes)


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        ((word("a", 0), word("b", 2)), "map 'm': register 'b' at 0x2 overlaps 'a' at 0x0..0x3"),
        ((word("b", 4), word("a", 0, width=64)), "map 'm': register 'b' at 0x4 overlaps 'a' at 0x0..0x7"),
        ((word("a", 0), word("a", 4)), "map 'm': two registers are called 'a'"),
        ((word("a", 0x1C, width=64),), "map 'm': register 'a' ends at 0x24, but the map has 0x20 bytes"),
        ((word("a", 0, count=9),), "map 'm': register 'a' ends at 0x24, but the map has 0x20 bytes"),
        (
            (word("a", 0, count=3, stride=8), word("b", 12, count=2, stride=4)),
            "map 'm': register 'b' at 0xc overlaps 'a' at 0x0..0x13",
        ),
        ((word("a", 0, bank=1),), "map 'm': register 'a' is banked, but no field selects banks"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(registers, message):
    with pytest.raises(ValueError) as caught:
        RegisterMap(name="m", size=0x20, registers=registers)
    assert str(caught.value) == message


def test_a_bank_field_must_exist():
    with pytest.raises(ValueError, match=r"^map 'm': no field 'a.x' to select banks$"):
        RegisterMap(name="m", size=4, registers=(word("a", 0),), bank="a.x")


def test_what_does_not_meet_may_share_addresses():
    RegisterMap(
        name="m",
        size=0x20,
        bank="select.bank",
        registers=(
            word("read_only", 0, access="ro", bank=0),
            word("write_only", 0, access="wo", bank=0),
            word("other_bank", 0, bank=1),
            word("select", 4, fields=(bits(name="bank"),)),
            word("even", 8, count=2, stride=8),
            word("odd", 12, count=2, stride=8),
        ),
    )


def test_maps_are_frozen():
    register = word("a", 0)
    with pytest.raises(AttributeError):
        register.offset = 4
    assert register.replace(offset=4).offset == 4


MAP = RegisterMap(
    name="m",
    size=0x20,
    sizes=(1, 2, 4),
    registers=(
        word("a", 0, width=8),
        word("b", 1, width=8, access="wo"),
        word("wide", 4, width=64),
        word("array", 0x10, width=16, count=3, stride=4),
    ),
)


@pytest.mark.parametrize(
    ("offset", "size", "write", "found"),
    [
        (0, 1, False, [("a", 0, 0)]),
        (0, 4, False, [("a", 0, 0)]),
        (0, 4, True, [("a", 0, 0), ("b", 0, -8)]),
        (2, 2, True, []),
        (6, 2, True, [("wide", 0, 16)]),
        (8, 4, False, [("wide", 0, 32)]),
        (0x14, 4, False, [("array", 1, 0)]),
        (0x11, 1, False, [("array", 0, 8)]),
        (0x12, 2, False, []),
        (0x1C, 4, False, []),
    ],
)
def test_an_access_finds_the_registers_it_covers(offset, size, write, found):
    assert [(r.name, index, shift) for r, index, shift in MAP.find(offset, size, write=write)] == found


def test_lookup_by_name():
    assert MAP["wide"].width == 64 and MAP["wide"]["wide"].mask == (1 << 64) - 1
    with pytest.raises(KeyError, match="map 'm' has no register 'none'"):
        MAP["none"]
    with pytest.raises(KeyError, match="register 'a' has no field 'none'"):
        MAP["a"]["none"]
