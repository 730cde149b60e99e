"""What a worker says when it cannot start: once, without a traceback, and without a broker to ask."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from processor.language import load_topology
from processor.runtime.faust import Engine, WorkerSettings
from processor.runtime.faust.app import lock_state, make_app
from processor.runtime.faust.errors import FencedInstanceError, PagesError
from processor.runtime.faust.pages import Pages
from processor.runtime.faust.serving import Worker, told
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.topics import Difference
from processor.store import RocksStore

TEN = Path(__file__).parents[3] / "topologies" / "demo"


def settings(state: Path) -> WorkerSettings:
    return WorkerSettings(
        app="a", broker="127.0.0.1:1", sources=("events",), partitions=2, name="w0", state=state
    )


def no_engine(number: int, store: RocksStore) -> Engine:
    raise AssertionError("no engine is made before a state is restored")


RUN = """
import sys
from pathlib import Path
from processor.observe.logs import configure
from processor.runtime.faust import WorkerSettings
from processor.runtime.faust.worker import run_worker

configure("info", "text")
named = dict(app="a", broker="127.0.0.1:1", sources=("events",), partitions=2, name="w0")
try:
    run_worker(WorkerSettings(state=Path(sys.argv[1]), **named), None, loglevel="")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def run(state: Path) -> tuple[str, str]:
    """Run a worker in a process of its own; return what it raised, and its log."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(state)], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout, done.stderr


def test_a_state_that_is_in_use_is_raised_and_not_logged_as_well(tmp_path: Path):
    lock_state(settings(tmp_path))
    raised, log = run(tmp_path)
    assert raised.startswith("StateInUseError: a worker runs on the state in")
    assert log == ""


def test_a_state_that_is_a_file_is_an_error_of_the_disk(tmp_path: Path):
    (tmp_path / "state").write_text("")
    raised, log = run(tmp_path / "state")
    assert raised.startswith("FileExistsError")
    assert log == ""


async def pages(host: str, port: int) -> None:
    lanes = SimpleNamespace(states=dict, ready=False)
    one = Pages(lanes, SimpleNamespace(), {}, host, port)  # type: ignore[arg-type]
    await one.on_start()
    await one.on_stop()


async def test_pages_at_a_port_that_is_taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PagesError, match=f"127.0.0.1:{port} is taken: .* give another port"):
            await pages("127.0.0.1", port)


async def test_pages_at_an_address_of_another_machine():
    with pytest.raises(PagesError, match=r"192.0.2.1:0 cannot be listened at .*address of this machine"):
        await pages("192.0.2.1", 0)


async def test_the_first_failure_is_what_the_worker_ends_with(tmp_path: Path):
    app = make_app(settings(tmp_path), no_engine)
    app.on_fenced_instance()
    app._crash(RuntimeError("in its wake"))
    assert isinstance(app.failure, FencedInstanceError)


@pytest.mark.parametrize("name", ["a b", "a/b", "ü", ".", "..", "x" * 250])
def test_a_name_that_kafka_does_not_take_is_refused(tmp_path: Path, name: str):
    topology = load_topology(TEN).topology
    with pytest.raises(ValueError, match="a worker cannot be called"):
        Worker(topology, KafkaSettings(broker="127.0.0.1:1"), tmp_path, name)


def test_topics_that_do_not_fit_are_told_by_kind():
    missing = [Difference(name, "missing", "there", "not there", "fix") for name in ("events", "clock")]
    said = told([*missing, Difference("internal", "partitions", "8", "4", "mend it")])
    assert said == (
        "there is no topic events, clock: trayecto topics create makes what is missing; topics have another "
        "number of partitions than the topology: internal (4 instead of 8): mend it"
    )
