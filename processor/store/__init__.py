"""Rows, timer index, shared rows and the run's position, committed together.

`base` is the interface; `memory` keeps everything in the process (scenario tests, small backtests), `rocks`
in RocksDB, which `tuning` sets up. Import from this package, not from its modules.
"""

from processor.store.base import NEVER_MS, Changes, PartitionStore, StateError, Store
from processor.store.memory import MemoryStore
from processor.store.rocks import RocksStore, open_rocks
from processor.store.tuning import RocksMemory

__all__ = [
    "NEVER_MS",
    "Changes",
    "MemoryStore",
    "PartitionStore",
    "RocksMemory",
    "RocksStore",
    "StateError",
    "Store",
    "open_rocks",
]
