"""A worker of a topology, as ``trayecto worker`` runs it, in which things go wrong at chosen steps.

python -m tests.system.faulty SETTINGS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from processor.language import load_topology
from processor.observe.logs import configure
from processor.runtime.faust.errors import WorkerError
from processor.runtime.faust.serving import Worker, serve
from processor.runtime.kafka.settings import KafkaSettings
from tests.system.counting import fault_hook

__all__ = ["main"]


def main(path: Path) -> int:
    """Run until told to stop; the exit code is the command's."""
    given = json.loads(path.read_text())
    others = given["settings"]
    if given["faults"]:
        others["hook"] = fault_hook(given["faults"])
    configure("info", "text")
    worker = Worker(
        load_topology(Path(given["topology"])).topology,
        KafkaSettings(broker=given["broker"]),
        Path(given["state"]),
        given["name"],
        own_time=True,
        **others,
    )
    try:
        serve(worker, leave=given["leave"], port=0, port_file=Path(given["port_file"]))
    except WorkerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
