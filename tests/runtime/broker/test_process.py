"""What is started ends when it is told to, and when whoever started it is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processor.runtime.broker.errors import StartError, UnusableError
from processor.runtime.broker.process import Child, free_port, require_free_port, tail

ROOT = Path(__file__).resolve().parents[3]


def start(folder, script):
    return Child.start(["/bin/sh", "-c", script], log=folder / "log", cwd=folder, environment=os.environ)


def wait_for(path, text):
    end = time.monotonic() + 20
    while not path.is_file() or text not in path.read_text(encoding="utf-8"):
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2][:3]


def test_it_stops_as_asked(tmp_path):
    child = start(tmp_path, "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done")
    wait_for(child.log, "up")
    assert child.running
    assert child.stop(20)
    assert (child.running, child.code) == (False, 5)
    said = tail(child.log).splitlines()
    assert (said[0], said[-1]) == ("up", "bye")  # the shell may add that its sleep was ended
    child.stop(1)  # once more does nothing
    child.kill()


def test_one_that_does_not_listen_is_ended_with_its_group(tmp_path):
    child = start(
        tmp_path, "trap '' TERM; sh -c 'sleep 60 & echo $!; wait' & echo up; while :; do sleep 0.05; done"
    )
    wait_for(child.log, "up")
    end = time.monotonic() + 20
    while not (numbers := [line for line in child.log.read_text().split() if line.isdigit()]):
        assert time.monotonic() < end
    assert not child.stop(0.3)
    assert child.code == -signal.SIGKILL
    while alive(int(numbers[0])):
        assert time.monotonic() < end


def test_it_does_not_outlive_who_started_it(tmp_path):
    code = (
        "import os, sys, time\nfrom pathlib import Path\n"
        "from processor.runtime.broker.process import Child\n"
        "here = Path(sys.argv[1])\n"
        "child = Child.start(['sleep', '60'], log=here / 'log', cwd=here, environment=os.environ)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait(20)
        end = time.monotonic() + 20
        while alive(pid):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_what_is_not_there_cannot_be_started(tmp_path):
    with pytest.raises(StartError, match=r"no-such-program cannot be started: No such file"):
        Child.start(["no-such-program"], log=tmp_path / "log", cwd=tmp_path, environment={})


def test_ports():
    port = free_port()
    require_free_port(port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(UnusableError, match=f"port {port} of 127.0.0.1 is taken") as raised:
            require_free_port(port, "--registry-port")
        assert "--registry-port" in raised.value.fix


def test_the_tail_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(100)))
    assert tail(log).splitlines() == [f"line {number}" for number in range(92, 100)]
