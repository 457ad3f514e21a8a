"""Waveforms of free runs, written as they happen or from what a flight recorder kept."""

from .observers import Observers
from .recorder import Recorder
from .trace import Trace

__all__ = ["Observers", "Recorder", "Trace"]
