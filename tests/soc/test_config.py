import pytest

from rvsim.errors import UserError
from rvsim.isa import IsaConfig
from rvsim.soc import SocConfig
from rvsim.soc.config import size_text


def test_defaults_are_those_of_the_documentation():
    config = SocConfig()
    assert (config.memory, config.icount, config.seed, config.reboot) == (128 << 20, False, 0, True)
    assert config.timebase == 10_000_000
    assert config.isa == IsaConfig()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"memory": 4096}, "memory 4 KiB is too small: at least 1 MiB is needed"),
        ({"memory": (2 << 30) + 4096}, "must end below 2**32, so at most 2 GiB"),
        ({"memory": (1 << 20) + 1}, "memory 1048577 is not a multiple of 4096 bytes"),
        ({"memory": "128M"}, "memory must be a number of bytes, not '128M'"),
        ({"memory": True}, "memory must be a number of bytes"),
        ({"seed": -1}, "seed must be an unsigned number of at most 64 bits, not -1"),
        ({"seed": 1 << 64}, "at most 64 bits"),
        ({"timebase": 1}, "the functional core counts at 10000000 Hz"),
        ({"isa": "rv32imac"}, "isa must be an IsaConfig"),
    ],
)
def test_a_field_out_of_its_range_is_a_users_mistake(fields, message):
    with pytest.raises(UserError) as caught:
        SocConfig(**fields)
    assert isinstance(caught.value, ValueError)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("rv32imac", "rv32imac_zicsr_zifencei"),
        ("rv32imac_zba_zbb_zbs", "rv32imac_zicsr_zifencei_zba_zbb_zbs"),
        ("rv32imac_zicsr", "rv32imac_zicsr"),
        ("rv32ima_zifencei_zba", "rv32ima_zicsr_zifencei_zba"),
    ],
)
def test_i_held_zicsr_and_zifencei_before_they_had_names(text, meaning):
    assert IsaConfig.parse(text).isa_string == meaning


def test_the_largest_memory_ends_at_the_end_of_the_address_space():
    assert SocConfig(memory=2 << 30).memory == 2 << 30


@pytest.mark.parametrize(
    ("size", "text"),
    [(64 << 20, "64 MiB"), (1 << 30, "1 GiB"), (4096, "4 KiB"), (1500, "1500 bytes"), ((64 << 20) + 1, "64.0 MiB")],
)
def test_sizes_read_as_people_write_them(size, text):
    assert size_text(size) == text
