"""The hart at its fidelities: ``functional`` (compiled interpreter) and ``pipeline`` (hardware)."""
