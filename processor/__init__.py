"""Trayecto, an event-sourced streaming journey processor.

It reads what contacts do from an event log, keeps one row of state per contact, walks each contact through
marketing programs, and emits the next step as a command to the channel that carries it out. Every decision is
a function of the recorded log: `processor.core` decides and does nothing else, the other packages feed it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
