"""Tests of what instructions, CSRs and traps mean, and of the integer reference."""
