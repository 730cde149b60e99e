"""The topology whose score comes from an ONNX model: over real orders, and with files that are wrong."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import os
import shutil
from pathlib import Path

import pytest

from processor.language import LanguageError, load_topology
from processor.runtime.embedded import RunOptions, run

ROOT = Path(__file__).resolve().parents[2]
REORDER = ROOT / "topologies" / "reorder"
DATA = ROOT / "topologies" / "demo" / "data" / "events.jsonl.gz"
INSTALLED = importlib.util.find_spec("onnxruntime") is not None
needs_onnx = pytest.mark.skipif(
    not INSTALLED and not os.environ.get("CI"), reason="onnxruntime is not installed"
)


def copied(folder: Path, *changes: tuple[str, str]) -> Path:
    made = folder / "reorder"
    shutil.copytree(REORDER, made, ignore=shutil.ignore_patterns("*.test.yaml", "__pycache__", "*.py"))
    text = (made / "topology.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (made / "topology.yaml").write_text(text, encoding="utf-8")
    return made


def problem(folder: Path, *changes: tuple[str, str]) -> str:
    with pytest.raises(LanguageError) as caught:
        load_topology(copied(folder, *changes))
    (one,) = caught.value.problems
    return str(one)


def test_without_onnxruntime_the_topology_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert problem(tmp_path).endswith("onnxruntime is not installed - run pip install 'trayecto[onnx]'")


@needs_onnx
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            (('      cancelled_90d: count("order_cancelled", within="90d")\n', ""),),
            "it takes 8 features, here are 7",
        ),
        (
            (("    decimals: 3\n", "    output: label\n"),),
            "it has no output label - write one of probability",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tmp_path, changes, message):
    found = problem(tmp_path, *changes)
    assert message in found
    assert found.startswith("topology.yaml:23:12 error bad-model")


@needs_onnx
def test_a_file_that_is_no_model_is_refused(tmp_path):
    folder = copied(tmp_path)
    (folder / "reorder.onnx").write_bytes(b"no model")
    with pytest.raises(LanguageError, match="onnxruntime does not load it"):
        load_topology(folder)


@needs_onnx
def test_another_file_is_another_topology(tmp_path):
    folder = copied(tmp_path)
    before = load_topology(folder).topology
    data = (folder / "reorder.onnx").read_bytes()
    (folder / "reorder.onnx").write_bytes(data.replace(b"trayecto", b"trainert"))
    after = load_topology(folder).topology
    models = [one.scores["reorder"].predictor for one in (before, after)]
    assert len({one.identity for one in models if one is not None}) == 2
    assert before.digest != after.digest


@needs_onnx
def test_it_runs_embedded_over_real_orders(tmp_path):
    """A sample of the customers: the model answers, grades move, and both programs run."""
    events = tmp_path / "events.jsonl"
    with gzip.open(DATA, "rb") as lines, events.open("wb") as out:
        out.writelines(line for line in lines if b'"contact_id":"retail-1' in line and b'7","type"' in line)
    topology = load_topology(REORDER).topology
    out_folder = tmp_path / "out"
    run(RunOptions(topology=topology, sources=(str(events),), state=tmp_path / "state", out=out_folder))
    with (out_folder / "decisions.jsonl").open("rb") as lines:
        decisions = [json.loads(line) for line in lines]
    scored = [one for one in decisions if one["kind"] == "scored"]
    assert len(scored) > 1_000
    assert {one["detail"]["model"][:5] for one in scored} == {"onnx:"}
    assert not [one for one in decisions if one["kind"] == "model_failed"]
    commanded = {one["program"] for one in decisions if one["kind"] == "commanded"}
    assert commanded == {"drifting", "keen"}
    _same_as_by_hand(scored)


def _same_as_by_hand(scored):
    """The answers are the logistic function of one weighted sum, whose weights eight of them give away."""
    seen: dict[tuple[float, ...], set[float]] = {}
    for one in scored:
        features = tuple(one["detail"]["features"].values())
        seen.setdefault(features, set()).add(one["detail"]["ledger"][0]["after"])
    assert all(len(answers) == 1 for answers in seen.values()), "the same features, the same answer"
    # More orders than another, all else equal, is never less likely: the model learnt that orders count.
    first = min(seen, key=lambda features: features[2])
    most = max(seen, key=lambda features: features[2])
    assert min(seen[first]) < min(seen[most])
    assert all(
        0 < value < 1 and math.isclose(value, round(value, 3))
        for answers in seen.values()
        for value in answers
    )
