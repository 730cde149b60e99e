"""How RocksDB is set up: the memory that databases share, and the options of each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBufferManager

__all__ = ["RocksMemory", "opened"]

_MIB: Final = 1 << 20
_FAMILY: Final = "default"  # the one column family of every database


class RocksMemory:
    """The memory that all databases given it share: `total_bytes`, of which write buffers take at most half.

    Index and filter blocks are counted in. Outside of it RocksDB needs about 5 MiB for each open database.
    """

    def __init__(self, total_bytes: int = 128 * _MIB) -> None:
        self.cache = Cache(total_bytes)
        buffers = WriteBufferManager.new_write_buffer_manager_with_cache
        self.buffers = buffers(total_bytes // 2, allow_stall=False, cache=self.cache)


def opened(path: Path, memory: RocksMemory) -> Rdict:
    """Open the database in a folder, or make it.

    rocksdict 0.3.29 gives the options to a new database. An existing one it opens with what its own file
    says, where neither the cache nor the filter stands: every state that was opened again then had a cache of
    8 MiB outside of the shared memory, and a read took 170 microseconds instead of 6. Options that are given
    for the column family by its name are taken both times.

    Raises:
        Exception: whatever RocksDB says.
    """
    options = _options(memory)
    return Rdict(str(path), options=options, column_families={_FAMILY: options})


def _options(memory: RocksMemory) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(memory.cache)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_bloom_filter(10, block_based=False)  # one look in a hundred for a new contact reads in vain
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_manager(memory.buffers)
    options.set_write_buffer_size(16 * _MIB)
    options.set_max_write_buffer_number(3)
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_max_background_jobs(2)
    options.set_max_open_files(512)
    options.set_bytes_per_sync(_MIB)
    options.set_max_total_wal_size(256 * _MIB)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(_MIB)
    options.set_stats_dump_period_sec(0)
    return options
