import pytest

from rvsim.soc import Outcome


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "power-off"}, 0),
        ({"kind": "reboot"}, 0),
        ({"kind": "stuck"}, 3),
        ({"kind": "panic"}, 3),
        ({"kind": "limit"}, 124),
        ({"kind": "timeout"}, 124),
        ({"kind": "exit", "code": 0}, 0),
        ({"kind": "exit", "code": 42}, 42),
        ({"kind": "exit", "code": 256}, 255),
        ({"kind": "exit", "code": 0xFFFF_FFFF}, 255),
    ],
)
def test_the_exit_status_belongs_to_the_outcome(fields, status):
    assert Outcome(**fields).status == status


def test_a_machine_can_go_on_after_a_limit_only():
    assert [kind for kind in ("power-off", "stuck", "limit", "timeout", "idle") if not Outcome(kind=kind).ended] == [
        "limit",
        "timeout",
        "idle",
    ]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="not 'bored'"):
        Outcome(kind="bored")
