"""The shells that drive the core over a log, and the one driver they share.

Shells (``embedded``, ``backtest``, ``simulate``) do not import each other; what they share is ``driver``.
"""
