"""The functional core against the integer reference."""
