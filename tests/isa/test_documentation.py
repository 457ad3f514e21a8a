"""The page of implementation-defined behaviour agrees with the declarations."""

from pathlib import Path

from rvsim.isa import IsaConfig
from rvsim.isa.config import MULTI
from rvsim.isa.documentation import csr_table

PAGE = (Path(__file__).parents[2] / "docs" / "implementation-defined.md").read_text(encoding="utf-8")


def test_its_table_of_registers_is_the_declared_one():
    assert PAGE.endswith(csr_table() + "\n"), "run: python -m rvsim.isa.documentation, and put it at the page's end"


def test_it_names_every_extension_and_parameter():
    for extension in MULTI:
        assert extension.capitalize() in PAGE
    for field in set(IsaConfig._fields) - {"xlen"}:
        assert f"`{field}`" in PAGE


def test_a_register_that_is_absent_is_not_in_the_table():
    full = IsaConfig()
    table = csr_table(full.replace(extensions=full.extensions - {"sstc", "zicntr"}))
    assert "stimecmp" not in table and "`cycle`" not in table and "`mcycle`" in table
