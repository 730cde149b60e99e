"""The peers' logic in Faust as it comes: a table in RocksDB, a send for each command; at least once.

Run by ``loadtests.peers.measured``: BROKER, TOPIC, PARTITIONS and STATE are in the environment. Prints how
many events are done, now and then.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import faust

from loadtests.peers.logic import decode, step

_PARTITIONS = int(os.environ["PARTITIONS"])
app = faust.App(
    "vanilla",
    broker=f"kafka://{os.environ['BROKER']}",
    store="rocksdb://",
    topic_partitions=_PARTITIONS,
    topic_replication_factor=1,
    datadir=os.environ["STATE"],
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=65_536,
    key_serializer="raw",
)
events = app.topic(os.environ["TOPIC"], key_type=bytes, value_type=bytes, value_serializer="raw")
commands = app.topic("vanilla-commands", partitions=_PARTITIONS, value_serializer="json")
rows = app.Table("rows", partitions=_PARTITIONS, default=lambda: None)


@app.agent(events)
async def score(stream: Any) -> None:
    """Take one event after the other."""
    done = 0
    async for event in stream.events():
        row, command = step(rows.get(event.key), decode(event.value))
        rows[event.key] = row
        if command is not None:
            await commands.send(key=event.key, value=command)
        done += 1
        if done % 500 == 0:
            print(done, file=sys.__stdout__, flush=True)  # Faust makes warnings of what is printed


if __name__ == "__main__":
    app.main()
