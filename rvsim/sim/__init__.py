"""A compiled simulation engine for any Amaranth design. It knows nothing of RISC-V."""

_HOMES = {
    "CompiledEngine": "engine.engine",
    "ConditionError": "conditions",
    "Ram": "ram",
    "Receiver": "streams",
    "Runner": "runner",
    "Sender": "streams",
    "UnsupportedDesign": "netlist",
}

__all__ = ["CompiledEngine", "ConditionError", "Ram", "Receiver", "Runner", "Sender", "UnsupportedDesign"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
