"""What only a state on disk can do: come back after any death, and refuse what is not its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from rocksdict import Options, Rdict

from processor.core.rows import ROW_VERSION
from processor.store import NEVER_MS, Changes, RocksMemory, StateError, open_rocks
from processor.store.rocks import FORMAT, Meta

# Commit n writes n into the position, all rows, the shared row, and moves every timer to n: any mixture of
# two commits shows.
WRITER = """
import sys
from pathlib import Path
from processor.store import Changes, open_rocks

store = open_rocks(Path(sys.argv[1]), partitions=2, sync=False)
number = int(store.position() or b"0")
while True:
    number += 1
    value = b"%d" % number
    changes = {
        p: Changes(
            {f"c{i}": value * 50 for i in range(40)},
            {f"c{i}": (number - 1, number) for i in range(40)},
            value,
            timers_below_ms=number,
        )
        for p in (0, 1)
    }
    store.commit(changes, value)
    print(number, flush=True)
"""

HOLDER = """
import sys
from pathlib import Path
from processor.store import open_rocks

store = open_rocks(Path(sys.argv[1]), partitions=1)
print("open", flush=True)
sys.stdin.read()
"""

FULL = """
import resource, signal, sys
from pathlib import Path
from processor.store import Changes, StateError, open_rocks

store = open_rocks(Path(sys.argv[1]), partitions=1)
store.commit({0: Changes({"a": b"1"})}, b"first")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(100):
        store.commit({0: Changes({"a": bytes(50_000)})}, b"%d" % number)
except StateError as error:
    print(error)
"""


def test_every_kill_leaves_whole_commits(tmp_path: Path):
    reached = 0
    for turn in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(0.05 + 0.06 * turn)
        writer.send_signal(signal.SIGKILL)
        acknowledged = int((first + writer.stdout.read()).split()[-1])
        writer.wait(10)
        writer.stdout.close()
        store = open_rocks(tmp_path, partitions=2)
        value = store.position()
        assert value is not None
        # What was acknowledged is there; one more may have reached the disk before its line was printed.
        assert int(value) in {acknowledged, acknowledged + 1}
        assert acknowledged > reached
        reached = int(value)
        for number in (0, 1):
            partition = store.partition(number)
            names = partition.contacts("", 100)
            assert len(names) == 40
            assert set(partition.get_many(names)) == {value * 50}
            assert partition.due(NEVER_MS, None, 100) == [(reached, name) for name in names]
            assert partition.next_due() == reached
            assert partition.shared() == value
        store.close()


def test_in_use_by_another_process(tmp_path: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StateError, match="in use by another process: stop that one"):
            open_rocks(tmp_path, partitions=1)
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
    open_rocks(tmp_path, partitions=1).close()


def test_in_use_by_this_process(tmp_path: Path):
    store = open_rocks(tmp_path, partitions=1)
    with pytest.raises(StateError, match="in use"):
        open_rocks(tmp_path, partitions=1)
    store.close()


def test_a_full_disk_says_so_and_loses_nothing(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert "disk is full: free some space" in done.stdout, done
    store = open_rocks(tmp_path, partitions=1)
    assert store.position() in {b"first", b"0", b"1", b"2", b"3"}
    store.close()


def test_another_number_of_partitions(tmp_path: Path):
    open_rocks(tmp_path, partitions=8).close()
    with pytest.raises(StateError, match="has 8 partitions and this run 4: run it with 8"):
        open_rocks(tmp_path, partitions=4)
    open_rocks(tmp_path, partitions=8).close()  # the refusal has left it closed and unchanged


@pytest.mark.parametrize("meta", [Meta(FORMAT + 1, ROW_VERSION, 1), Meta(FORMAT, ROW_VERSION + 1, 1)])
def test_another_format(tmp_path: Path, meta: Meta):
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    database = Rdict(str(tmp_path), options)
    database.put(b"m", msgspec.json.encode(meta))
    database.close()
    with pytest.raises(StateError, match="use the program that wrote it"):
        open_rocks(tmp_path, partitions=1)


@pytest.mark.parametrize(("key", "value"), [(b"other", b"1"), (b"m", b"\xff")])
def test_a_database_of_something_else(tmp_path: Path, key: bytes, value: bytes):
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    database = Rdict(str(tmp_path), options)
    database.put(key, value)
    database.close()
    with pytest.raises(StateError, match="some other RocksDB database"):
        open_rocks(tmp_path, partitions=1)


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError, match="check that the folder"):
        open_rocks(tmp_path / "file", partitions=1)


def test_a_damaged_state(tmp_path: Path):
    open_rocks(tmp_path, partitions=1).close()
    (tmp_path / "CURRENT").write_text("MANIFEST-999999\n")
    with pytest.raises(StateError, match=str(tmp_path)):
        open_rocks(tmp_path, partitions=1)


def test_the_topology_is_remembered(tmp_path: Path):
    store = open_rocks(tmp_path, partitions=1, topology="one")
    assert store.meta.topology == "one"
    store.adopt("two")
    store.close()
    store = open_rocks(tmp_path, partitions=1, topology="three")
    assert store.meta == Meta(FORMAT, ROW_VERSION, 1, "two")
    store.close()


def test_several_states_share_one_memory(tmp_path: Path):
    memory = RocksMemory(8 << 20)
    stores = [open_rocks(tmp_path / str(n), partitions=1, sync=False, memory=memory) for n in range(4)]
    for turn in range(6):
        for store in stores:
            rows: dict[str, bytes | None] = {f"c{turn}-{n}": os.urandom(1_000) for n in range(1_000)}
            store.commit({0: Changes(rows)}, b"")
    for store in stores:
        names = store.partition(0).contacts("", 10_000)
        assert len(names) == 6_000
        assert None not in store.partition(0).get_many(names)
    # 24 MB went through; what is accounted for comes back to near the bound (a block may be pinned). On a
    # busy machine full write buffers wait for their flush meanwhile: commits do not stall for it. What was
    # written last stays in a buffer of each until somebody writes again.
    deadline = time.monotonic() + 60
    while memory.cache.get_usage() >= 12 << 20 and time.monotonic() < deadline:
        for store in stores:
            store.commit({0: Changes({"c0-0": b"again"})}, b"")
        time.sleep(0.05)
    assert memory.cache.get_usage() < 12 << 20
    for store in stores:
        store.close()


def test_a_state_that_is_opened_again_has_the_memory_and_the_filters_of_a_new_one(tmp_path: Path):
    # rocksdict gave an existing database an 8 MiB cache of its own and no filter; see tuning.opened.
    for _ in ("made", "opened again"):
        memory = RocksMemory(40 << 20)
        store = open_rocks(tmp_path, partitions=1, sync=False, memory=memory)
        assert store._database is not None
        assert store._database.property_int_value("rocksdb.block-cache-capacity") == 40 << 20
        store.close()
        newest = max(tmp_path.glob("OPTIONS-*"))
        assert "filter_policy=bloomfilter" in newest.read_text()
