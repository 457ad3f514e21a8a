"""The rooms of the house: imports point downwards only, and what is heavy has one home."""

import ast
from pathlib import Path

import pytest

import rvsim

ROOT = Path(rvsim.__file__).parent

# A room may import from rooms of a lower floor. Rooms on one floor do not know each other.
FLOORS = {
    "__init__": 0,
    "cachedir": 0,
    "errors": 0,
    "frozen": 0,
    "isa": 1,
    "native": 2,
    "sim": 3,
    "bus": 4,
    "regs": 5,
    "cpu": 6,
    "periph": 7,
    "net": 8,
    "guest": 9,
    "soc": 10,
}

# Neighbours and lower floors that a room must not know all the same.
STRANGERS = {
    "isa": {"errors"},
    "native": {"isa"},
    "sim": {"isa"},
    "regs": {"isa"},
    "bus": {"isa"},
    "net": {"isa", "cpu", "periph"},
    "guest": {"isa", "native", "sim", "cpu", "periph", "regs", "bus", "net"},
}

# A package of others, and the only rooms that may import it.
HOMES = {
    "llvmlite": {"native"},
    "amaranth": {"sim", "regs", "bus", "cpu", "periph", "soc"},
    "elftools": {"soc"},
    "fdt": {"soc"},
    "rich": {"soc", "guest"},
    "vcdvcd": {"sim", "soc"},
    "zstandard": {"soc"},
}


def modules():
    return sorted(path for path in ROOT.rglob("*.py"))


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """Absolute names of everything that a module imports, wherever in it."""
    parts = ("rvsim", *path.relative_to(ROOT).with_suffix("").parts)
    package = parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            full = ".".join([*base, *([node.module] if node.module else [])])
            # `from rvsim import isa` names a room behind "import".
            if full == "rvsim":
                yield from ((f"rvsim.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield full, node.lineno


def test_every_room_has_a_floor():
    assert {room(path) for path in modules()} <= set(FLOORS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    own = room(path)
    for name, line in imports(path):
        if not name.startswith("rvsim."):
            continue
        other = name.split(".")[1]
        if other not in FLOORS:
            continue
        assert other == own or FLOORS[other] < FLOORS[own], f"{path}:{line}: {own} imports {name}"
        assert other not in STRANGERS.get(own, ()), f"{path}:{line}: {own} is not to know {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_have_one_home(path):
    for name, line in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or room(path) in homes, f"{path}:{line}: {name} belongs to {', '.join(sorted(homes))}"


def test_twins_and_maps_do_without_amaranth():
    for path in modules():
        if path.name in ("twin.py", "registers.py", "map.py", "node.py", "functional.py"):
            assert not any(name.split(".")[0] == "amaranth" for name, _ in imports(path)), path


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 440, f"{path} has {lines} lines: about 400 is the house's measure"


@pytest.mark.parametrize(
    "path", [path for path in modules() if path.name == "__init__.py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_packages_only_re_export(path):
    """An ``__init__.py`` defines nothing of its own but the lazy look-up of names."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            assert node.name in ("__getattr__", "__dir__"), f"{path} defines {node.name}"
