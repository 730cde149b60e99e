"""The compiled core and its plain sources decide the same, byte for byte."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

import processor
from loadtests.workload import lines

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "topologies" / "demo"
TEN = ROOT / "loadtests" / "topologies" / "ten"


def _outputs(topology: Path, log: Path, folder: Path, *, plain: bool) -> dict[str, bytes]:
    env = {key: value for key, value in os.environ.items() if key != "TRAYECTO_PLAIN"}
    command = [sys.executable, "-m", "processor", "run", "--topology", str(topology), "--events", str(log)]
    subprocess.run(
        [*command, "--state", str(folder / "state"), "--out", str(folder / "out")],
        cwd=ROOT,
        env=env | ({"TRAYECTO_PLAIN": "1"} if plain else {}),
        check=True,
        capture_output=True,
        timeout=300,
    )
    return {path.name: path.read_bytes() for path in sorted((folder / "out").glob("*.jsonl"))}


@pytest.mark.parametrize("which", ["demo", "ten programs"])
def test_both_give_equal_outputs(tmp_path: Path, which: str) -> None:
    if not processor.is_compiled():
        assert not os.environ.get("CI"), "the core is not compiled: is there no C compiler?"
        pytest.skip("the core is not compiled, so there is nothing to compare")
    log = tmp_path / "events.jsonl"
    if which == "demo":
        with gzip.open(DEMO / "data" / "events.jsonl.gz") as packed:
            log.write_bytes(b"".join(islice(packed, 8_000)))
    else:
        log.write_bytes(b"".join(lines(8_000, 1_500)))
    topology = DEMO if which == "demo" else TEN
    compiled = _outputs(topology, log, tmp_path / "compiled", plain=False)
    plain = _outputs(topology, log, tmp_path / "plain", plain=True)
    assert compiled.keys() == plain.keys()
    assert sum(map(len, compiled.values())) > 100_000, "the runs decide something"
    for name, data in compiled.items():
        assert data == plain[name], f"{name} differs"


def test_the_switch_for_plain_sources_works() -> None:
    code = "import processor; print(processor.is_compiled())"
    env = os.environ | {"TRAYECTO_PLAIN": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True)
    assert done.stdout.strip() == b"False"
