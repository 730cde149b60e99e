"""Runs one server for all processes of a test session, until none of them is left (see ``shared.py``)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from processor.runtime.broker.errors import BrokerError
from processor.runtime.broker.kafka import LocalKafka
from processor.runtime.broker.registry import LocalRegistry
from tests.system.shared import locked

USER, PASSWORD = "trayecto", "a-password-for-tests"


def main(kind: str, folder: Path) -> None:
    """Start it, say where it is, and wait for the end of the lifeline."""
    with locked(folder / "alive"), contextlib.ExitStack() as stack:
        lifeline = os.open(folder / "lifeline", os.O_RDONLY)
        stack.callback(os.close, lifeline)
        try:
            answer = _start(kind, folder / kind, stack)
        except BrokerError as error:
            _say(folder, {"error": str(error), "fix": error.fix})
            return
        _say(folder, answer)
        while True:
            while os.read(lifeline, 1024):
                pass
            with locked(folder / "lock"):
                # Somebody may have come since: then there is nothing to read, and no end either.
                os.set_blocking(lifeline, False)
                try:
                    if not os.read(lifeline, 1024):
                        (folder / "answer.json").unlink()
                        return
                except BlockingIOError:
                    os.set_blocking(lifeline, True)


def _start(kind: str, folder: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    if kind == "registry":
        return {"url": stack.enter_context(LocalRegistry(folder)).url}
    assert kind == "kafka", kind
    kafka = stack.enter_context(LocalKafka(folder, users={USER: PASSWORD}, tls=True))
    assert kafka.certificates is not None
    return {
        "address": kafka.address,
        "scram_address": kafka.scram_address,
        "user": USER,
        "password": PASSWORD,
        "tls_address": kafka.tls_address,
        **{name: str(path) for name, path in kafka.certificates._asdict().items()},
    }


def _say(folder: Path, answer: dict[str, Any]) -> None:
    part = folder / "answer.json.part"
    part.write_text(json.dumps(answer), encoding="utf-8")
    part.replace(folder / "answer.json")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
