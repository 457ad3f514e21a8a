"""Waveforms of free runs, written as they happen or from what a flight recorder kept."""

from .methods import Waveforms
from .recorder import Recorder
from .trace import Trace

__all__ = ["Recorder", "Trace", "Waveforms"]
