"""What a command line names: a design, or a function, in a module or in a file."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import inspect
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from types import ModuleType

from amaranth.hdl import Elaboratable, Fragment

from rvsim.errors import UserError

from ..netlist import UnsupportedDesign


def split(target: str) -> tuple[str, str]:
    """Module or file, and what stands behind the colon.

    Raises
    ------
    UserError
        There is no colon, or nothing on one side of it.
    """
    end = target.find(".py:")
    end = target.find(":") if end < 0 else end + 3
    place, expression = target[:end].strip(), target[end + 1 :].strip()
    if end < 1 or not expression:
        raise UserError(
            f"{target!r} names no design: write MODULE:CLASS, for example cpu.py:Cpu or project.cpu:Cpu(width=32)"
        )
    return place, expression


def load(place: str) -> ModuleType:
    """A module by its dotted name or by the path of its file.

    Raises
    ------
    UserError
        There is none, or it fails on being imported.
    """
    is_file = place.endswith(".py") or os.sep in place
    if is_file and not os.path.isfile(place):
        raise UserError(f"there is no file {place!r}" + _near_files(place))
    try:
        return _load_file(place) if is_file else importlib.import_module(place)
    except ModuleNotFoundError as error:
        missing = error.name or place
        if not is_file and (place == missing or place.startswith(missing + ".")):
            hint = f"; the file is named {place}.py" if os.path.isfile(f"{place}.py") else ""
            raise UserError(f"there is no module {missing!r} here or on Python's path{hint}") from None
        raise UserError(f"{place} needs the module {missing!r}, which is not installed ({last_line(error)})") from None
    except Exception as error:
        raise UserError(f"importing {place} failed: {describe(error)}") from None


def _near_files(place: str) -> str:
    directory = os.path.dirname(place) or "."
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".py")]
    except OSError:
        return ""
    near = difflib.get_close_matches(os.path.basename(place), names, n=3, cutoff=0.5)
    return "".join(("; near: ", ", ".join(os.path.join(os.path.dirname(place), name) for name in near))) if near else ""


def _load_file(path: str) -> ModuleType:
    """A file as a module: what is beside it can be imported, relatively too if its folders are packages."""
    full = os.path.abspath(path)
    stem, directory = os.path.splitext(os.path.basename(full))[0], os.path.dirname(full)
    parts, top = [stem], directory
    while os.path.isfile(os.path.join(top, "__init__.py")):
        parts.insert(0, os.path.basename(top))
        top = os.path.dirname(top)
    # Folders without __init__.py are packages too, seen from the current directory.
    below = os.path.relpath(full, os.getcwd())[: -len(".py")].split(os.sep)
    if len(parts) == 1 and "from ." in _text(full) and all(part.isidentifier() for part in below):
        parts, top = below, os.getcwd()
    if directory not in sys.path and len(parts) == 1:
        sys.path.insert(0, directory)
    if len(parts) > 1:
        if top not in sys.path:
            sys.path.insert(0, top)
        return importlib.import_module(".".join(parts))
    spec = importlib.util.spec_from_file_location(stem, full)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(stem, module)
    spec.loader.exec_module(module)
    return module


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class _Lazy(dict):
    """Names that a module gives only when it is asked for them."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__()
        self._module = module

    def __missing__(self, name: str) -> object:
        if name.startswith("__") or not hasattr(self._module, name):
            raise KeyError(name)
        return getattr(self._module, name)


def evaluate(module: ModuleType, expression: str) -> object:
    """What an expression in a module's names stands for.

    Raises
    ------
    UserError
        It cannot be understood, names something that is not there, or fails.
    """
    try:
        return eval(expression, dict(vars(module)), _Lazy(module))  # the user's own code, as importing it is
    except SyntaxError as error:
        raise UserError(f"{expression!r} is no Python expression: {error.msg}") from None
    except NameError as error:
        names = [n for n in vars(module) if not n.startswith("_")]
        near = difflib.get_close_matches(error.name or "", names, n=3, cutoff=0.5) or _designs(module)
        said = f"; near: {', '.join(near)}" if near else ""
        raise UserError(f"{module.__name__} has no {error.name!r}{said}") from None
    except Exception as error:
        raise UserError(f"{expression}: {describe(error)}") from None


def _designs(module: ModuleType) -> list[str]:
    """Names of the classes of designs that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Elaboratable) and value.__module__ == module.__name__
    ]


def make(module: ModuleType, expression: str) -> object:
    """The design that an expression stands for; classes and functions are called without arguments.

    Raises
    ------
    UserError
        There is none, or it needs arguments.
    """
    found = evaluate(module, expression)
    if inspect.isclass(found) or (callable(found) and not _is_design(found)):
        needed = _needed(found)
        if needed:
            raise UserError(
                f"{expression} needs arguments: {needed}; give them as Python, quoted for the shell: "
                f"'{expression}({', '.join(f'{n}=...' for n in needed.split(', '))})'"
            )
        try:
            found = found()
        except Exception as error:
            raise UserError(f"{expression}() failed: {describe(error)}") from None
    if not _is_design(found):
        raise UserError(f"{expression} is {_article(found)}, not an Amaranth design: it cannot be elaborated")
    return found


def _is_design(value: object) -> bool:
    return isinstance(value, Fragment) or (hasattr(value, "elaborate") and not inspect.isclass(value))


def _article(value: object) -> str:
    kind = type(value).__name__
    return ("an " if kind[0] in "aeiouAEIOU" else "a ") + kind


def _needed(function: object) -> str:
    """Names of the parameters that have no default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ""
    wanted = [
        p.name for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # fmt: skip
    return ", ".join(wanted)


@contextlib.contextmanager
def in_the_design(expression: str) -> Iterator[None]:
    """Errors of the user's own code while a design is elaborated, in one line."""
    try:
        yield
    except (UnsupportedDesign, UserError) as error:
        raise UserError(str(error)) from None
    except Exception as error:
        raise UserError(f"elaborating {expression} failed: {describe(error)}") from None


def function(target: str) -> object:
    """A function named as ``FILE.py:NAME`` or ``MODULE:NAME``.

    Raises
    ------
    UserError
        There is none.
    """
    place, name = split(target)
    found = evaluate(load(place), name)
    if not callable(found):
        raise UserError(f"{target} is {_article(found)}, not a function")
    return found


def describe(error: BaseException) -> str:
    """An exception in one line, with the place that raised it."""
    said = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    return f"{text} ({last_line(error)})" if last_line(error) else text


def last_line(error: BaseException) -> str:
    """The innermost place of a traceback that is the user's: neither ours, nor Amaranth's, nor Python's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}:{error.lineno}"
    foreign = (os.path.dirname(inspect.__file__), os.path.dirname(os.path.dirname(__file__)), "<frozen")
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(foreign) and "site-packages" not in frame.filename
        and linecache.getline(frame.filename, frame.lineno or 0)
    ]  # fmt: skip
    return f"{os.path.relpath(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
