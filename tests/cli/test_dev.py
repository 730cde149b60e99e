"""``trayecto dev``: what it says and how it ends, with servers that only look as if."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from processor.runtime.broker import errors, jars, java, kafka, registry


class Server:
    """A server that runs for a few looks, and then is interrupted, or ends by itself."""

    made: list[Server] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, folder, *, port=0):
        self.folder, self.port = folder, port
        self.log = folder / "server.log"
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}/api"
        self.told: list[str] = []
        Server.made.append(self)

    looks = 3
    end: object = signal.SIGINT
    stop_interrupted = False
    start_fails: Exception | None = None

    @property
    def running(self):
        self.looks -= 1
        if self.looks < 0 and isinstance(self.end, signal.Signals):
            number, self.end = self.end, None
            signal.raise_signal(number)
        return self.looks >= 0 or self.end != "by itself"

    def start(self):
        self.told.append("start")
        self.folder.mkdir(exist_ok=True)
        if self.start_fails:
            raise self.start_fails

    def stop(self):
        self.told.append("stop")
        if self.stop_interrupted:
            signal.raise_signal(signal.SIGINT)

    def kill(self):
        self.told.append("kill")

    def last_words(self):
        return "the disk is full"


@pytest.fixture
def dev(cli, monkeypatch):
    """Run ``trayecto dev …``, with everything that it would download already here."""
    Server.made.clear()
    monkeypatch.setattr(kafka, "LocalKafka", Server)
    monkeypatch.setattr(registry, "LocalRegistry", Server)
    monkeypatch.setattr(jars, "bytes_missing", lambda _: 0)
    monkeypatch.setattr(java, "find_java", lambda _: None)
    monkeypatch.setattr("processor.cli.dev._LOOK_S", 0)
    return lambda *arguments: cli("dev", *arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_good_order(dev, monkeypatch, number):
    monkeypatch.setattr(Server, "end", number)
    before = signal.getsignal(signal.SIGTERM)
    done = dev("kafka", "--port", 19092)
    assert done.code == 0
    assert "127.0.0.1:19092" in done.out
    assert "trayecto topics create --topology shop --broker 127.0.0.1:19092" in done.out
    assert "stopping" in done.err
    assert Server.made[0].told == ["start", "stop"]
    assert Server.made[0].folder == Path(".trayecto-kafka")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_one_ends_it_at_once(dev, monkeypatch):
    monkeypatch.setattr(Server, "stop_interrupted", True)
    assert dev("kafka", "--port", 0, "--registry", "--registry-port", 0).code == 0
    assert [server.told for server in Server.made] == [["start", "kill"], ["start", "stop", "kill"]]


def test_one_that_ends_by_itself_is_told(dev, monkeypatch):
    monkeypatch.setattr(Server, "end", "by itself")
    done = dev("kafka", "--port", 0)
    assert done.code == 3
    assert "it has ended by itself: the disk is full" in done.err


def test_a_registry_beside_it(dev):
    done = dev("kafka", "--port", 0, "--registry", "--registry-port", 18081)
    assert "--registry http://127.0.0.1:18081/api" in done.out
    assert [server.told for server in Server.made] == [["start", "stop"]] * 2


def test_a_registry_alone(dev):
    done = dev("registry", "--port", 18081)
    assert done.code == 0
    assert "http://127.0.0.1:18081/api" in done.out
    assert not Server.made[0].folder.exists()


def test_a_broker_is_stopped_when_the_registry_beside_it_fails(dev, monkeypatch):
    class Failing(Server):
        start_fails = errors.StartError("the registry does not answer", "see its log")

    monkeypatch.setattr(registry, "LocalRegistry", Failing)
    done = dev("kafka", "--port", 0, "--registry", "--registry-port", 0)
    assert done.code == 3
    assert done.err.splitlines()[-2:] == ["error: the registry does not answer", "see its log"]
    assert Server.made[0].told == ["start", "stop"]


def test_what_is_thrown_away_is_gone(dev, tmp_path):
    done = dev("kafka", "--port", 0, "--throw-away")
    assert "(deleted at the end)" in done.out
    assert not Server.made[0].folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_keep(dev):
    done = dev("kafka", "--port", 0, "--data", "mine")
    assert "mine (kept; delete it to begin anew)" in done.out
    assert Server.made[0].folder == Path("mine")
    assert dev("kafka", "--data", "mine", "--throw-away").code == 2


@pytest.mark.parametrize("option", ["--port", "--registry-port"])
def test_a_taken_port_is_said_before_a_download(dev, monkeypatch, option):
    monkeypatch.setattr(jars, "bytes_missing", lambda _: pytest.fail("too early"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"--port": 0, "--registry-port": 0, option: other.getsockname()[1]}
        done = dev("kafka", "--registry", *(word for pair in ports.items() for word in pair))
    assert done.code == 2
    assert "is taken: something listens there already" in done.err
    assert f"give another port with {option} " in done.err
    assert Server.made == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.FetchError("one.jar cannot be downloaded", "check the network"), 3),
        (errors.UnusableError("that folder is another's", "check the network"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_how_a_download_can_end(dev, monkeypatch, error, code):
    def fails(tell):
        tell(50, 100, "half of it")
        tell(0, 0, "waiting for another process that downloads")
        raise error

    monkeypatch.setattr(jars, "bytes_missing", lambda _: 39_000_000)
    monkeypatch.setattr(jars, "kafka_jars", fails)
    done = dev("kafka", "--port", 0)
    assert done.code == code
    assert "Apache Kafka 4.1.1 is not here yet: 39 MB go into" in done.err
    assert "downloading kafka: half of it, 50%" in done.err
    assert "waiting for another process" in done.err
    if code != 130:
        assert done.err.splitlines()[-2:] == [f"error: {error}", "check the network"]
    assert Server.made == []


def test_no_java(dev, monkeypatch):
    def none(least):
        raise errors.JavaError("there is no Java here", "install it")

    monkeypatch.setattr(java, "find_java", none)
    done = dev("registry", "--port", 0)
    assert (done.code, done.out) == (3, "")
    assert "there is no Java here" in done.err
