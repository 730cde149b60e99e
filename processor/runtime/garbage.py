"""How often Python looks for cycles while the driver works: seldom, for rows and outputs hold none.

With its defaults the collector walks over what is in memory every few hundred objects, which costs a third of
the core's time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["GARBAGE_THRESHOLD", "few_collections"]

GARBAGE_THRESHOLD: Final = 200_000  # objects made and not freed before it looks at the youngest


@contextmanager
def few_collections() -> Iterator[None]:
    """Leave what there is now out of every collection, and collect seldom."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
