"""The hart as hardware: one unit a file, each usable alone."""
