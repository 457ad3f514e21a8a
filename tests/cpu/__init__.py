"""Tests of the two cores."""
