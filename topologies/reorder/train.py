"""Trains the model of this topology on the demo's real orders, and says how good it is on later ones.

    python topologies/reorder/train.py

The features are those that the topology computes: it runs over the log once, with a stand-in for the model,
and leaves them on the record of each evaluation. Nothing is computed twice, so nothing can differ between
training and use. Evaluations until TRAIN_UNTIL are learnt from, those from TEST_FROM on are predicted; what
the former wait for has happened before the latter begin.

The model is a logistic regression over log(1 + feature). It is written as ONNX by hand, five operations.
Needs numpy, which comes with `pip install trayecto[onnx]`.
"""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import tempfile
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from processor.core.time import DAY_MS, parse_time
from processor.language import load_topology
from processor.runtime.embedded import RunOptions, run

__all__ = ["collect", "fit", "main", "onnx_logistic"]

HERE: Final = Path(__file__).resolve().parent
DATA: Final = HERE.parent / "demo" / "data" / "events.jsonl.gz"
HORIZON_MS: Final = 30 * DAY_MS
TRAIN_FROM: Final = "2011-03-01"  # before, nobody can have been silent for long
TRAIN_UNTIL: Final = "2011-05-01"
TEST_FROM: Final = "2011-06-01"
TEST_UNTIL: Final = "2011-08-01"  # the data end on 31 August
RIDGE: Final = 1.0
STAND_IN: Final = '''
from zlib import crc32


def score(features):
    """Another number for other features, so that each evaluation is on the record."""
    return crc32(repr(sorted(features.items())).encode()) / 2**32
'''


def collect(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run the topology with the stand-in: features (rows, columns), instants in ms, answers (0 or 1)."""
    events = folder / "gifts.jsonl"
    orders: dict[str, list[int]] = {}
    with gzip.open(DATA, "rt", encoding="utf-8") as lines, events.open("w", encoding="utf-8") as out:
        for line in lines:
            event = json.loads(line)
            if event["contact_id"].startswith("retail-"):
                out.write(line)
                if event["type"] == "order_completed":
                    orders.setdefault(event["contact_id"], []).append(parse_time(event["occurred_at"]))
    copy = folder / "topology"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("*.onnx", "*.test.yaml", "__pycache__"))
    text = (copy / "topology.yaml").read_text(encoding="utf-8").replace("reorder.onnx", "stand_in:score")
    text = text.replace("decimals: 3", "decimals: 4")
    (copy / "topology.yaml").write_text(text, encoding="utf-8")
    (copy / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
    topology = load_topology(copy).topology
    out_folder = folder / "out"
    run(RunOptions(topology=topology, sources=(str(events),), state=folder / "state", out=out_folder))
    return _examples(out_folder / "decisions.jsonl", orders)


def _examples(decisions: Path, orders: dict[str, list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, times, answers = [], [], []
    with decisions.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] != "scored":
                continue
            at_ms = parse_time(record["decided_at"])
            mine = orders.get(record["contact_id"], [])
            following = bisect_right(mine, at_ms)
            rows.append(list(record["detail"]["features"].values()))
            times.append(at_ms)
            answers.append(following < len(mine) and mine[following] <= at_ms + HORIZON_MS)
    return np.array(rows, np.float64), np.array(times), np.array(answers, np.float64)


def fit(features: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression with a ridge, the intercept last, by Newton's method."""
    x = np.hstack([features, np.ones((len(features), 1))])
    weights = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[-1] = 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - answers) + ridge * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def area(scores: np.ndarray, answers: np.ndarray) -> float:
    """The area under the ROC curve: how often one who orders is ranked above one who does not; ties half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    yes = answers.sum()
    return float((ranks[answers == 1].sum() - yes * (yes + 1) / 2) / (yes * (len(answers) - yes)))


# ------------------------------------------------------------------------------------------------------ ONNX
# A model file is a protocol buffer; the numbers are those of the fields in the format's published schema.

_FLOAT: Final = 1
_INT64: Final = 7


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _tensor(name: str, shape: tuple[int, ...], values: Any) -> bytes:
    raw = struct.pack(f"<{len(values)}f", *values)
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, _FLOAT) + _field(8, name) + _field(9, raw)


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def _port(name: str, columns: int) -> bytes:
    shape = _field(1, _field(2, "rows")) + _field(1, _field(1, columns))
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, shape)))


def onnx_logistic(weights: np.ndarray) -> bytes:
    """An ONNX file: sigmoid(log(1 + features) @ weights[:-1] + weights[-1])."""
    count = len(weights) - 1
    nodes = (
        _node("Add", ("features", "one"), "more"),
        _node("Log", ("more",), "logs"),
        _node("MatMul", ("logs", "weights"), "product"),
        _node("Add", ("product", "intercept"), "logit"),
        _node("Sigmoid", ("logit",), "probability"),
    )
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "reorder")
    graph += _field(5, _tensor("one", (1,), [1.0]))
    graph += _field(5, _tensor("weights", (count, 1), weights[:-1]))
    graph += _field(5, _tensor("intercept", (1,), weights[-1:]))
    graph += _field(11, _port("features", count)) + _field(12, _port("probability", 1))
    opset = _field(1, "") + _field(2, 13)
    return _field(1, 7) + _field(2, "trayecto") + _field(7, graph) + _field(8, opset)


def main() -> None:
    """Train, write the model, and print the table of the README."""
    with tempfile.TemporaryDirectory() as folder:
        features, times, answers = collect(Path(folder))
    logs = np.log1p(np.maximum(features, 0))
    learnt = (times >= parse_time(TRAIN_FROM)) & (times < parse_time(TRAIN_UNTIL))
    later = (times >= parse_time(TEST_FROM)) & (times < parse_time(TEST_UNTIL))
    weights = fit(logs[learnt], answers[learnt])
    (HERE / "reorder.onnx").write_bytes(onnx_logistic(weights))
    p = 1 / (1 + np.exp(-(logs[later] @ weights[:-1] + weights[-1])))
    truth = answers[later]
    base = answers[learnt].mean()
    print("| what | figure |\n| --- | ---: |")
    print(f"| evaluations learnt from | {learnt.sum():,} |")
    print(f"| later evaluations, predicted | {later.sum():,} |")
    print(f"| of these followed by an order within 30 days | {truth.mean():.1%} |")
    print(f"| AUC of the model | {area(p, truth):.3f} |")
    print(f"| AUC of days since the last order alone | {area(-features[later][:, 0], truth):.3f} |")
    print(f"| AUC of the number of orders alone | {area(features[later][:, 2], truth):.3f} |")
    print(f"| Brier score of the model | {((p - truth) ** 2).mean():.4f} |")
    print(f"| Brier score of the same share for all | {((base - truth) ** 2).mean():.4f} |\n")
    print("| predicted | evaluations | mean prediction | ordered |\n| --- | ---: | ---: | ---: |")
    bounds = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.01]
    for low, high in pairwise(bounds):
        these = (p >= low) & (p < high)
        if these.any():
            label = f"{low:.0%} to {min(high, 1):.0%}"
            print(f"| {label} | {these.sum():,} | {p[these].mean():.1%} | {truth[these].mean():.1%} |")


if __name__ == "__main__":
    main()
