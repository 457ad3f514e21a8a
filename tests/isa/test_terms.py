"""Terms: tracing, widths, and their values on integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsim.isa.terms import const, evaluate, mux, signed, var, variables

A, B, C = var("a", 32), var("b", 32), var("c", 1)
words = st.integers(0, 0xFFFF_FFFF)


def value(term, **values):
    return evaluate(term, values)


def test_a_term_refuses_to_be_a_condition():
    with pytest.raises(TypeError, match="use mux"):
        bool(A.eq(B))
    with pytest.raises(TypeError, match="use mux"):
        A if A.ltu(3) else B


def test_widths_must_agree():
    with pytest.raises(TypeError, match="widths differ"):
        A + var("d", 8)
    with pytest.raises(TypeError, match="one bit"):
        mux(A, B, B)
    with pytest.raises(ValueError, match="bits 32:1"):
        A.bits(32, 1)
    with pytest.raises(TypeError, match="widths differ"):
        mux(C, A, A.zext(64))


def test_constants_wrap_and_are_lifted():
    assert const(-1, 8).value == 0xFF
    assert value(A + -1, a=0) == 0xFFFF_FFFF
    assert value(mux(C, A, -2), c=0, a=1) == 0xFFFF_FFFE


def test_extensions_to_the_same_width_are_the_term_itself():
    assert A.zext(32) is A and A.sext(32) is A and A.bits(31, 0) is A


def test_variables_and_names():
    term = mux(A.eq(0), A + B, (A.bits(7, 4).sext(8)).zext(32))
    assert variables(term) == {"a", "b"}
    assert repr(A + 1) == "add(a, 0x1)"
    assert repr(A.bits(7, 4).sext(8)) == "sext(extract(a, 4+4), 8)"


def test_a_variable_is_needed():
    with pytest.raises(KeyError):
        value(A + B, a=1)


def test_only_the_chosen_side_of_a_mux_is_evaluated_on_integers():
    assert value(mux(B.eq(0), const(7, 32), A.divu(B)), a=1, b=0) == 7
    with pytest.raises(ZeroDivisionError):
        value(A.divu(B), a=1, b=0)


@given(words, words)
def test_arithmetic_wraps(a, b):
    values = {"a": a, "b": b}
    modulus = 1 << 32
    assert value(A + B, **values) == (a + b) % modulus
    assert value(A - B, **values) == (a - b) % modulus
    assert value(A * B, **values) == a * b % modulus
    assert value(~A, **values) == a ^ 0xFFFF_FFFF
    assert value(A << B, **values) == (a << b % 32) % modulus
    assert value(A >> B, **values) == a >> b % 32
    assert value(A.sra(B), **values) == (signed(a, 32) >> b % 32) % modulus
    assert value(A.sext(64) * B.sext(64), **values) == signed(a, 32) * signed(b, 32) % (1 << 64)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1).filter(bool))
def test_signed_division_rounds_towards_zero(a, b):
    if (a, b) == (-(2**31), -1):
        return
    quotient, remainder = value(A.div(B), a=a, b=b), value(A.rem(B), a=a, b=b)
    quotient, remainder = signed(quotient, 32), signed(remainder, 32)
    assert a == quotient * b + remainder
    assert abs(remainder) < abs(b) and (remainder == 0 or (remainder < 0) == (a < 0))


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_counts(width):
    x = var("x", width)
    for bits in (0, 1, 2, 3, (1 << width) - 1, 1 << width - 1, 0x55 % (1 << width)):
        text = f"{bits:0{width}b}"
        assert value(x.clz(), x=bits) == len(text) - len(text.lstrip("0"))
        assert value(x.ctz(), x=bits) == len(text) - len(text.rstrip("0"))
        assert value(x.cpop(), x=bits) == text.count("1")
        assert value(x.bswap(), x=bits) == int.from_bytes(bits.to_bytes(width // 8, "big"), "little")
