"""LLVM text IR to machine code: a builder, the compiler, a linker to one flat blob, and the object cache.

The only room that imports llvmlite, and only :mod:`rvsim.native.compiler` does.
"""
