"""The engine under Amaranth's own simulator."""
