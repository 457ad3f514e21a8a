"""The text builder and the compiler: what is built computes what it says."""

import ctypes

import pytest

from rvsim.native import cache, compiler, link
from rvsim.native.ir import Module


def run(module, name, *arguments, result=ctypes.c_int64):
    blob, symbols = link.link(compiler.compile_object(module.text()))
    address = cache.map_code(blob) + symbols[name]
    return ctypes.CFUNCTYPE(result, *(ctypes.c_int64 for _ in arguments))(address)(*arguments)


def function(name="f", parameters=("a", "b")):
    module = Module()
    return module, module.function(name, "i64", [("i64", p) for p in parameters], exported=True)


def test_operators_compute():
    module, f = function()
    a, b = f.parameters
    f.ret(((a + b) * 3 - (a & b)) ^ (a << 2))
    assert run(module, "f", 5, 9) == ((5 + 9) * 3 - (5 & 9)) ^ (5 << 2)


def test_adding_zero_emits_nothing():
    module, f = function()
    a, _ = f.parameters
    assert (a + 0) is a
    f.ret(a)
    assert run(module, "f", 7, 0) == 7


def test_loop_variable_and_branch():
    module, f = function()
    total, index = f.variable("i64", 0), f.variable("i64", 0)
    with f.loop() as done:
        i = index.get()
        with f.if_(f.parameters[0].ule(i)):
            f.branch(done)
        total.set(total.get() + i)
        index.set(i + 1)
    f.ret(total.get())
    assert run(module, "f", 100, 0) == sum(range(100))


def test_if_else_with_both_ends_returning():
    module, f = function()
    a, b = f.parameters
    f.if_else(a.slt(b), lambda: f.ret(1), lambda: f.ret(2))
    assert f.ended
    assert run(module, "f", 1, 2) == 1


def test_switch_takes_its_case_and_its_default():
    for value, expected in ((3, 30), (4, 40), (5, 99)):
        module, f = function()
        out = f.variable("i64", 0)
        f.switch(f.parameters[0], {3: lambda o=out: o.set(30), 4: lambda o=out: o.set(40)}, lambda o=out: o.set(99))
        f.ret(out.get())
        assert run(module, "f", value, 0) == expected


def test_constant_table_is_addressable():
    module, f = function()
    module.table("t", "i32", [10, 20, 30])
    f.ret(f.load("i32", f.symbol("t").at(f.parameters[0] << 2)).to("i64"))
    assert run(module, "f", 2, 0) == 30


def test_extension_and_truncation():
    module, f = function()
    f.ret(f.parameters[0].to("i8").to("i64", signed=True))
    assert run(module, "f", 0xFF, 0) == -1


def test_operands_of_different_types_are_refused():
    _, f = function()
    with pytest.raises(TypeError, match=r"i64 .* and i32"):
        f.parameters[0] + f.value(1, "i32")


def test_function_without_an_end_is_refused():
    module, _ = function()
    with pytest.raises(ValueError, match="does not end"):
        module.text()


def test_text_that_llvm_refuses_is_an_error_not_a_crash():
    with pytest.raises(RuntimeError, match="error: value doesn't match"):
        compiler.compile_object("define i32 @f() { ret i33 0 0 }")
