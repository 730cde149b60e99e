"""The Kafka worker: chunk-native Faust, one Kafka transaction for each chunk.

In the order of a record's way: ``fetching`` and ``consumer`` (out of the client, through the conductor),
``merge`` and ``lanes`` (into one order, to the engine), ``commit`` and ``producers`` (a transaction),
``table`` and ``restoring`` (the state). ``owner`` starts and stops the lanes with the partitions that the
group assigns; ``app`` puts it together; ``fixes`` holds what had to be corrected of Faust and aiokafka.
"""

from processor.runtime.faust.app import WorkerApp, make_app
from processor.runtime.faust.engine import Engine, EngineFactory, Output, SourceRecord, Work
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.faust.worker import run_worker

__all__ = [
    "Engine",
    "EngineFactory",
    "Output",
    "SourceRecord",
    "Work",
    "WorkerApp",
    "WorkerSettings",
    "make_app",
    "run_worker",
]
