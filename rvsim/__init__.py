"""rvsim: a RISC-V computer you can look inside."""

__version__ = "0.1.0"
