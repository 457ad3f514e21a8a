"""The Wishbone signature: members, names and checks as amaranth-soc has them."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rvsim.bus import wishbone
from rvsim.bus.wishbone import BurstTypeExt, CycleType, Feature


def test_plain_members():
    signature = wishbone.Signature(addr_width=30, data_width=32, granularity=8)
    assert dict(signature.members) == {
        "adr": Out(30),
        "dat_w": Out(32),
        "dat_r": In(32),
        "sel": Out(4),
        "cyc": Out(1),
        "stb": Out(1),
        "we": Out(1),
        "ack": In(1),
    }
    assert (signature.addr_width, signature.data_width, signature.granularity) == (30, 32, 8)
    assert signature.features == frozenset()


@pytest.mark.parametrize(
    ("feature", "member"),
    [
        ("err", In(1)),
        ("rty", In(1)),
        ("stall", In(1)),
        ("lock", Out(1)),
        ("cti", Out(CycleType)),
        ("bte", Out(BurstTypeExt)),
    ],
)
def test_each_feature_adds_its_member(feature, member):
    plain = wishbone.Signature(addr_width=30, data_width=32)
    for given in (feature, Feature(feature)):
        signature = wishbone.Signature(addr_width=30, data_width=32, features={given})
        assert dict(signature.members) == {**dict(plain.members), feature: member}
        assert signature.features == {Feature(feature)}


def test_granularity_defaults_to_the_data_width():
    signature = wishbone.Signature(addr_width=0, data_width=16)
    assert signature.granularity == 16
    assert signature.members["sel"] == Out(1)


def test_signatures_are_equal_by_their_parameters():
    def make(**changes):
        return wishbone.Signature(
            **{"addr_width": 30, "data_width": 32, "granularity": 8, "features": {"err"}, **changes}
        )

    assert make() == make(features=[Feature.ERR])
    for change in ({"addr_width": 29}, {"data_width": 64}, {"granularity": 16}, {"features": ()}):
        assert make() != make(**change)


def test_an_interface_knows_its_parameters():
    bus = wishbone.Signature(addr_width=10, data_width=64, granularity=8, features={"err", "stall"}).create()
    assert isinstance(bus, wishbone.Interface)
    assert (bus.addr_width, bus.data_width, bus.granularity) == (10, 64, 8)
    assert bus.features == {Feature.ERR, Feature.STALL}
    assert (len(bus.adr), len(bus.dat_r), len(bus.sel), len(bus.stall)) == (10, 64, 8, 1)


def test_initiator_and_target_connect():
    signature = wishbone.Signature(addr_width=8, data_width=32, features={"err", "cti"})
    m, initiator, target = Module(), signature.create(), signature.flip().create()
    wiring.connect(m, initiator, target)
    assert "connect" in rtlil.convert(m, name="joined", ports=[initiator.stb, target.stb, initiator.err, target.err])


def test_the_representation_names_all_parameters():
    signature = wishbone.Signature(addr_width=8, data_width=32, granularity=8, features={"stall", "err"})
    assert repr(signature) == (
        "wishbone.Signature(addr_width=8, data_width=32, granularity=8, features=['err', 'stall'])"
    )


@pytest.mark.parametrize("width", [-1, 1.5, "8", True])
def test_address_width_is_checked(width):
    with pytest.raises(TypeError, match=f"^Address width must be a non-negative integer, not {width!r}$"):
        wishbone.Signature(addr_width=width, data_width=32)


@pytest.mark.parametrize("width", [0, 7, 128, "32"])
def test_data_width_and_granularity_are_checked(width):
    with pytest.raises(ValueError, match=f"^Data width must be one of 8, 16, 32, 64, not {width!r}$"):
        wishbone.Signature(addr_width=8, data_width=width)
    with pytest.raises(ValueError, match=f"^Granularity must be one of 8, 16, 32, 64, not {width!r}$"):
        wishbone.Signature(addr_width=8, data_width=32, granularity=width)


def test_granularity_may_not_exceed_the_data_width():
    with pytest.raises(ValueError, match=r"^Granularity 32 may not exceed data width 8$"):
        wishbone.Signature(addr_width=8, data_width=8, granularity=32)


def test_an_unknown_feature_is_refused():
    with pytest.raises(ValueError, match="'burst' is not a valid Feature"):
        wishbone.Signature(addr_width=8, data_width=32, features={"burst"})
