"""The peers' logic in Quix Streams, in the Python that TRAYECTO_QUIX names; see ``vanilla_faust``."""

from __future__ import annotations

import os
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found, unused-ignore]

from loadtests.peers.logic import decode, encode, step

_done = 0


def _step(value: bytes, state: Any) -> dict[str, Any] | None:
    global _done  # noqa: PLW0603 - one process, one count
    event = decode(value)
    row, command = step(state.get("row"), event)
    state.set("row", row)
    _done += 1
    if _done % 500 == 0:
        print(_done, flush=True)
    return command


def main() -> None:
    """Run until killed."""
    app = Application(
        broker_address=os.environ["BROKER"],
        consumer_group=f"quix-{os.environ['GUARANTEE']}",
        auto_offset_reset="earliest",
        state_dir=os.environ["STATE"],
        loglevel="ERROR",
        processing_guarantee=os.environ["GUARANTEE"],
        producer_extra_config={"linger.ms": 20},
    )
    source = app.topic(os.environ["TOPIC"], value_deserializer="bytes", key_deserializer="bytes")
    target = app.topic("quix-commands", value_serializer="bytes", key_serializer="bytes")
    frame = app.dataframe(source).apply(_step, stateful=True).filter(lambda command: command is not None)
    frame.apply(encode).to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
